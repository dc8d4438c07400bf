#include "transfer/host_session.h"

#include <algorithm>

#include "base/limits.h"

namespace wormhole::transfer {
namespace {

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "serve client", .detail = std::string(why)};
}

}  // namespace

// Data on the first connection: only until further streams carry it, so that control never waits
// behind a slow taker's disk. Until they have carried as much as this one: a fresh stream starts
// slowly (RFC 5681), and what the first has found out about the path would be idle meanwhile.
class HostSession::FirstConnectionData final : public DataSource {
 public:
  explicit FirstConnectionData(HostSession& session) : session_(session) {}

  bool take() override {
    if (sender_.has_value() && sender_->has_work()) return true;
    if (hands_over()) return false;
    const std::size_t frame = sender_.has_value() ? sender_->frame_bytes() : kFirstFrameBytes;
    auto work = session_.giver_.next_now(frame, session_.data_streams_ + 1);
    if (!work.has_value()) return false;
    if (!sender_.has_value()) {
      sender_.emplace(session_.make_sender(*session_.first_->writer));
    }
    sender_->take(std::move(*work));
    return true;
  }

  Result<void> send_one(Block& block) override {
    const bool last = hands_over() || sender_->holds_too_much();
    const std::uint64_t before = session_.first_->writer->wire_bytes();
    WH_TRY(sender_->step(block, last));
    sent_bytes_ += session_.first_->writer->wire_bytes() - before;
    if (!last) return {};
    if (auto rest = sender_->take_rest()) session_.giver_.give_back(std::move(*rest));
    return {};
  }

 private:
  [[nodiscard]] bool hands_over() const {
    const bool caught_up =
        session_.data_streams_ > 0 && session_.further_sent_bytes_ >= sent_bytes_;
    return caught_up || session_.giver_.is_ending(0);
  }

  HostSession& session_;
  std::uint64_t sent_bytes_ = 0;
  std::optional<DataSender> sender_;
};

HostSession::HostSession(const Shares& shares, BlockPool& pool, Codecs& codecs, const Clock& clock,
                         Watchdog& watchdog, const session::HostIdentity& identity,
                         std::unique_ptr<session::Connection> first, bool allow_plain,
                         Duration long_path, std::function<void()> on_over)
    : allow_plain_(allow_plain),
      long_path_(long_path),
      pool_(pool),
      codecs_(codecs),
      clock_(clock),
      watchdog_(watchdog),
      identity_(identity),
      on_over_(std::move(on_over)),
      first_(std::move(first)),
      peer_(first_->socket.peer()),
      control_(*first_->writer, pool),
      giver_(shares, control_) {
  reader_ = std::thread([this] { run_reader(); });
  writer_ = std::thread([this] { run_writer(); });
}

HostSession::~HostSession() {
  stop();
  reader_.join();
  writer_.join();
  // No stream is added any more: stop() closed that door.
  for (Stream& stream : streams_) stream.thread.join();
}

void HostSession::stop() { end(fail({.code = Code::kInterrupted, .operation = "serve client"})); }

void HostSession::end(Result<void> how) {
  {
    std::scoped_lock lock(mutex_);
    if (ending_.has_value()) return;
    ending_ = std::move(how);
    first_->socket.shut_down();
    for (const Stream& stream : streams_) {
      if (stream.connection != nullptr) stream.connection->socket.shut_down();
    }
  }
  giver_.stop();
  control_.close();
  on_over_();
}

void HostSession::run_reader() {
  const auto result = read_requests();
  end(result);
}

void HostSession::run_writer() {
  FirstConnectionData data(*this);
  const auto result = control_.run(&data);
  if (!result.has_value()) end(result);
}

Result<void> HostSession::read_requests() {
  Block block = pool_.acquire();
  Watchdog::Watch watch(watchdog_, [this] { first_->socket.shut_down(); });
  while (true) {
    watch.waiting();
    WH_ASSIGN(const auto header, first_->reader->receive(block));
    watch.busy();
    if (header.type != wire::FrameType::kControl) return fail(broken("data from a taker"));
    WH_ASSIGN(const auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
    if (std::holds_alternative<wire::Bye>(message)) return {};
    WH_TRY(on_message(message));
    WH_TRY(control_.check_read());
  }
}

Result<void> HostSession::on_message(const wire::Message& message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    if (greeted_) return fail(broken("a second Hello"));
    if (hello->version != wire::kProtocolVersion) {
      return fail({.code = Code::kVersion,
                   .operation = "serve client",
                   .detail = "it speaks another version of the protocol"});
    }
    greeted_ = true;
    plain_ = hello->unencrypted && allow_plain_;
    compression_ = (hello->features & wire::kFeatureCompression) != 0;
    if ((hello->features & wire::kFeatureHardLinks) != 0) giver_.tell_hard_links();
    if ((hello->features & wire::kFeatureCopies) != 0) {
      const auto round_trip = first_->socket.least_round_trip();
      giver_.find_copies(round_trip.has_value() && *round_trip >= long_path_);
    }
    // As many as it likes: whether there is room is seen when each comes (Host::on_stream).
    control_.push(wire::Hello{.features = first_->is_loss_based ? wire::kFeatureLossBased : 0,
                              .streams_max = hello->streams_max,
                              .unencrypted = allow_plain_,
                              .proof = identity_.prove(first_->session_id)});
    return {};
  }
  if (!greeted_) return fail(broken("no Hello came first"));
  if (const auto* get = std::get_if<wire::Get>(&message)) return giver_.on_get(*get);
  if (const auto* list = std::get_if<wire::List>(&message)) return giver_.on_list(*list);
  if (const auto* want = std::get_if<wire::Want>(&message)) return giver_.on_want(*want);
  if (const auto* want = std::get_if<wire::WantChunks>(&message)) {
    return giver_.on_want_chunks(*want);
  }
  if (const auto* want = std::get_if<wire::WantFineChunks>(&message)) {
    return giver_.on_want_fine_chunks(*want);
  }
  if (const auto* want = std::get_if<wire::WantRanges>(&message)) {
    return giver_.on_want_ranges(*want);
  }
  if (const auto* credit = std::get_if<wire::Credit>(&message)) return giver_.on_credit(*credit);
  if (const auto* again = std::get_if<wire::Again>(&message)) {
    if (!plain_) return fail(broken("encrypted data asked for again"));
    return giver_.on_again(*again);
  }
  if (const auto* cancel = std::get_if<wire::Cancel>(&message)) {
    giver_.on_cancel(cancel->request);
    return {};
  }
  if (const auto* failed = std::get_if<wire::Failed>(&message)) {
    giver_.on_dropped(failed->request, failed->file);
    return {};
  }
  if (const auto* end_stream = std::get_if<wire::EndStream>(&message)) {
    giver_.end_stream(end_stream->stream);
    return {};
  }
  if (std::holds_alternative<wire::Ping>(message)) return {};
  return fail(broken("unexpected message " + std::string(wire::message_name(message))));
}

