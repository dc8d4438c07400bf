#include "session/sealed_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <thread>

#include "session/frame_cipher.h"

namespace wormhole::session {
namespace {

using platform::ListenSocket;
using platform::Socket;
using wire::FrameHeader;
using wire::FrameType;

constexpr std::size_t kOverheadBytes = wire::kFrameHeaderBytes + wire::kFrameTagBytes;

// Both ends of a connection over loopback.
struct Link {
  Socket near, far;

  static Link make() {
    auto listening = ListenSocket::open("127.0.0.1", 0).value();
    auto near = Socket::connect({listening.local()},
                                std::chrono::steady_clock::now() + std::chrono::minutes(5))
                    .value();
    std::optional<Socket> far;
    while (!far) far = std::move(listening.accept()).value();
    far->set_blocking(true);
    return {std::move(near), std::move(*far)};
  }
};

std::unique_ptr<FrameSealer> sealer(unsigned char secret = 1) {
  std::array<std::byte, kTrafficSecretBytes> bytes;
  bytes.fill(std::byte{secret});
  return make_sealer(Suite::kAes256Gcm, TrafficSecret(bytes)).value();
}
std::unique_ptr<FrameOpener> opener(unsigned char secret = 1) {
  std::array<std::byte, kTrafficSecretBytes> bytes;
  bytes.fill(std::byte{secret});
  return make_opener(Suite::kAes256Gcm, TrafficSecret(bytes)).value();
}

ByteVector content(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  ByteVector bytes(size);
  for (std::byte& byte : bytes) byte = std::byte(generator());
  return bytes;
}

struct Frame {
  FrameHeader header;
  ByteVector payload;
};
Frame data_frame(std::size_t size, bool followed = false, std::uint64_t offset = 0) {
  return {{.payload_bytes = static_cast<std::uint32_t>(size),
           .type = FrameType::kData,
           .followed = followed,
           .request = 7,
           .file = 9,
           .offset = offset},
          content(size, size + offset)};
}
Frame plain_frame(std::size_t size, bool followed = false, std::uint64_t offset = 0) {
  Frame frame = data_frame(size, followed, offset);
  frame.header.type = FrameType::kPlain;
  return frame;
}
const Frame kEnd{{.payload_bytes = 0, .type = FrameType::kEndStream}, {}};

Result<void> send(SealedWriter& writer, BlockPool& pool, const Frame& frame) {
  Block block = pool.acquire();
  std::ranges::copy(frame.payload, block.payload().begin());
  return writer.send(frame.header, block);
}

// The bytes that these frames are on the wire, all of one stream.
std::vector<ByteVector> sealed(const std::vector<Frame>& frames, unsigned char secret = 1) {
  BlockPool pool(1);
  Link link = Link::make();
  SealedWriter writer(link.near, sealer(secret));
  std::vector<ByteVector> all;
  for (const Frame& frame : frames) {
    std::jthread sends([&] { ASSERT_TRUE(send(writer, pool, frame)); });
    ByteVector bytes(wire::kFrameHeaderBytes + frame.payload.size() +
                     wire::tags_bytes(frame.header.type));
    EXPECT_EQ(link.far.receive_all(bytes, {}).value(), bytes.size());
    all.push_back(std::move(bytes));
  }
  return all;
}

ByteVector joined(const std::vector<ByteVector>& parts) {
  ByteVector all;
  for (const ByteVector& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// A reader whose connection carries what the test puts there.
class Receiving {
 public:
  explicit Receiving(ByteVector early = {}, std::unique_ptr<FrameOpener> opens = opener())
      : link_(Link::make()), reader_(link_.far, std::move(opens), std::move(early)) {}

  void put(Bytes raw) { ASSERT_TRUE(link_.near.send_all(raw)); }
  void finish() { link_.near.finish_sending(); }
  SealedReader& reader() { return reader_; }
  Bytes payload(std::size_t size) { return block_.payload().first(size); }

  void expect(const Frame& frame) {
    const auto header = reader_.receive(block_);
    ASSERT_TRUE(header.has_value()) << to_sentence(header.error());
    EXPECT_EQ(*header, frame.header);
    EXPECT_TRUE(as_text(payload(frame.payload.size())) == as_text(frame.payload));
  }
  // The next frame fails so, shows nothing of `hidden`, and the stream is dead.
  void expect_failure(std::vector<Code> codes, Bytes hidden = {}) {
    const auto header = reader_.receive(block_);
    ASSERT_FALSE(header.has_value());
    EXPECT_NE(std::ranges::find(codes, header.error().code), codes.end())
        << to_sentence(header.error());
    if (!hidden.empty()) {
      EXPECT_EQ(as_text(block_.payload()).find(as_text(hidden)), std::string_view::npos);
    }
    const Code first = header.error().code;
    EXPECT_EQ(reader_.receive(block_).error().code, first);
    EXPECT_EQ(reader_.expect_end().error().code, first);
  }

 private:
  Link link_;
  BlockPool pool_{1};
  Block block_ = pool_.acquire();
  SealedReader reader_;
};

// --- what arrives

TEST(SealedStream, FramesOfEverySizeArrive) {
  BlockPool pool(2);
  Link link = Link::make();
  SealedWriter writer(link.near, sealer());
  SealedReader reader(link.far, opener(), {});
  const std::size_t sizes[] = {0, 1, 15, 16, 17, 4095, 4096, 65536, kBlockBytes - 1, kBlockBytes};
  std::uint64_t bytes = 0;
  std::vector<Frame> frames;
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : sizes) {
      frames.push_back(data_frame(size, round == 1, static_cast<std::uint64_t>(round)));
      bytes += size + kOverheadBytes;
    }
  }
  frames.push_back(kEnd);
  bytes += kOverheadBytes;
  std::jthread sends([&] {
    for (const Frame& frame : frames) ASSERT_TRUE(send(writer, pool, frame));
    link.near.finish_sending();
  });
  Block block = pool.acquire();
  for (const Frame& frame : frames) {
    const auto header = reader.receive(block);
    ASSERT_TRUE(header.has_value()) << to_sentence(header.error());
    ASSERT_EQ(*header, frame.header);
    ASSERT_TRUE(as_text(block.payload().first(frame.payload.size())) == as_text(frame.payload));
  }
  EXPECT_TRUE(reader.expect_end());
  sends.join();
  EXPECT_EQ(writer.wire_bytes(), bytes);
  EXPECT_EQ(reader.wire_bytes(), bytes);
}

TEST(SealedStream, TheBlockHoldsCiphertextAfterSending) {
  BlockPool pool(1);
  Link link = Link::make();
  SealedWriter writer(link.near, sealer());
  const Frame frame = data_frame(1000);
  Block block = pool.acquire();
  std::ranges::copy(frame.payload, block.payload().begin());
  ASSERT_TRUE(writer.send(frame.header, block));
  EXPECT_FALSE(as_text(block.payload().first(1000)) == as_text(frame.payload));
}

TEST(SealedStream, BytesMayArriveSplitAnywhere) {
  const std::vector<Frame> frames = {data_frame(3, true), data_frame(0, true, 1),
                                     data_frame(5, false, 2), kEnd};
  const ByteVector raw = joined(sealed(frames));
  for (std::size_t split = 0; split <= raw.size(); ++split) {
    SCOPED_TRACE(split);
    Receiving to;
    to.put(Bytes(raw).first(split));
    std::jthread rest([&] {
      to.put(Bytes(raw).subspan(split));
      to.finish();
    });
    for (const Frame& frame : frames) to.expect(frame);
    EXPECT_TRUE(to.reader().expect_end());
  }
}

TEST(SealedStream, BytesThatCameWithTheHandshakeComeFirst) {
  const std::vector<Frame> frames = {data_frame(3, true), data_frame(0, true, 1),
                                     data_frame(5, false, 2), kEnd};
  const ByteVector raw = joined(sealed(frames));
  for (std::size_t split = 0; split <= raw.size(); ++split) {
    SCOPED_TRACE(split);
    Receiving to(ByteVector(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(split)));
    to.put(Bytes(raw).subspan(split));
    to.finish();
    for (const Frame& frame : frames) to.expect(frame);
    EXPECT_TRUE(to.reader().expect_end());
    EXPECT_EQ(to.reader().wire_bytes(), raw.size());
  }
}

TEST(SealedStream, EveryMixOfFollowedAndNotArrives) {
  constexpr std::size_t kFrames = 6;
  for (unsigned mix = 0; mix < 1U << kFrames; ++mix) {
    std::vector<Frame> frames;
    for (std::size_t i = 0; i < kFrames; ++i) {
      frames.push_back(data_frame(11 * i, (mix >> i & 1) != 0, i));
    }
    frames.push_back(kEnd);
    Receiving to;
    to.put(joined(sealed(frames)));
    to.finish();
    for (const Frame& frame : frames) to.expect(frame);
    EXPECT_TRUE(to.reader().expect_end());
  }
}

TEST(SealedStream, AFrameThatIsNotFollowedArrivesWithoutMoreBytes) {
  Receiving to;
  const Frame frame = data_frame(100);
  to.put(sealed({frame})[0]);
  to.expect(frame);  // would wait for ever if it asked for the next header
}

// --- what does not

TEST(SealedStream, RepeatedReorderedReflectedAndMovedFramesAreRefused) {
  const std::vector<Frame> frames = {data_frame(40, false, 0), data_frame(40, false, 1)};
  const std::vector<ByteVector> mine = sealed(frames, 1);
  const std::vector<ByteVector> other = sealed(frames, 2);  // another stream, or our own sending
  {
    Receiving to;
    to.put(joined({mine[0], mine[0]}));
    to.expect(frames[0]);
    to.expect_failure({Code::kLost}, frames[0].payload);
  }
  {
    Receiving to;
    to.put(joined({mine[1], mine[0]}));
    to.expect_failure({Code::kLost}, frames[1].payload);
  }
  {
    Receiving to;
    to.put(other[0]);
    to.expect_failure({Code::kLost}, frames[0].payload);
  }
  {
    Receiving to;
    to.put(joined({mine[0], other[1]}));
    to.expect(frames[0]);
    to.expect_failure({Code::kLost}, frames[1].payload);
  }
}

TEST(SealedStream, EveryFlippedBitIsRefused) {
  const Frame frame = data_frame(33, true);
  const std::vector<ByteVector> raw = sealed({frame, kEnd});
  for (std::size_t bit = 0; bit < 8 * raw[0].size(); ++bit) {
    SCOPED_TRACE(bit);
    ByteVector bad = joined(raw);
    bad[bit / 8] ^= std::byte(1U << (bit % 8));
    Receiving to;
    to.put(bad);
    to.finish();
    // A length that grew meets the end; everything else is caught by header or tag.
    to.expect_failure({Code::kLost}, frame.payload);
  }
}

TEST(SealedStream, AnEndInsideOrBetweenFramesIsALoss) {
  const std::vector<Frame> frames = {data_frame(20, true), data_frame(20, false, 1)};
  const std::vector<ByteVector> raw = sealed(frames);
  const ByteVector all = joined(raw);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    SCOPED_TRACE(cut);
    Receiving to;
    to.put(Bytes(all).first(cut));
    to.finish();
    if (cut >= raw[0].size()) to.expect(frames[0]);
    if (cut >= all.size()) to.expect(frames[1]);
    to.expect_failure({Code::kLost});
  }
}

TEST(SealedStream, ABadHeaderIsRefusedBeforeItsPayloadIsAwaited) {
  Receiving to;
  ByteVector raw = sealed({data_frame(40)})[0];
  store_le(raw.data(), static_cast<std::uint32_t>(kBlockBytes + 1));
  to.put(Bytes(raw).first(wire::kFrameHeaderBytes));  // nothing more, and no end
  to.expect_failure({Code::kLost});
}

TEST(SealedStream, TheEndMustBeAnnouncedAndFinal) {
  const std::vector<Frame> frames = {kEnd, data_frame(10)};
  const std::vector<ByteVector> raw = sealed(frames);
  {
    Receiving to;  // bytes after the last frame
    to.put(joined(raw));
    to.expect(kEnd);
    EXPECT_EQ(to.reader().expect_end().error().code, Code::kLost);
  }
  {
    Receiving to;  // a frame awaited after the last one
    to.put(joined(raw));
    to.expect(kEnd);
    to.expect_failure({Code::kProtocol}, frames[1].payload);
  }
  {
    Receiving to;  // FIN without kEndStream
    to.finish();
    EXPECT_EQ(to.reader().expect_end().error().code, Code::kProtocol);
  }
}

// --- failing ciphers and sockets

class FailingCipher final : public FrameSealer, public FrameOpener {
 public:
  Result<void> seal(Bytes, MutableBytes payload, std::span<std::byte, kTagBytes>) override {
    std::ranges::fill(payload, std::byte{0});
    return fail({.code = Code::kCrypto, .operation = "seal frame"});
  }
  Result<void> open(Bytes, MutableBytes payload, std::span<const std::byte, kTagBytes>) override {
    std::ranges::fill(payload, std::byte{0});
    return fail({.code = Code::kCrypto, .operation = "open frame"});
  }
  Result<bool> is_authentic(Bytes, std::span<const std::byte, kTagBytes>) override {
    return fail({.code = Code::kCrypto, .operation = "check frame"});
  }
};

TEST(SealedStream, AFailingCipherSendsNothing) {
  BlockPool pool(1);
  Link link = Link::make();
  SealedWriter writer(link.near, std::make_unique<FailingCipher>());
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(send(writer, pool, data_frame(100)).error().code, Code::kCrypto);
  }
  EXPECT_EQ(writer.wire_bytes(), 0U);
  link.near.finish_sending();
  std::array<std::byte, 1> any;
  EXPECT_EQ(link.far.receive_some(any).value(), 0U);
}

