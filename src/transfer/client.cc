#include "transfer/client.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/start_thread.h"
#include "session/host_identity.h"
#include "transfer/shares.h"
#include "transfer/stream_controller.h"
#include "transfer/stream_join.h"

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

// An error that names nothing itself is about what was asked for.
Result<void> about(const std::string& path, Error error) {
  if (error.object.empty()) error.object = path;
  return fail(std::move(error));
}

}  // namespace

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

Client::~Client() {
  close();
  giving_.reset();  // its walker uses what is declared after it
}

Result<void> Client::connect(const std::vector<platform::Address>& addresses,
                             const session::JoinCode& code, std::optional<int> stop) {
  session::Dialler dialler(clock_, random_);
  if (stop.has_value()) {
    dialler.cancel_by(*stop);
  } else if (dials_end_.has_value()) {
    dialler.cancel_by(dials_end_->descriptor());
  }
  WH_ASSIGN(auto first, dialler.join(addresses, code));
  {
    std::scoped_lock lock(mutex_);
    if (failed_.has_value()) return fail(*failed_);  // cancelled meanwhile
    control_ = std::make_unique<ControlWriter>(*first->writer, pool_);
    first_ = std::move(first);
    if (options_.gives != nullptr) {
      std::function<void(std::uint64_t)> on_sent;
      if (rate_.is_set()) on_sent = [this](std::uint64_t bytes) { wait_for_rate(bytes); };
      giving_.emplace(*options_.gives, *first_->writer, *control_, codecs_, clock_,
                      std::move(on_sent));
      giving_->giver().when_announced([this](std::uint64_t files, std::uint64_t bytes) {
        if (bytes > kSingleStreamBytes || files > kSingleStreamFiles) begin_streams();
      });
      giving_->giver().when_begun([this](const GivenFile& file) {
        const auto following = slot_.hold(file.request);
        if (!following.has_value() || *following == nullptr) return;  // over
        (*following)->on_begun(DirectoryTree::path_of(file.directory, file.name));
      });
    }
  }
  const std::size_t streams = options_.finds_streams ? kStreamsMax - 1 : options_.streams;
  std::uint64_t features = wire::kFeatureHardLinks;
  if (options_.compression) features |= wire::kFeatureCompression;
  if (options_.finds_copies) features |= wire::kFeatureCopies;
  std::optional<wire::HostProof> proof;
  if (options_.gives != nullptr && options_.secret.has_value()) {
    const session::HostIdentity identity(options_.secret->key(session::kIdentityPurpose));
    proof = identity.prove(first_->session_id, session::Role::kDialler);
  }
  control_->push(wire::Hello{.features = features,
                             .streams_max = static_cast<std::uint8_t>(streams),
                             .unencrypted = options_.unencrypted,
                             .proof = proof});
  WH_TRY(start_thread(reader_, [this] { run_reader(); }));
  return start_thread(writer_, [this] { run_writer(); });
}

Result<void> Client::get(const std::string& path, TakeOptions options, TakerEvents& events,
                         TakenCounters& counters) {
  std::shared_ptr<Taker> taker;
  {
    std::scoped_lock lock(mutex_);
    WH_ASSIGN(const std::uint32_t request, next_request());
    options.requested_name = last_part(path);
    taker = std::make_shared<Taker>(request, options, events, counters, *control_, clock_);
    if (options_.compression) taker->allow_compressed(codecs_);
    slot_.put_in(request, taker);
    control_->push(wire::Get{request, path, options.may_have, kOpenEntriesMax, options.selection,
                             options.keeps});
  }
  Result<void> result = taker->wait();
  first_byte_ = taker->first_byte();
  shown_root_ = taker->shown_root();
  end_request();
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
    WH_ASSIGN(const std::uint32_t request, next_request());
    stream = std::make_shared<FileStream>(request, last_part(path), sink,
                                          options_.compression ? &codecs_ : nullptr, clock_);
    slot_.put_in(request, stream);
    control_->push(wire::Get{request, path, /*may_have=*/false, kOpenEntriesMax});
  }
  const Result<void> result = stream->wait();
  end_request();
  first_byte_ = stream->first_byte();
  return result.has_value() ? result : about(path, result.error());
}

