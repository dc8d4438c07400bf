#include "transfer/client.h"

#include <algorithm>
#include <unordered_map>

#include "base/limits.h"
#include "session/host_identity.h"
#include "transfer/failure.h"
#include "transfer/shares.h"
#include "transfer/stream_controller.h"

namespace wormhole::transfer {
namespace {

// Worth a further stream: below this the first connection is done before another stands.
constexpr std::uint64_t kSingleStreamBytes = 4 * kMiB;
constexpr std::uint64_t kSingleStreamFiles = 256;

// Our last words take no longer than a round trip unless nobody reads them.
constexpr std::chrono::seconds kGoodbyeTimeout{2};

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "talk to host", .detail = std::string(why)};
}

// 0 for a message that concerns none.
std::uint32_t request_of(const wire::Message& message) {
  return std::visit(
      [](const auto& value) -> std::uint32_t {
        if constexpr (requires { value.request; }) {
          return value.request;
        } else {
          return 0;
        }
      },
      message);
}

// An error that names nothing itself is about what was asked for.
Result<void> about(const std::string& path, Error error) {
  if (error.object.empty()) error.object = path;
  return fail(std::move(error));
}

}  // namespace

// A listing under way: entries as they come, credit back as they are taken.
class Client::Lister {
 public:
  Lister(std::uint32_t request, ControlWriter& control,
         const std::function<Result<void>(const Listing&)>& sink,
         const std::function<void(const Error&)>& on_failed)
      : request_(request), control_(control), sink_(sink), on_failed_(on_failed) {}

  Result<void> on_message(const wire::Message& message) {
    const std::uint32_t request = request_of(message);
    if (request != 0 && request != request_) return fail(broken("an answer to no request"));
    if (const auto* entries = std::get_if<wire::Entries>(&message)) return on_entries(*entries);
    if (const auto* failed = std::get_if<wire::Failed>(&message)) {
      const auto parent = directories_.find(failed->parent);
      const std::string path =
          parent == directories_.end() ? failed->name : joined(parent->second, failed->name);
      on_failed_(remote_failure(failed->code, path, failed->reason));
      return {};
    }
    if (const auto* refused = std::get_if<wire::Refused>(&message)) {
      return fail(remote_failure(refused->code, "", refused->reason));
    }
    if (const auto* listed = std::get_if<wire::Listed>(&message)) {
      if (listed->entries != next_ || next_ == 0) return fail(broken("wrong count of entries"));
      if (!directories_.empty()) return fail(broken("a directory was left open"));
      finish(Result<void>());
      return {};
    }
    return fail(broken("unexpected message in a listing"));
  }

  void finish(Result<void> result) {
    std::scoped_lock lock(mutex_);
    if (!result_.has_value()) result_ = std::move(result);
    over_.notify_all();
  }
  Result<void> wait() {
    std::unique_lock lock(mutex_);
    over_.wait(lock, [&] { return result_.has_value(); });
    return *result_;
  }

 private:
  static std::string joined(const std::string& directory, const std::string& name) {
    return directory.empty() ? name : directory + "/" + name;
  }

  Result<void> on_entries(const wire::Entries& entries) {
    if (entries.first_id != next_) return fail(broken("entries out of order"));
    std::uint32_t taken = 0;
    for (const wire::Entry& entry : entries.entries) {
      const std::uint64_t id = next_++;
      if (entry.type == wire::EntryType::kDirectoryEnd) {
        if (directories_.erase(entry.parent) == 0) return fail(broken("end of no directory"));
        continue;
      }
      ++taken;
      std::string path;
      // Several shares at once are a directory without a name.
      if (id != 0 || entry.type != wire::EntryType::kDirectory) {
        WH_TRY(platform::check_name(entry.name));
      }
      if (id != 0) {
        const auto parent = directories_.find(entry.parent);
        if (parent == directories_.end()) return fail(broken("entry of no directory"));
        path = joined(parent->second, entry.name);
        if (path.size() > kPathMaxBytes) return fail(broken("a path too long"));
      }
      if (entry.type == wire::EntryType::kDirectory) {
        directories_.emplace(id, path);
        // An honest walk goes down one chain at a time.
        if (directories_.size() > kDepthMax) return fail(broken("too many directories"));
      }
      WH_TRY(sink_({std::move(path), entry}));
    }
    if (taken > 0) control_.add_credit(request_, taken);
    return {};
  }

