#include "session/sealed_stream.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "session/frame_cipher.h"

namespace wormhole::session {
namespace {

static_assert(wire::kFrameTagBytes == kTagBytes);
static_assert(wire::kFrameHeaderBytes <= kBlockHeadroomBytes);
static_assert(wire::tags_bytes(wire::FrameType::kPlain) <= kBlockTailroomBytes);
static_assert(wire::kFramePayloadMaxBytes <= kBlockBytes);

auto lost(const platform::Socket& socket, std::string_view why) {
  return fail({.code = Code::kLost,
               .operation = "read frame",
               .object = socket.peer().to_string(),
               .detail = std::string(why),
               .advice = "run the same command again to continue"});
}

auto broken(const platform::Socket& socket, std::string_view why) {
  return fail({.code = Code::kProtocol,
               .operation = "read frame",
               .object = socket.peer().to_string(),
               .detail = std::string(why)});
}

using HeaderView = std::span<const std::byte, wire::kFrameHeaderBytes>;

// `body`: payload and tags, in place.
Result<void> seal(FrameSealer& sealer, const wire::FrameHeader& header, HeaderView head,
                  MutableBytes body) {
  const MutableBytes payload = body.first(header.payload_bytes);
  const auto first_tag = body.subspan(header.payload_bytes).first<kTagBytes>();
  if (header.type != wire::FrameType::kPlain) return sealer.seal(head, payload, first_tag);
  WH_TRY(sealer.seal(head, payload.first(0), first_tag));
  return sealer.seal(payload, payload.first(0), body.last<kTagBytes>());
}

// The type that the frame turns out to have. The header's tag comes first: who could pass another
// frame off as a damaged one would take it out of the stream unnoticed.
Result<wire::FrameType> open(FrameOpener& opener, const wire::FrameHeader& header, HeaderView head,
                             MutableBytes body) {
  const MutableBytes payload = body.first(header.payload_bytes);
  const auto first_tag = body.subspan(header.payload_bytes).first<kTagBytes>();
  if (header.type != wire::FrameType::kPlain) {
    WH_TRY(opener.open(head, payload, first_tag));
    return header.type;
  }
  const auto check = [&]() -> Result<bool> {
    WH_TRY(opener.open(head, payload.first(0), first_tag));
    return opener.is_authentic(payload, body.last<kTagBytes>());
  };
  const Result<bool> authentic = check();
  if (authentic.has_value() && *authentic) return header.type;
  std::ranges::fill(payload, std::byte{0});
  if (!authentic.has_value()) return fail(authentic.error());
  return wire::FrameType::kDamaged;
}

}  // namespace

SealedWriter::SealedWriter(const platform::Socket& socket, std::unique_ptr<FrameSealer> sealer)
    : socket_(socket), sealer_(std::move(sealer)) {}
SealedWriter::~SealedWriter() = default;

Result<void> SealedWriter::send(const wire::FrameHeader& header, Block& block) {
  if (dead_) return fail(*dead_);
  const MutableBytes frame =
      block.around(wire::kFrameHeaderBytes, header.payload_bytes, wire::tags_bytes(header.type));
  const auto head = frame.first<wire::kFrameHeaderBytes>();
  wire::encode(header, head);
  if (Result<void> sealed = seal(*sealer_, header, head, frame.subspan(wire::kFrameHeaderBytes));
      !sealed) {
    return die(std::move(sealed).error());
  }
  if (Result<void> sent = socket_.send_all(frame); !sent) return die(std::move(sent).error());
  wire_bytes_ += frame.size();
  return {};
}

Result<void> SealedWriter::die(Error error) {
  dead_ = std::move(error);
  return fail(*dead_);
}

struct SealedReader::State {
  ByteVector early;
  std::size_t early_taken = 0;
  // The header of the next frame, where it came together with the one before.
  std::array<std::byte, wire::kFrameHeaderBytes> header{};
  bool header_promised = false;
  std::size_t header_bytes = 0;
  bool ended = false;  // after kEndStream
  std::optional<Error> dead;