TEST(SealedStream, AFailingCipherShowsNothing) {
  for (const Frame& frame : {data_frame(100), plain_frame(100)}) {
    Receiving to({}, std::make_unique<FailingCipher>());
    to.put(sealed({frame})[0]);
    to.expect_failure({Code::kCrypto}, frame.payload);
  }
}

// The header's tag fits, and then the library fails.
TEST(SealedStream, ACipherThatFailsOverThePayloadShowsNothing) {
  class HalfFailing final : public FrameOpener {
   public:
    Result<void> open(Bytes, MutableBytes, std::span<const std::byte, kTagBytes>) override {
      return {};
    }
    Result<bool> is_authentic(Bytes, std::span<const std::byte, kTagBytes>) override {
      return fail({.code = Code::kCrypto, .operation = "check frame"});
    }
  };
  const Frame frame = plain_frame(100);
  Receiving to({}, std::make_unique<HalfFailing>());
  to.put(sealed({frame})[0]);
  to.expect_failure({Code::kCrypto}, frame.payload);
}

TEST(SealedStream, AWriterWhoseConnectionIsGoneIsDead) {
  BlockPool pool(1);
  Link link = Link::make();
  SealedWriter writer(link.near, sealer());
  link.near.shut_down();
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(send(writer, pool, data_frame(100)).error().code, Code::kLost);
  }
}