  const std::uint32_t request_;
  ControlWriter& control_;
  const std::function<Result<void>(const Listing&)>& sink_;
  const std::function<void(const Error&)>& on_failed_;
  std::uint64_t next_ = 0;
  std::unordered_map<std::uint64_t, std::string> directories_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::optional<Result<void>> result_;
};

Client::Client(const Clock& clock, Random& random, BlockPool& pool, ClientOptions options)
    : clock_(clock),
      random_(random),
      pool_(pool),
      options_(options),
      rate_(options.rate_max_bytes),
      watchdog_(clock) {
  auto waker = platform::Waker::make();
  if (waker.has_value()) dials_end_.emplace(std::move(*waker));
}

Client::~Client() { close(); }

Result<void> Client::connect(const std::vector<platform::Address>& addresses,
                             const session::JoinCode& code) {
  session::Dialler dialler(clock_, random_);
  if (dials_end_.has_value()) dialler.cancel_by(*dials_end_);
  WH_ASSIGN(auto first, dialler.join(addresses, code));
  {
    std::scoped_lock lock(mutex_);
    if (failed_.has_value()) return fail(*failed_);  // cancelled meanwhile
    control_ = std::make_unique<ControlWriter>(*first->writer, pool_);
    first_ = std::move(first);
  }
  const std::size_t streams = options_.finds_streams ? kStreamsMax - 1 : options_.streams;
  std::uint64_t features = wire::kFeatureHardLinks;
  if (options_.compression) features |= wire::kFeatureCompression;
  if (options_.finds_copies) features |= wire::kFeatureCopies;
  control_->push(wire::Hello{.features = features,
                             .streams_max = static_cast<std::uint8_t>(streams),
                             .unencrypted = options_.unencrypted});
  reader_ = std::thread([this] { run_reader(); });
  writer_ = std::thread([this] { run_writer(); });
  return {};
}

Result<void> Client::get(const std::string& path, TakeOptions options, TakerEvents& events,
                         TakenCounters& counters) {
  const bool may_have = options.may_have;
  std::shared_ptr<Taker> taker;
  {
    std::scoped_lock lock(mutex_);
    if (failed_.has_value()) return fail(*failed_);
    ++last_request_;
    options.requested_name = last_part(path);
    taker = std::make_shared<Taker>(last_request_, options, events, counters, *control_, clock_);
    if (options_.compression) taker->allow_compressed(codecs_);
    receiver_ = taker;
    control_->push(wire::Get{last_request_, path, may_have, kOpenEntriesMax, options.selection,
                             options.keeps});
  }
  Result<void> result = taker->wait();
  first_byte_ = taker->first_byte();
  shown_root_ = taker->shown_root();
  drop_receiver();
  taker->stop_local_work();
  if (result.has_value()) return result;
  // Of what was refused nothing was begun: another path may be asked for.
  if (taker->was_refused()) return about(path, result.error());
  // Nothing may be writing while what is half there is removed: the session ends here.
  close();
  taker->abandon();
  return about(path, result.error());
}

Result<void> Client::read(const std::string& path, const FileStream::Sink& sink) {
  std::shared_ptr<FileStream> stream;
  {
    std::scoped_lock lock(mutex_);
    if (failed_.has_value()) return fail(*failed_);
    ++last_request_;
    stream = std::make_shared<FileStream>(last_request_, last_part(path), sink,
                                          options_.compression ? &codecs_ : nullptr, clock_);
    receiver_ = stream;
    control_->push(wire::Get{last_request_, path, /*may_have=*/false, kOpenEntriesMax});
  }
  const Result<void> result = stream->wait();
  drop_receiver();
  first_byte_ = stream->first_byte();
  return result.has_value() ? result : about(path, result.error());
}

Result<void> Client::list(const std::string& path, bool recursive, const wire::Selection& selection,
                          const std::function<Result<void>(const Listing&)>& sink,
                          const std::function<void(const Error&)>& on_failed) {
  std::unique_ptr<Lister> lister;
  {
    std::scoped_lock lock(mutex_);
    if (failed_.has_value()) return fail(*failed_);
    ++last_request_;
    lister = std::make_unique<Lister>(last_request_, *control_, sink, on_failed);
    lister_ = lister.get();
    control_->push(wire::List{last_request_, path, recursive, kOpenEntriesMax, selection});
  }
  const Result<void> result = lister->wait();
  std::scoped_lock lock(mutex_);
  lister_ = nullptr;
  ended_request_ = last_request_;
  control_->push(wire::Cancel{last_request_});  // the host forgets it
  return result.has_value() ? result : about(path, result.error());
}

// --- threads -----------------------------------------------------------------------------------