void HostSession::add_stream(std::unique_ptr<session::Connection> stream) {
  std::scoped_lock lock(mutex_);
  if (ending_.has_value()) return;  // closes it
  // Those that have ended: their threads have nothing left to do but to return.
  for (auto ended = streams_.begin(); ended != streams_.end();) {
    if (ended->connection == nullptr) {
      ended->thread.join();
      ended = streams_.erase(ended);
    } else {
      ++ended;
    }
  }
  Stream& added = streams_.emplace_back();
  added.connection = std::move(stream);
  streams_at_most_ = std::max(streams_at_most_, standing_streams());
  added.thread = std::thread([this, &added] { run_stream(added); });
}

std::size_t HostSession::standing_streams() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      streams_, [](const Stream& stream) { return stream.connection != nullptr; }));
}

void HostSession::run_stream(Stream& stream) {
  session::Connection& connection = *stream.connection;
  const auto result = give(connection);
  std::unique_ptr<session::Connection> ended;  // closed after the mutex, and with nothing unread
  if (result.has_value()) {
    std::scoped_lock lock(mutex_);
    ended_wire_bytes_ += connection.writer->wire_bytes() + connection.reader->wire_bytes();
    ended = std::move(stream.connection);
    return;
  }
  // A stream that breaks takes its session along: ranges under way on it are lost with it.
  end(result);
}

DataSender HostSession::make_sender(session::SealedWriter& writer) {
  return {writer, giver_.counters(), clock_, plain_, compression_ && !plain_ ? &codecs_ : nullptr};
}

Result<void> HostSession::give(session::Connection& connection) {
  Block block = pool_.acquire();
  const auto header = connection.reader->receive(block);
  // Gone before it joined (a dial that took too long for its client): nothing was under way on it.
  if (!header.has_value() && header.error().code == Code::kLost) return {};
  WH_TRY(header);
  WH_ASSIGN(const auto message, wire::decode(Bytes(block.payload()).first(header->payload_bytes)));
  const auto* join = std::get_if<wire::Join>(&message);
  if (header->type != wire::FrameType::kControl || join == nullptr ||
      join->stream != connection.stream) {
    return fail(broken("a stream that does not join"));
  }
  DataSender sender = make_sender(*connection.writer);
  ++data_streams_;
  while (true) {
    auto work = giver_.next_waiting(connection.stream, sender, data_streams_);
    if (!work.has_value()) break;
    sender.take(std::move(*work));
    while (sender.has_work()) {
      const bool last = giver_.is_ending(connection.stream) || sender.holds_too_much() ||
                        giver_.comes_too_late(connection.stream, sender);
      const std::uint64_t before = connection.writer->wire_bytes();
      WH_TRY(sender.step(block, last));
      further_sent_bytes_ += connection.writer->wire_bytes() - before;
      if (!last) continue;
      if (auto rest = sender.take_rest()) giver_.give_back(std::move(*rest));
    }
  }
  if (--data_streams_ == 0) control_.poke();
  WH_TRY(sender.send_end(block));
  connection.socket.finish_sending();
  return {};
}

HostSession::Status HostSession::status() const {
  const GivenCounters& counters = giver_.counters();
  Status status;
  status.peer = peer_;
  status.data_bytes = counters.data_bytes;
  status.files = counters.files;
  std::scoped_lock lock(mutex_);
  status.wire_bytes = first_->writer->wire_bytes() + first_->reader->wire_bytes();
  status.wire_bytes += ended_wire_bytes_;
  for (const Stream& stream : streams_) {
    if (stream.connection == nullptr) continue;
    status.wire_bytes +=
        stream.connection->writer->wire_bytes() + stream.connection->reader->wire_bytes();
  }
  status.streams = 1 + streams_at_most_;
  return status;
}

std::size_t HostSession::streams() const {
  std::scoped_lock lock(mutex_);
  return standing_streams();
}

std::optional<Result<void>> HostSession::ending() const {
  std::scoped_lock lock(mutex_);
  return ending_;
}

}  // namespace wormhole::transfer
