#include "transfer/host_session.h"

#include <algorithm>

#include "base/limits.h"
#include "base/start_thread.h"
#include "transfer/stream_join.h"

namespace wormhole::transfer {
namespace {

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "serve client", .detail = std::string(why)};
}

}  // namespace

HostSession::HostSession(const Shares& shares, BlockPool& pool, Codecs& codecs, const Clock& clock,
                         Watchdog& watchdog, PutRuns& runs, const store::UserSecret& secret,
                         const session::HostIdentity& identity,
                         std::unique_ptr<session::Connection> first, const HostOptions& options,
                         std::function<void()> on_over)
    : options_(options),
      pool_(pool),
      watchdog_(watchdog),
      secret_(secret),
      identity_(identity),
      on_over_(std::move(on_over)),
      first_(std::move(first)),
      peer_(first_->socket.peer()),
      control_(*first_->writer, pool),
      giving_(shares, *first_->writer, control_, codecs, clock),
      put_(shares, options.access, runs, control_, codecs, clock, [this] {
        end(fail({.code = Code::kLost,
                  .operation = "serve client",
                  .detail = "the same command has come back meanwhile"}));
      }) {}

Result<void> HostSession::start() {
  WH_TRY(start_thread(reader_, [this] { run_reader(); }));
  return start_thread(writer_, [this] { run_writer(); });
}

HostSession::~HostSession() {
  stop();
  if (reader_.joinable()) reader_.join();
  if (writer_.joinable()) writer_.join();
  // No stream is added any more: stop() closed that door.
  for (Stream& stream : streams_) stream.thread.join();
  put_.wait_for_end();  // an attempt that comes after it may still call end()
}

void HostSession::stop() { end(fail({.code = Code::kInterrupted, .operation = "serve client"})); }

void HostSession::end(Result<void> how) {
  // With a goodbye, nothing of a put is under way any more.
  const Error why = how.has_value() ? Error{.code = Code::kLost, .operation = "take"} : how.error();
  {
    std::scoped_lock lock(mutex_);
    if (ending_.has_value()) return;
    ending_ = std::move(how);
    first_->socket.shut_down();
    for (const Stream& stream : streams_) {
      if (stream.connection != nullptr) stream.connection->socket.shut_down();
    }
  }
  giving_.giver().stop();
  put_.stop(why);
  control_.close();
  on_over_();
}

void HostSession::run_reader() {
  const auto result = read_requests();
  end(result);
}

void HostSession::run_writer() {
  const auto result = control_.run(&giving_.first_connection());
  if (!result.has_value()) end(result);
}