void Client::run_writer() {
  const auto result = control_->run(nullptr);
  {
    std::scoped_lock lock(mutex_);
    is_writer_over_ = true;
    writer_over_.notify_all();
  }
  if (!result.has_value()) session_failed(result.error());
}

void Client::run_reader() {
  const auto result = read_first_connection();
  if (!result.has_value()) session_failed(result.error());
}

Result<void> Client::read_first_connection() {
  Block block = pool_.acquire();
  Watchdog::Watch watch(watchdog_, [this] { first_->socket.shut_down(); });
  while (true) {
    watch.waiting();
    WH_ASSIGN(const auto header, first_->reader->receive(block));
    watch.busy();
    if (header.type == wire::FrameType::kControl) {
      WH_ASSIGN(auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
      WH_TRY(on_control(std::move(message)));
      WH_TRY(control_->check_read());
      continue;
    }
    WH_TRY(on_frame(header, block, /*on_first_connection=*/true));
  }
}

Result<void> Client::on_frame(const wire::FrameHeader& header, Block& block,
                              bool on_first_connection) {
  const bool is_unsealed =
      header.type == wire::FrameType::kPlain || header.type == wire::FrameType::kDamaged;
  if (is_unsealed && !is_plain_) {
    return fail(broken("the host sent unencrypted data that was not asked for"));
  }
  std::uint32_t request = header.request;
  if (header.type == wire::FrameType::kControl) {
    WH_ASSIGN(const auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
    request = request_of(message);
  }
  if (rate_.is_set()) wait_for_rate(header.payload_bytes);
  WH_ASSIGN(const auto receiver, receiver_of(request));
  return receiver == nullptr ? Result<void>()
                             : receiver->on_frame(header, block, on_first_connection);
}

void Client::wait_for_rate(std::uint64_t bytes) {
  const TimePoint paid = rate_.take(bytes, clock_.now());
  std::unique_lock lock(mutex_);
  const auto is_over = [&] { return closing_ || failed_.has_value(); };
  rate_wake_.wait_for(lock, paid - clock_.now(), is_over);
}

Result<void> Client::on_control(wire::Message message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message)) return on_hello(*hello);
  if (!greeted_) return fail(broken("no Hello came first"));
  if (std::holds_alternative<wire::Ping>(message)) return {};
  if (auto* entries = std::get_if<wire::Entries>(&message)) name_versions(*entries);
  {
    std::scoped_lock lock(mutex_);
    const std::uint32_t request = request_of(message);
    if (request != 0 && request <= ended_request_) return {};
    if (lister_ != nullptr) {
      auto result = lister_->on_message(message);
      if (result.has_value() || !std::holds_alternative<wire::Refused>(message)) return result;
      lister_->finish(result);
      return {};
    }
  }
  WH_ASSIGN(const auto receiver, receiver_of(request_of(message)));
  if (receiver != nullptr) {
    const auto result = receiver->on_message(message);
    if (!result.has_value() && std::holds_alternative<wire::Refused>(message)) {
      receiver->fail_with(result.error());
      return {};
    }
    WH_TRY(result);
    if (const auto* entries = std::get_if<wire::Entries>(&message)) {
      std::uint64_t bytes = 0;
      for (const auto& entry : entries->entries) bytes += entry.size;
      if (bytes > kSingleStreamBytes || entries->first_id > kSingleStreamFiles) begin_streams();
    }
  }
  return {};
}

Result<void> Client::on_hello(const wire::Hello& hello) {
  if (hello.version != wire::kProtocolVersion) {
    return fail({.code = Code::kVersion,
                 .operation = "talk to host",
                 .detail = "it speaks another version of the protocol",
                 .advice = "install the same version of Wormhole on both sides"});
  }
  if (greeted_) return fail(broken("a second Hello"));
  greeted_ = true;
  if (hello.proof.has_value()) {
    if (!session::is_proven(*hello.proof, first_->session_id)) {
      return fail(broken("its proof of who it is does not fit"));
    }
    if (options_.secret.has_value()) version_names_.emplace(*options_.secret, hello.proof->key);
  }
  is_plain_ = hello.unencrypted && options_.unencrypted;
  std::scoped_lock lock(mutex_);
  streams_granted_ = hello.streams_max;
  host_is_loss_based_ = (hello.features & wire::kFeatureLossBased) != 0;
  return {};
}

void Client::name_versions(wire::Entries& entries) const {
  for (wire::Entry& entry : entries.entries) {
    entry.version = version_names_.has_value() ? version_names_->of(entry.version) : 0;
  }
}