  // Moves what is left of the early bytes to the front of `out`; returns what remains to fill.
  MutableBytes take_early(MutableBytes out) {
    const std::size_t bytes = std::min(out.size(), early.size() - early_taken);
    std::copy_n(early.begin() + static_cast<std::ptrdiff_t>(early_taken), bytes, out.begin());
    early_taken += bytes;
    if (early_taken == early.size() && !early.empty()) {
      early = ByteVector();
      early_taken = 0;
    }
    return out.subspan(bytes);
  }
};

SealedReader::SealedReader(const platform::Socket& socket, std::unique_ptr<FrameOpener> opener,
                           ByteVector early)
    : socket_(socket), opener_(std::move(opener)), state_(std::make_unique<State>()) {
  state_->early = std::move(early);
}
SealedReader::~SealedReader() = default;

Result<std::size_t> SealedReader::fill(MutableBytes first, MutableBytes second) {
  const std::size_t wanted = first.size() + second.size();
  first = state_->take_early(first);
  second = state_->take_early(second);
  const std::size_t missing = first.size() + second.size();
  std::size_t received = 0;
  if (missing != 0) {
    WH_ASSIGN(received, socket_.receive_all(first, second));
  }
  const std::size_t bytes = wanted - missing + received;
  wire_bytes_ += bytes;
  return bytes;
}

Result<wire::FrameHeader> SealedReader::receive(Block& block) {
  if (state_->dead) return fail(*state_->dead);
  Result<wire::FrameHeader> received = receive_frame(block);
  if (!received) state_->dead = received.error();
  return received;
}

Result<wire::FrameHeader> SealedReader::receive_frame(Block& block) {
  State& state = *state_;
  if (state.ended) return broken(socket_, "a frame was awaited after the last one");
  if (!state.header_promised) {
    WH_ASSIGN(state.header_bytes, fill(state.header, {}));
  }
  state.header_promised = false;
  if (state.header_bytes < wire::kFrameHeaderBytes) {
    return lost(socket_, "the connection ended where a frame should start");
  }
  // A copy: the next header may be received into the state while this one is still needed.
  const std::array<std::byte, wire::kFrameHeaderBytes> head = state.header;
  const auto decoded = wire::decode(head);
  // No tag vouches for it yet: what damaged it may be the path, and what came is kept.
  if (!decoded) return lost(socket_, "it is damaged: " + decoded.error().detail);
  wire::FrameHeader header = *decoded;

  const MutableBytes body = block.around(0, header.payload_bytes, wire::tags_bytes(header.type));
  const MutableBytes next = header.followed ? MutableBytes(state.header) : MutableBytes();
  const Result<std::size_t> received = fill(body, next);
  if (!received || *received < body.size()) {
    std::ranges::fill(body, std::byte{0});  // ciphertext, but nobody's business either
    if (!received) return fail(received.error());
    return lost(socket_, "the connection ended inside a frame");
  }
  WH_ASSIGN(header.type, open(*opener_, header, head, body));
  // A next header that is missing or short is the next call's failure: this frame is whole.
  state.header_promised = header.followed;
  state.header_bytes = *received - body.size();
  state.ended = header.type == wire::FrameType::kEndStream;
  return header;
}

Result<void> SealedReader::expect_end() {
  if (state_->dead) return fail(*state_->dead);
  Result<void> result;
  std::array<std::byte, 1> surplus;
  if (!state_->ended) {
    result = broken(socket_, "the end was awaited before the last frame");
  } else if (Result<std::size_t> received = fill(surplus, {}); !received) {
    result = fail(std::move(received).error());
  } else if (*received != 0) {
    result = lost(socket_, "bytes after the last frame");  // nor for these
  }
  if (!result) state_->dead = result.error();
  return result;
}

}  // namespace wormhole::session