// --- payloads in clear

TEST(SealedStream, PlainFramesOfEverySizeArriveAmongOthers) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{5000}, kBlockBytes}) {
    SCOPED_TRACE(size);
    const std::vector<Frame> frames = {data_frame(50, true), plain_frame(size, true, 1),
                                       plain_frame(size, false, 2), data_frame(60, false, 3), kEnd};
    const ByteVector raw = joined(sealed(frames));
    EXPECT_FALSE(std::ranges::search(raw, frames[1].payload).empty()) << "not in clear";
    EXPECT_EQ(raw.size(), 50 + 60 + 2 * size + 5 * kOverheadBytes + 2 * wire::kFrameTagBytes);
    Receiving to;
    std::jthread puts([&] { to.put(raw); });
    for (const Frame& frame : frames) to.expect(frame);
  }
}

TEST(SealedStream, ADamagedPayloadCostsNoMoreThanItself) {
  const std::vector<Frame> frames = {plain_frame(40), plain_frame(30, false, 1), kEnd};
  const std::vector<ByteVector> raw = sealed(frames);
  // The payload, and its own tag, which is the last.
  for (std::size_t at = wire::kFrameHeaderBytes; at < raw[0].size(); ++at) {
    const std::size_t first_tag = wire::kFrameHeaderBytes + 40;
    if (at >= first_tag && at < first_tag + wire::kFrameTagBytes) continue;
    SCOPED_TRACE(at);
    std::vector<ByteVector> damaged = raw;
    damaged[0][at] ^= std::byte{4};
    Receiving to;
    to.put(joined(damaged));
    to.expect({{.payload_bytes = 40,
                .type = FrameType::kDamaged,
                .request = frames[0].header.request,
                .file = frames[0].header.file},
               ByteVector(40)});  // wiped
    to.expect(frames[1]);
    to.expect(frames[2]);
  }
}