void Client::begin_streams() {
  std::scoped_lock lock(mutex_);
  if (streams_begun_ || closing_ || failed_.has_value()) return;
  streams_begun_ = true;
  // Of the path without its queues, and without our waiting for a core.
  const Duration connecting = first_->timeline.connected - first_->timeline.connecting;
  const Duration round_trip = first_->socket.least_round_trip().value_or(
      std::chrono::duration_cast<std::chrono::microseconds>(connecting));
  if (options_.finds_streams && round_trip >= session::kLocalRoundTrip) {
    controller_ = std::thread([this, round_trip] { run_controller(round_trip); });
  } else {
    set_streams(options_.streams);
  }
}

void Client::set_streams(unsigned wanted) {
  // One that is over counts all the same: what did not come is not dialled again at once.
  const auto stays = [](const auto& stream) { return !stream->ending; };
  const auto is_gone = [](const auto& stream) { return !stream->ending && stream->over; };
  auto standing = static_cast<unsigned>(std::ranges::count_if(streams_, stays));
  // Each thread dials its own stream, so that they come up side by side.
  for (; standing < wanted && streams_.size() < streams_granted_; ++standing) {
    streams_.push_back(std::make_unique<Stream>());
    const auto number = static_cast<unsigned>(streams_.size());
    streams_.back()->thread = std::thread([this, number] { run_stream(number); });
  }
  for (; standing > wanted; --standing) {
    auto last = std::find_if(streams_.rbegin(), streams_.rend(), is_gone);
    if (last == streams_.rend()) last = std::find_if(streams_.rbegin(), streams_.rend(), stays);
    (*last)->ending = true;
    if ((*last)->over) continue;
    // One that is still being dialled ends as soon as it has joined.
    const auto number = std::distance(last, streams_.rend());
    control_->push(wire::EndStream{static_cast<std::uint8_t>(number)});
  }
}

void Client::run_controller(Duration round_trip) {
  std::unique_lock lock(mutex_);
  StreamController controller(
      round_trip, streams_granted_,
      host_is_loss_based_ ? Congestion::kLossBased : Congestion::kModelBased);
  while (!closing_ && !failed_.has_value()) {
    if (receiver_ != nullptr) {
      set_streams(
          controller.on_sample(clock_.now(), count_arrived(), left_on_wire(), further_streams_));
    } else {
      controller.on_pause();
    }
    controller_wake_.wait_for(lock, controller.interval());
  }
}

void Client::run_stream(unsigned number) {
  session::Dialler dialler(clock_, random_);
  if (dials_end_.has_value()) dialler.cancel_by(*dials_end_);
  auto dialled = dialler.add_stream(*first_, number);
  session::Connection* connection = nullptr;
  {
    std::scoped_lock lock(mutex_);
    if (!dialled.has_value()) {  // the others carry on without it
      streams_[number - 1]->over = true;
      return;
    }
    if (closing_ || failed_.has_value()) return;
    connection = dialled->get();
    streams_[number - 1]->connection = std::move(*dialled);
    streams_at_most_ = std::max(streams_at_most_.load(), ++further_streams_);
  }
  const auto result = read_stream(*connection);
  {
    std::scoped_lock lock(mutex_);
    --further_streams_;
    streams_[number - 1]->over = true;
  }
  if (!result.has_value()) session_failed(result.error());
}

Result<void> Client::read_stream(session::Connection& connection) {
  Block block = pool_.acquire();
  WH_ASSIGN(
      const std::size_t size,
      wire::encode(wire::Join{static_cast<std::uint8_t>(connection.stream)}, block.payload()));
  WH_TRY(connection.writer->send(
      {.payload_bytes = static_cast<std::uint32_t>(size), .type = wire::FrameType::kControl},
      block));
  for (bool is_first = true;; is_first = false) {
    WH_ASSIGN(const auto header, connection.reader->receive(block));
    if (header.type == wire::FrameType::kEndStream) {
      // At once: the host has no room for it, and may have closed it without reading our Join.
      return is_first ? Result<void>() : connection.reader->expect_end();
    }
    WH_TRY(on_frame(header, block, /*on_first_connection=*/false));
  }
}

Result<std::unique_ptr<Receiver, Client::Release>> Client::receiver_of(std::uint32_t request) {
  using Held = std::unique_ptr<Receiver, Release>;
  std::scoped_lock lock(mutex_);
  if (request != 0 && request <= ended_request_) return Held(nullptr, Release{this});
  if (receiver_ == nullptr) return fail(broken("the host sent what was not asked for"));
  if (receiver_->is_over()) return Held(nullptr, Release{this});
  ++receiver_users_;
  return Held(receiver_.get(), Release{this});
}

