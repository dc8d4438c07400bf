#include "transfer/host_session.h"

#include <algorithm>

#include "base/limits.h"

namespace wormhole::transfer {
namespace {

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "serve client", .detail = std::string(why)};
}

}  // namespace

// Data on the first connection: only while no further stream carries it, so that control never
// waits behind a slow taker's disk.
class HostSession::FirstConnectionData final : public DataSource {
 public:
  explicit FirstConnectionData(HostSession& session) : session_(session) {}

  bool take() override {
    if (sender_.has_value() && sender_->has_work()) return true;
    if (hands_over()) return false;
    const std::size_t frame = sender_.has_value() ? sender_->frame_bytes() : kFirstFrameBytes;
    auto work = session_.giver_.next_now(frame);
    if (!work.has_value()) return false;
    if (!sender_.has_value()) {
      sender_.emplace(*session_.first_->writer, session_.pool_, session_.giver_.counters(),
                      session_.plain_);
    }
    sender_->take(std::move(*work));
    return true;
  }

  Result<void> send_one() override {
    const bool last = hands_over();
    WH_TRY(sender_->step(last));
    if (!last) return {};
    if (auto rest = sender_->take_rest()) session_.giver_.give_back(std::move(*rest));
    return {};
  }

 private:
  [[nodiscard]] bool hands_over() const {
    return session_.data_streams_ > 0 || session_.giver_.is_ending(0);
  }

  HostSession& session_;
  std::optional<DataSender> sender_;
};

HostSession::HostSession(const Shares& shares, BlockPool& pool, Watchdog& watchdog,
                         std::unique_ptr<session::Connection> first, Options options,
                         std::function<void()> on_over)
    : options_(options),
      pool_(pool),
      watchdog_(watchdog),
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
  for (std::thread& thread : stream_threads_) thread.join();
}

void HostSession::stop() { end(fail({.code = Code::kInterrupted, .operation = "serve client"})); }

void HostSession::end(Result<void> how) {
  {
    std::scoped_lock lock(mutex_);
    if (ending_.has_value()) return;
    ending_ = std::move(how);
    first_->socket.shut_down();
    for (const auto& stream : streams_) stream->socket.shut_down();
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
    plain_ = hello->unencrypted && options_.allow_plain;
    control_.push(wire::Hello{.streams_max = static_cast<std::uint8_t>(
                                  std::min<unsigned>(hello->streams_max, options_.streams_max)),
                              .unencrypted = options_.allow_plain});
    return {};
  }
  if (!greeted_) return fail(broken("no Hello came first"));
  if (const auto* get = std::get_if<wire::Get>(&message)) return giver_.on_get(*get);
  if (const auto* list = std::get_if<wire::List>(&message)) return giver_.on_list(*list);
  if (const auto* want = std::get_if<wire::Want>(&message)) return giver_.on_want(*want);
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
  if (ending_.has_value() || streams_.size() >= options_.streams_max) return;  // closes it
  session::Connection& connection = *stream;
  streams_.push_back(std::move(stream));
  stream_threads_.emplace_back([this, &connection] { run_stream(connection); });
}

void HostSession::run_stream(session::Connection& connection) {
  const auto result = give(connection);
  // A stream that breaks takes its session along: ranges under way on it are lost with it.
  if (!result.has_value()) end(result);
}

Result<void> HostSession::give(session::Connection& connection) {
  {
    Block block = pool_.acquire();
    WH_ASSIGN(const auto header, connection.reader->receive(block));
    WH_ASSIGN(const auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
    const auto* join = std::get_if<wire::Join>(&message);
    if (header.type != wire::FrameType::kControl || join == nullptr ||
        join->stream != connection.stream) {
      return fail(broken("a stream that does not join"));
    }
  }
  DataSender sender(*connection.writer, pool_, giver_.counters(), plain_);
  ++data_streams_;
  while (true) {
    auto work = giver_.next_waiting(connection.stream, sender);
    if (!work.has_value()) break;
    sender.take(std::move(*work));
    while (sender.has_work()) {
      const bool ends = giver_.is_ending(connection.stream);
      WH_TRY(sender.step(/*last=*/ends));
      if (!ends) continue;
      if (auto rest = sender.take_rest()) giver_.give_back(std::move(*rest));
    }
  }
  if (--data_streams_ == 0) control_.poke();
  WH_TRY(sender.send_end());
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
  for (const auto& stream : streams_) {
    status.wire_bytes += stream->writer->wire_bytes() + stream->reader->wire_bytes();
  }
  status.streams = 1 + static_cast<unsigned>(streams_.size());
  return status;
}

std::optional<Result<void>> HostSession::ending() const {
  std::scoped_lock lock(mutex_);
  return ending_;
}

}  // namespace wormhole::transfer
