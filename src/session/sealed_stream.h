// Sealed frames over one TCP connection: what everything above the session speaks.
//
// Sealing and opening happen in place in the caller's block; a frame leaves by one send and
// arrives by one receive (two when nothing is known to follow). Nonces are implicit counters,
// so a frame that is lost, repeated, reordered or moved to another stream does not open.
// A kPlain frame's payload travels in clear; header and payload have a tag each. What is wrong with
// the payload alone costs no more than that: the frame comes as kDamaged.
//
// SealedWriter: one thread at a time. SealedReader: one thread. The two of a stream are
// independent of each other. The socket outlives both.
// Errors: kLost when the connection ended or broke (also an end where none was announced), a
// header is malformed or a tag does not fit (nothing of that frame is visible: the block is
// wiped), kProtocol when more is awaited than there can be, kCrypto when the cipher failed. After
// any error every later call fails the same way: the stream is dead.
//
// Source: docs/formats/frame.md; nonces as RFC 8446 section 5.3, rekeying as section 7.2.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/block.h"
#include "base/result.h"
#include "platform/socket.h"
#include "wire/frame_header.h"

namespace wormhole::session {

class FrameSealer;  // session/frame_cipher.h
class FrameOpener;

class SealedWriter {
 public:
  SealedWriter(const platform::Socket& socket, std::unique_ptr<FrameSealer> sealer);
  ~SealedWriter();
  SealedWriter(const SealedWriter&) = delete;
  SealedWriter& operator=(const SealedWriter&) = delete;

  // Seals the first header.payload_bytes of block.payload() in place and sends the frame.
  // The block holds ciphertext afterwards (kPlain: what it held).
  [[nodiscard]] Result<void> send(const wire::FrameHeader& header, Block& block);

  // Bytes handed to the kernel that the peer has not acknowledged; 0 where unknown.
  [[nodiscard]] std::uint64_t backlog_bytes() const { return socket_.unacknowledged_bytes(); }

  // Bytes handed to the kernel so far, framing included. Any thread.
  [[nodiscard]] std::uint64_t wire_bytes() const { return wire_bytes_; }

 private:
  Result<void> die(Error error);

  const platform::Socket& socket_;
  std::unique_ptr<FrameSealer> sealer_;
  std::optional<Error> dead_;
  std::atomic<std::uint64_t> wire_bytes_ = 0;
};

class SealedReader {
 public:
  // `early`: bytes that arrived behind the handshake and already belong to frames.
  SealedReader(const platform::Socket& socket, std::unique_ptr<FrameOpener> opener,
               ByteVector early);
  ~SealedReader();
  SealedReader(const SealedReader&) = delete;
  SealedReader& operator=(const SealedReader&) = delete;

  // Waits for the next frame; its payload stands opened at the front of block.payload(). The type
  // is kDamaged where a kPlain frame's payload did not fit its tag.
  [[nodiscard]] Result<wire::FrameHeader> receive(Block& block);

  // Waits for FIN after a kEndStream frame; anything else is kProtocol.
  [[nodiscard]] Result<void> expect_end();

  [[nodiscard]] std::uint64_t wire_bytes() const { return wire_bytes_; }

 private:
  struct State;
  // Fills both from the early bytes, then from the socket. Fewer only at the connection's end.
  [[nodiscard]] Result<std::size_t> fill(MutableBytes first, MutableBytes second);
  [[nodiscard]] Result<wire::FrameHeader> receive_frame(Block& block);

  const platform::Socket& socket_;
  std::unique_ptr<FrameOpener> opener_;
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> wire_bytes_ = 0;
};

}  // namespace wormhole::session