Result<void> HostSession::read_requests() {
  Block block = pool_.acquire();
  Watchdog::Watch watch(watchdog_, [this] { first_->socket.shut_down(); });
  while (true) {
    watch.waiting();
    WH_ASSIGN(const auto header, first_->reader->receive(block));
    watch.busy();
    if (header.type != wire::FrameType::kControl) {
      WH_TRY(on_data(header, block, /*on_first_connection=*/true));
      continue;
    }
    WH_ASSIGN(auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
    if (std::holds_alternative<wire::Bye>(message)) return {};
    WH_TRY(on_message(message));
    WH_TRY(control_.check_read());
  }
}

Result<void> HostSession::on_data(const wire::FrameHeader& header, Block& block,
                                  bool on_first_connection) {
  const bool is_unsealed =
      header.type == wire::FrameType::kPlain || header.type == wire::FrameType::kDamaged;
  if (is_unsealed && !plain_) return fail(broken("unencrypted data that was not agreed on"));
  return put_.on_frame(header, block, on_first_connection);
}

Result<void> HostSession::on_hello(const wire::Hello& hello) {
  if (greeted_) return fail(broken("a second Hello"));
  if (hello.version != wire::kProtocolVersion) {
    return fail({.code = Code::kVersion,
                 .operation = "serve client",
                 .detail = "it speaks another version of the protocol"});
  }
  greeted_ = true;
  plain_ = hello.unencrypted && options_.allow_plain;
  giving_.agree(plain_, (hello.features & wire::kFeatureCompression) != 0);
  if ((hello.features & wire::kFeatureHardLinks) != 0) giving_.giver().tell_hard_links();
  if ((hello.features & wire::kFeatureCopies) != 0) {
    const auto round_trip = first_->socket.least_round_trip();
    giving_.giver().find_copies(round_trip.has_value() && *round_trip >= options_.long_path);
  }
  if (hello.proof.has_value()) {
    if (!session::is_proven(*hello.proof, first_->session_id, session::Role::kDialler)) {
      return fail(broken("its proof of who it is does not fit"));
    }
    put_.name_versions(VersionNames(secret_, hello.proof->key));
  }
  std::uint64_t features = 0;
  if (first_->is_loss_based) features |= wire::kFeatureLossBased;
  if (options_.access.writing != Writing::kNone) {
    features |= wire::kFeatureHardLinks | wire::kFeatureCompression;
  }
  if (options_.access.writing == Writing::kAll) features |= wire::kFeatureCopies;
  // As many as it likes: whether there is room is seen when each comes (Host::on_stream).
  control_.push(wire::Hello{.features = features,
                            .streams_max = hello.streams_max,
                            .unencrypted = options_.allow_plain,
                            .proof = identity_.prove(first_->session_id, session::Role::kHost)});
  return {};
}

Result<void> HostSession::on_message(wire::Message& message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message)) return on_hello(*hello);
  if (!greeted_) return fail(broken("no Hello came first"));
  if (std::holds_alternative<wire::Ping>(message)) return {};
  if (const auto* end_stream = std::get_if<wire::EndStream>(&message)) {
    giving_.giver().end_stream(end_stream->stream);
    return {};
  }
  if (const auto* put = std::get_if<wire::Put>(&message)) return put_.on_put(*put);
  WH_ASSIGN(const bool was_put, put_.on_message(message));
  if (was_put) return {};
  const bool asks =
      std::holds_alternative<wire::Get>(message) || std::holds_alternative<wire::List>(message);
  if (asks && options_.access.writing == Writing::kAdds) {
    control_.push(wire::Refused{wire::request_of(message), wire::FailureCode::kNotAllowed,
                                "this share takes files and shows none"});
    return {};
  }
  WH_ASSIGN(const bool was_for_giver, giving_.on_message(message));
  if (was_for_giver) return {};
  return fail(broken("unexpected message " + std::string(wire::message_name(message))));
}

std::unique_ptr<session::Connection> HostSession::add_stream(
    std::unique_ptr<session::Connection> stream) {
  std::scoped_lock lock(mutex_);
  if (ending_.has_value()) return nullptr;  // closes it
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
  if (!start_thread(added.thread, [this, &added] { run_stream(added); }).has_value()) {
    stream = std::move(added.connection);
    streams_.pop_back();
    return stream;
  }
  streams_at_most_ = std::max(streams_at_most_, standing_streams());
  return nullptr;
}

std::size_t HostSession::standing_streams() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      streams_, [](const Stream& stream) { return stream.connection != nullptr; }));
}

void HostSession::run_stream(Stream& stream) {
  session::Connection& connection = *stream.connection;
  const auto result = serve(connection);
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

Result<void> HostSession::serve(session::Connection& connection) {
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
  return join->gives ? take_all(connection, block) : giving_.send_all(connection, block);
}

// Whoever gives on a stream must know that it is let in: what is sent on one that is not would be
// missed by nobody.
Result<void> HostSession::take_all(session::Connection& connection, Block& block) {
  if (options_.access.writing == Writing::kNone) return fail(broken("data for a read-only share"));
  WH_TRY(send_join(connection, block, /*gives=*/false));
  while (true) {
    WH_ASSIGN(const auto header, connection.reader->receive(block));
    if (header.type == wire::FrameType::kEndStream) return connection.reader->expect_end();
    WH_TRY(on_data(header, block, /*on_first_connection=*/false));
  }
}

HostSession::Status HostSession::status() const {
  const GivenCounters& counters = giving_.counters();
  Status status;
  status.peer = peer_;
  status.data_bytes = counters.data_bytes;
  status.files = counters.files;
  status.taken_bytes = put_.taken_bytes();
  status.taken_files = put_.taken_files();
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