Result<void> Client::list(const std::string& path, bool recursive, const wire::Selection& selection,
                          const Lister::Sink& sink, const Lister::OnFailed& on_failed) {
  std::shared_ptr<Lister> lister;
  {
    std::scoped_lock lock(mutex_);
    WH_ASSIGN(const std::uint32_t request, next_request());
    lister = std::make_shared<Lister>(request, *control_, sink, on_failed);
    slot_.put_in(request, lister);
    control_->push(wire::List{request, path, recursive, kOpenEntriesMax, selection});
  }
  const Result<void> result = lister->wait();
  end_request();
  return result.has_value() ? result : about(path, result.error());
}

Result<void> Client::put(wire::Put put, TakerEvents& events, TakenCounters& counters,
                         const PutClient::OnPlanned& on_planned) {
  const std::string name = put.name;
  std::shared_ptr<PutClient> following;
  {
    std::scoped_lock lock(mutex_);
    WH_ASSIGN(put.request, next_request());
    following = std::make_shared<PutClient>(put.request, events, counters, on_planned);
    slot_.put_in(put.request, following);
    put_ = put;
    control_->push(std::move(put));
  }
  const Result<void> result = following->wait();
  slot_.take_out();
  giving_->giver().on_cancel(last_request_);  // what the host refused need not be given
  shown_root_ = following->shown_root();
  return result.has_value() ? result : about(name, result.error());
}

Result<std::uint32_t> Client::next_request() {
  if (failed_.has_value()) return fail(*failed_);
  return ++last_request_;
}

void Client::end_request() {
  control_->push(wire::Cancel{last_request_});
  slot_.take_out();
}

// --- threads -----------------------------------------------------------------------------------

void Client::run_writer() {
  const auto result = control_->run(giving_.has_value() ? &giving_->first_connection() : nullptr);
  {
    std::scoped_lock lock(mutex_);
    is_writer_over_ = true;
    some_over_.notify_all();
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
  if (rate_.is_set()) wait_for_rate(header.payload_bytes);
  return slot_.on_frame(header, block, on_first_connection);
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
  const std::uint32_t request = wire::request_of(message);
  if (giving_.has_value()) {
    const bool asks =
        std::holds_alternative<wire::Get>(message) || std::holds_alternative<wire::List>(message);
    if (asks && slot_.is_over(request)) return {};  // it came too late
    if (asks) WH_TRY(check_asked(message));
    WH_ASSIGN(const bool was_for_giver, giving_->on_message(message));
    if (was_for_giver) return {};
  }
  auto* entries = std::get_if<wire::Entries>(&message);
  if (entries != nullptr) name_versions_of(version_names_, *entries);
  WH_ASSIGN(const auto receiver, slot_.hold(request));
  if (receiver == nullptr) return {};
  const auto result = receiver->on_message(message);
  if (!result.has_value() && std::holds_alternative<wire::Refused>(message)) {
    receiver->fail_with(result.error());
    return {};
  }
  WH_TRY(result);
  if (entries == nullptr) return {};
  std::uint64_t bytes = 0;
  for (const auto& entry : entries->entries) bytes += entry.size;
  if (bytes > kSingleStreamBytes || entries->first_id > kSingleStreamFiles) begin_streams();
  return {};
}

Result<void> Client::check_asked(const wire::Message& message) {
  std::scoped_lock lock(mutex_);
  const auto put = std::exchange(put_, std::nullopt);
  if (put.has_value()) {
    if (const auto* get = std::get_if<wire::Get>(&message)) {
      const bool is_that = get->request == put->request && get->path == put->source &&
                           get->selection == put->selection && get->keeps == put->keeps;
      if (is_that && !put->dry_run) return {};
    }
    if (const auto* list = std::get_if<wire::List>(&message)) {
      const bool is_that = list->request == put->request && list->path == put->source &&
                           list->selection == put->selection;
      if (is_that && put->dry_run) return {};
    }
  }
  return fail(broken("the host asks for what was not put"));
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
    if (!session::is_proven(*hello.proof, first_->session_id, session::Role::kHost)) {
      return fail(broken("its proof of who it is does not fit"));
    }
    if (options_.secret.has_value()) version_names_.emplace(*options_.secret, hello.proof->key);
  }
  is_plain_ = hello.unencrypted && options_.unencrypted;
  const auto can = [&](std::uint64_t feature) { return (hello.features & feature) != 0; };
  if (giving_.has_value()) {
    giving_->agree(is_plain_, options_.compression && can(wire::kFeatureCompression));
    if (can(wire::kFeatureHardLinks)) giving_->giver().tell_hard_links();
    if (options_.finds_copies && can(wire::kFeatureCopies)) {
      giving_->giver().find_copies(round_trip() >= session::kLocalRoundTrip);
    }
  }
  std::scoped_lock lock(mutex_);
  streams_granted_ = hello.streams_max;
  is_loss_based_ = giving_.has_value() ? first_->is_loss_based : can(wire::kFeatureLossBased);
  return {};
}