TEST(SealedStream, APlainFrameWhoseHeaderWasAlteredKillsTheStream) {
  const Frame frame = plain_frame(40);
  const ByteVector raw = joined(sealed({frame, kEnd}));
  for (std::size_t at = 0; at < wire::kFrameHeaderBytes + 40 + wire::kFrameTagBytes; ++at) {
    if (at >= wire::kFrameHeaderBytes && at < wire::kFrameHeaderBytes + 40) continue;
    SCOPED_TRACE(at);
    ByteVector altered = raw;
    altered[at] ^= std::byte{1};
    Receiving to;
    to.put(altered);
    to.finish();
    // A header that promises more than came is a loss; every other is refused.
    to.expect_failure({Code::kLost}, frame.payload);
  }
}

// A sealed frame relabelled as a plain one, its bytes cut as that type has them: as a damaged range
// it would leave the stream unnoticed.
TEST(SealedStream, NoFrameCanBePassedOffAsADamagedOne) {
  const ByteVector raw = joined(sealed({data_frame(100), data_frame(100, false, 1)}));
  for (const std::size_t payload : {std::size_t{1}, std::size_t{50}, std::size_t{84}}) {
    ByteVector forged = raw;
    store_le(forged.data(), static_cast<std::uint32_t>(payload));
    forged[4] = std::byte(FrameType::kPlain);
    Receiving to;
    to.put(forged);
    to.expect_failure({Code::kLost});
  }
}