void Client::release_receiver() {
  std::scoped_lock lock(mutex_);
  --receiver_users_;
  receiver_free_.notify_all();
}

void Client::drop_receiver() {
  std::unique_lock lock(mutex_);
  ended_request_ = last_request_;
  control_->push(wire::Cancel{last_request_});
  receiver_free_.wait(lock, [&] { return receiver_users_ == 0; });
  receiver_ = nullptr;
}

// --- endings -----------------------------------------------------------------------------------

void Client::session_failed(const Error& error) {
  std::shared_ptr<Receiver> receiver;
  ControlWriter* control = nullptr;
  // What follows from it in other threads must not be told instead.
  Error first = error;
  {
    std::scoped_lock lock(mutex_);
    if (closing_) return;
    if (!failed_.has_value()) failed_ = error;
    first = *failed_;
    receiver = receiver_;
    control = control_.get();  // stands as long as this client once it is there
    if (lister_ != nullptr) lister_->finish(fail(*failed_));
    if (dials_end_.has_value()) dials_end_->wake();
    controller_wake_.notify_all();
    rate_wake_.notify_all();
    cut();
  }
  if (receiver != nullptr) receiver->fail_with(first);
  if (control != nullptr) control->close();
}

void Client::cut() {
  if (first_ != nullptr) first_->socket.shut_down();
  for (const auto& stream : streams_) {
    if (stream->connection != nullptr) stream->connection->socket.shut_down();
  }
}

bool Client::is_open() const {
  std::scoped_lock lock(mutex_);
  return !closing_ && !failed_.has_value();
}

void Client::cancel() {
  {
    std::scoped_lock lock(mutex_);
    if (closing_) return cut();
  }
  session_failed({.code = Code::kInterrupted, .operation = "fetch", .detail = "interrupted"});
}

void Client::close() {
  {
    std::scoped_lock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    if (dials_end_.has_value()) dials_end_->wake();
    controller_wake_.notify_all();
    rate_wake_.notify_all();
  }
  if (first_ == nullptr) return;
  if (control_ != nullptr) {
    control_->push(wire::Bye{});
    control_->close();
  }
  {
    // A host that does not read need not be said goodbye to.
    std::unique_lock lock(mutex_);
    writer_over_.wait_for(lock, kGoodbyeTimeout, [&] { return is_writer_over_; });
    cut();
  }
  if (writer_.joinable()) writer_.join();
  if (reader_.joinable()) reader_.join();
  if (controller_.joinable()) controller_.join();
  for (const auto& stream : streams_) {
    if (stream->thread.joinable()) stream->thread.join();
  }
}

template <typename Count>
std::uint64_t Client::over_connections(const Count& count) const {
  std::uint64_t sum = first_ == nullptr ? 0 : count(*first_);
  for (const auto& stream : streams_) {
    if (stream->connection != nullptr) sum += count(*stream->connection);
  }
  return sum;
}

std::uint64_t Client::wire_bytes() const {
  std::scoped_lock lock(mutex_);
  return over_connections([](const session::Connection& connection) {
    return connection.reader->wire_bytes() + connection.writer->wire_bytes();
  });
}

// By the kernel's count: with sixty streams, whole frames alone would be megabytes too coarse.
std::uint64_t Client::count_arrived() {
  const auto count = [](const session::Connection& connection, Arrivals& so_far) {
    const auto now = connection.socket.arrived();
    if (!now.has_value()) {
      so_far.bytes = connection.reader->wire_bytes();
      return;
    }
    so_far.bytes += std::uint64_t{now->segments - so_far.segments} * now->segment_bytes;
    so_far.segments = now->segments;
  };
  count(*first_, first_arrivals_);
  arrived_bytes_ = first_arrivals_.bytes;
  for (const auto& stream : streams_) {
    if (stream->connection != nullptr) count(*stream->connection, stream->arrivals);
    arrived_bytes_ += stream->arrivals.bytes;
  }
  return arrived_bytes_;
}

// Compressed as what came so far.
std::uint64_t Client::left_on_wire() const {
  const auto left = receiver_->left_bytes();
  if (!left.has_value()) return StreamController::kUnknown;
  const std::uint64_t came = receiver_->taken_bytes();
  if (came <= arrived_bytes_) return *left;
  return static_cast<std::uint64_t>(
      static_cast<double>(*left) * static_cast<double>(arrived_bytes_) / static_cast<double>(came));
}

}  // namespace wormhole::transfer