// Of the path without its queues, and without our waiting for a core.
Duration Client::round_trip() const {
  const Duration connecting = first_->timeline.connected - first_->timeline.connecting;
  return first_->socket.least_round_trip().value_or(
      std::chrono::duration_cast<std::chrono::microseconds>(connecting));
}

void Client::begin_streams() {
  std::scoped_lock lock(mutex_);
  if (streams_begun_ || closing_ || failed_.has_value()) return;
  streams_begun_ = true;
  const Duration path = round_trip();
  const bool is_controlled =
      options_.finds_streams && path >= session::kLocalRoundTrip &&
      start_thread(controller_, [this, path] { run_controller(path); }).has_value();
  if (!is_controlled) set_streams(options_.streams);
}

void Client::set_streams(unsigned wanted) {
  // One that is over counts all the same: what did not come is not dialled again at once.
  const auto stays = [](const auto& stream) { return !stream->ending; };
  const auto is_gone = [](const auto& stream) { return !stream->ending && stream->over; };
  auto standing = static_cast<unsigned>(std::ranges::count_if(streams_, stays));
  // Each thread dials its own stream, so that they come up side by side.
  for (; standing < wanted && streams_.size() < streams_granted_; ++standing) {
    const auto number = static_cast<unsigned>(streams_.size() + 1);
    auto stream = std::make_unique<Stream>();
    if (!start_thread(stream->thread, [this, number] { run_stream(number); }).has_value()) {
      // No more of them: those there are carry on.
      streams_granted_ = static_cast<unsigned>(streams_.size());
      break;
    }
    streams_.push_back(std::move(stream));
  }
  for (; standing > wanted; --standing) {
    auto last = std::find_if(streams_.rbegin(), streams_.rend(), is_gone);
    if (last == streams_.rend()) last = std::find_if(streams_.rbegin(), streams_.rend(), stays);
    (*last)->ending = true;
    if ((*last)->over) continue;
    // One that is still being dialled ends as soon as it has joined.
    const auto number = std::distance(last, streams_.rend());
    if (giving_.has_value()) {
      giving_->giver().end_stream(static_cast<unsigned>(number));
    } else {
      control_->push(wire::EndStream{static_cast<std::uint8_t>(number)});
    }
  }
}

void Client::run_controller(Duration round_trip) {
  std::unique_lock lock(mutex_);
  StreamController controller(round_trip, streams_granted_,
                              is_loss_based_ ? Congestion::kLossBased : Congestion::kModelBased);
  while (!closing_ && !failed_.has_value()) {
    if (const auto progress = slot_.progress()) {
      const std::uint64_t carried = count_carried();
      set_streams(controller.on_sample(clock_.now(), {.arrived_bytes = carried,
                                                      .left_bytes = left_on_wire(*progress),
                                                      .up = further_streams_,
                                                      .round_trip = loaded_round_trip()}));
    } else {
      controller.on_pause();
    }
    controller_wake_.wait_for(lock, controller.interval());
  }
}

void Client::run_stream(unsigned number) {
  session::Dialler dialler(clock_, random_);
  if (dials_end_.has_value()) dialler.cancel_by(dials_end_->descriptor());
  auto dialled = dialler.add_stream(*first_, number);
  session::Connection* connection = nullptr;
  {
    std::scoped_lock lock(mutex_);
    // The others carry on without it.
    if (!dialled.has_value() || closing_ || failed_.has_value()) {
      streams_[number - 1]->over = true;
      some_over_.notify_all();
      return;
    }
    connection = dialled->get();
    streams_[number - 1]->connection = std::move(*dialled);
    streams_at_most_ = std::max(streams_at_most_.load(), ++further_streams_);
  }
  const auto result = giving_.has_value() ? give_on(*connection) : read_stream(*connection);
  {
    std::scoped_lock lock(mutex_);
    --further_streams_;
    streams_[number - 1]->over = true;
    some_over_.notify_all();
  }
  if (!result.has_value()) session_failed(result.error());
}