TEST(SealedStream, PlainFramesThatAreRepeatedReorderedOrMovedKillTheStream) {
  const std::vector<Frame> frames = {plain_frame(40), plain_frame(40, false, 1)};
  const std::vector<ByteVector> raw = sealed(frames);
  const std::vector<ByteVector> other = sealed(frames, 2);
  for (const ByteVector& wrong : {raw[0], other[1]}) {
    Receiving to;
    to.put(joined({raw[0], wrong}));
    to.expect(frames[0]);
    to.expect_failure({Code::kLost}, frames[0].payload);
  }
  Receiving to;
  to.put(joined({raw[1], raw[0]}));
  to.expect_failure({Code::kLost});
}

// The payload of one frame behind the header of another: the second tag counts as well.
TEST(SealedStream, APayloadOfAnotherFrameIsADamagedOne) {
  const std::vector<Frame> frames = {plain_frame(40), plain_frame(40, false, 1)};
  std::vector<ByteVector> raw = sealed(frames);
  const auto swap_part = [&](std::size_t at, std::size_t size) {
    std::swap_ranges(raw[0].begin() + static_cast<std::ptrdiff_t>(at),
                     raw[0].begin() + static_cast<std::ptrdiff_t>(at + size),
                     raw[1].begin() + static_cast<std::ptrdiff_t>(at));
  };
  swap_part(wire::kFrameHeaderBytes, 40);
  swap_part(wire::kFrameHeaderBytes + 40 + wire::kFrameTagBytes, wire::kFrameTagBytes);
  Receiving to;
  to.put(joined(raw));
  for (Frame frame : frames) {
    frame.header.type = FrameType::kDamaged;
    to.expect({frame.header, ByteVector(40)});
  }
}

}  // namespace
}  // namespace wormhole::session
