#include "transfer/hostile_peer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "wire/frame_header.h"

namespace wormhole::transfer::testing {
namespace {

session::JoinCode code_of(std::string_view text) {
  auto code = session::JoinCode::parse(text);
  WH_CHECK(code.has_value());
  return *code;
}

platform::ListenSocket listen_on_loopback() {
  auto socket = platform::ListenSocket::open("127.0.0.1", 0);
  WH_CHECK(socket.has_value());
  return std::move(*socket);
}

}  // namespace

Peer::Peer(std::unique_ptr<session::Connection> connection)
    : connection_(std::move(connection)), block_(pool_.acquire()), out_block_(pool_.acquire()) {}

bool Peer::say(const wire::Message& message, std::uint32_t frame_request) {
  // Where it leaves from: a flood would mostly be allocating otherwise.
  const auto size = wire::encode(message, out_block_.payload());
  WH_CHECK(size.has_value());
  return send({.payload_bytes = static_cast<std::uint32_t>(*size),
               .type = wire::FrameType::kControl,
               .request = frame_request});
}

bool Peer::say_bytes(Bytes payload) {
  return frame({.payload_bytes = 0, .type = wire::FrameType::kControl}, payload);
}

bool Peer::frame(wire::FrameHeader header, Bytes payload) {
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  std::ranges::copy(payload, out_block_.payload().begin());
  return send(header);
}

bool Peer::send(const wire::FrameHeader& header) {
  const bool sent = connection_->writer->send(header, out_block_).has_value();
  const MutableBytes whole = out_block_.around(wire::kFrameHeaderBytes, header.payload_bytes,
                                               wire::tags_bytes(header.type));
  last_frame_.assign(whole.begin(), whole.end());
  return sent;
}

bool Peer::data(std::uint32_t request, std::uint64_t file, std::uint64_t offset,
                std::string_view bytes) {
  return frame({.payload_bytes = 0,
                .type = wire::FrameType::kData,
                .request = request,
                .file = file,
                .offset = offset},
               as_bytes(bytes));
}

bool Peer::hole(std::uint32_t request, std::uint64_t file, std::uint64_t offset,
                std::uint64_t length) {
  ByteVector payload(sizeof length);
  store_le(payload.data(), length);
  return frame({.payload_bytes = 0,
                .type = wire::FrameType::kHole,
                .request = request,
                .file = file,
                .offset = offset},
               payload);
}

bool Peer::pack(std::uint32_t request, std::uint64_t file, std::uint32_t length,
                std::string_view bytes) {
  ByteVector payload(16);
  store_le<std::uint64_t>(payload.data(), file);
  store_le<std::uint32_t>(payload.data() + 8, length);
  const Bytes tail = as_bytes(bytes);
  payload.insert(payload.end(), tail.begin(), tail.end());
  return frame({.payload_bytes = 0, .type = wire::FrameType::kPack, .request = request}, payload);
}

bool Peer::plain(std::uint32_t request, std::uint64_t file, std::uint64_t offset,
                 std::string_view bytes) {
  return frame({.payload_bytes = 0,
                .type = wire::FrameType::kPlain,
                .request = request,
                .file = file,
                .offset = offset},
               as_bytes(bytes));
}

bool Peer::end_stream() {
  return frame({.payload_bytes = 0, .type = wire::FrameType::kEndStream}, {});
}

bool Peer::raw(Bytes bytes) { return connection_->socket.send_all(bytes).has_value(); }

std::optional<wire::FrameHeader> Peer::receive() {
  const auto header = connection_->reader->receive(block_);
  if (!header.has_value()) return std::nullopt;
  return *header;
}

std::optional<wire::Message> Peer::hear() {
  while (const auto header = receive()) {
    if (header->type != wire::FrameType::kControl) continue;
    auto message = wire::decode(Bytes(block_.payload()).first(header->payload_bytes));
    if (!message.has_value() || !note(*message)) return std::nullopt;
    return std::move(*message);
  }
  return std::nullopt;
}

void Peer::begin_put(const wire::Put& put, const wire::Hello& hello) {
  say(hello);
  say(put);
  answers_ = PutAnswers{};
}

bool Peer::note(const wire::Message& message) {
  if (!answers_.has_value()) return true;
  if (const auto* failed = std::get_if<wire::NotTaken>(&message)) {
    answers_->failed.emplace(failed->path, failed->code);
  }
  if (const auto* taken = std::get_if<wire::Taken>(&message)) answers_->is_taken = taken->last;
  if (const auto* refused = std::get_if<wire::Refused>(&message)) answers_->refused = *refused;
  return !answers_->is_taken && !answers_->refused.has_value();
}

void Peer::wait_for_end() {
  if (answers_.has_value()) {
    const bool is_over = answers_->is_taken || answers_->refused.has_value();
    while (!is_over && hear().has_value()) {
    }
    return;
  }
  while (receive().has_value()) {
  }
}

EvilHost::EvilHost(Script script, std::string_view code)
    : script_(std::move(script)), codes_(code_of(code), random_, clock_) {
  platform::ListenSocket socket = listen_on_loopback();
  address_ = socket.local();
  listener_ =
      std::make_unique<session::Listener>(std::move(socket), codes_, *this, clock_, random_);
  thread_ = std::thread([this] { WH_CHECK(listener_->run().has_value()); });
}

EvilHost::~EvilHost() {
  listener_->stop();
  thread_.join();
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
    for (const auto& peer : peers_) peer->hang_up();
    for (const auto& stream : streams_) stream->socket.shut_down();
    stream_came_.notify_all();
  }
  for (std::thread& script : scripts_) script.join();
}

void EvilHost::on_session(std::unique_ptr<session::Connection> first) {
  const std::scoped_lock lock(mutex_);
  peers_.push_back(std::make_unique<Peer>(std::move(first)));
  Peer& peer = *peers_.back();
  scripts_.emplace_back([this, &peer] { script_(*this, peer); });
}

void EvilHost::on_stream(std::unique_ptr<session::Connection> stream) {
  const std::scoped_lock lock(mutex_);
  streams_.push_back(std::move(stream));
  stream_came_.notify_all();
}

std::unique_ptr<Peer> EvilHost::next_stream() {
  std::unique_ptr<Peer> peer;
  {
    std::unique_lock lock(mutex_);
    stream_came_.wait(lock, [&] { return closing_ || !streams_.empty(); });
    if (streams_.empty()) return nullptr;
    peer = std::make_unique<Peer>(std::move(streams_.front()));
    streams_.pop_front();
  }
  if (!peer->hear_a<wire::Join>().has_value()) return nullptr;
  return peer;
}

}  // namespace wormhole::transfer::testing