Result<void> Client::read_stream(session::Connection& connection) {
  Block block = pool_.acquire();
  WH_TRY(send_join(connection, block, /*gives=*/false));
  for (bool is_first = true;; is_first = false) {
    WH_ASSIGN(const auto header, connection.reader->receive(block));
    if (header.type == wire::FrameType::kEndStream) {
      // At once: the host has no room for it, and may have closed it without reading our Join.
      return is_first ? Result<void>() : connection.reader->expect_end();
    }
    WH_TRY(on_frame(header, block, /*on_first_connection=*/false));
  }
}

Result<void> Client::give_on(session::Connection& connection) {
  Block block = pool_.acquire();
  WH_TRY(send_join(connection, block, /*gives=*/true));
  WH_ASSIGN(const bool is_let_in, receive_join(connection, block));
  return is_let_in ? giving_->send_all(connection, block) : Result<void>();
}

// --- endings -----------------------------------------------------------------------------------

void Client::session_failed(const Error& error) {
  ControlWriter* control = nullptr;
  // What follows from it in other threads must not be told instead.
  Error first = error;
  {
    std::scoped_lock lock(mutex_);
    if (closing_) return;
    if (!failed_.has_value()) failed_ = error;
    first = *failed_;
    control = control_.get();  // stands as long as this client once it is there
    if (dials_end_.has_value()) dials_end_->wake();
    controller_wake_.notify_all();
    rate_wake_.notify_all();
    if (giving_.has_value()) giving_->giver().stop();
    cut();
  }
  slot_.fail_with(first);
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
  session_failed({.code = Code::kInterrupted,
                  .operation = options_.gives != nullptr ? "put" : "fetch",
                  .detail = "interrupted"});
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
  if (giving_.has_value()) giving_->giver().stop();
  if (control_ != nullptr) {
    control_->push(wire::Bye{});
    control_->close();
  }
  {
    // A host that does not read need not be said goodbye to. Streams that give are ended in order
    // first: one that only breaks may be seen there before the goodbye, which comes by another way.
    std::unique_lock lock(mutex_);
    some_over_.wait_for(lock, kGoodbyeTimeout, [&] {
      return (is_writer_over_ || !writer_.joinable()) &&
             (!giving_.has_value() ||
              std::ranges::all_of(streams_, [](const auto& stream) { return stream->over; }));
    });
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
std::uint64_t Client::count_carried() {
  const auto count = [&](const session::Connection& connection, Carried& so_far) {
    if (giving_.has_value()) {
      const auto now = connection.socket.delivered();
      const std::uint64_t before = std::exchange(
          so_far.bytes, now.has_value() ? now->bytes : connection.writer->wire_bytes());
      so_far.round_trip =
          now.has_value() && so_far.bytes != before ? std::optional(now->round_trip) : std::nullopt;
      return;
    }
    const auto now = connection.socket.arrived();
    if (!now.has_value()) {
      so_far.bytes = connection.reader->wire_bytes();
      return;
    }
    const std::uint32_t fresh = now->segments - so_far.segments;
    so_far.bytes += std::uint64_t{fresh} * now->segment_bytes;
    so_far.segments = now->segments;
    so_far.round_trip = fresh != 0 ? now->round_trip : std::nullopt;
  };
  count(*first_, first_carried_);
  carried_bytes_ = first_carried_.bytes;
  for (const auto& stream : streams_) {
    if (stream->connection != nullptr) count(*stream->connection, stream->carried);
    carried_bytes_ += stream->carried.bytes;
  }
  return carried_bytes_;
}

Duration Client::loaded_round_trip() const {
  std::optional<std::chrono::microseconds> least;
  for (const auto& stream : streams_) {
    const auto& of_stream = stream->carried.round_trip;
    if (stream->ending || stream->over || !of_stream.has_value()) continue;
    least = std::min(*of_stream, least.value_or(*of_stream));
  }
  return least.value_or(std::chrono::microseconds(0));
}

// Compressed as what came so far.
std::uint64_t Client::left_on_wire(const ReceiverSlot::Progress& progress) const {
  if (!progress.left_bytes.has_value()) return StreamController::kUnknown;
  const std::uint64_t left = *progress.left_bytes;
  const std::uint64_t came = progress.taken_bytes;
  if (came <= carried_bytes_) return left;
  return static_cast<std::uint64_t>(
      static_cast<double>(left) * static_cast<double>(carried_bytes_) / static_cast<double>(came));
}

}  // namespace wormhole::transfer
