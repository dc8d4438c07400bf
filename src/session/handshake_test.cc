#include "session/handshake.h"

#include <gtest/gtest.h>

#include "session/handshake_testing.h"

namespace wormhole::session {
namespace {

using testing::Ends;
using testing::established;
using testing::Exchange;
using testing::joining;
using testing::kBothSuites;
using testing::kCodeText;
using testing::kOnlyChaCha;
using testing::kWrongCodeText;
using testing::run;
using testing::same;
using testing::standing_session;
using testing::TestGate;
using testing::TestHost;

constexpr std::size_t kFlipsPerByte = 8;

// Carries the handshake with one bit of what travels one way changed; nobody may be done.
void expect_flip_breaks(TestGate& gate, ClientHandshake client, bool towards_host,
                        std::size_t bit) {
  TestHost host(gate);
  ByteVector up = client.take_output();
  if (towards_host) up[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  static_cast<void>(host.handshake.receive(up));
  ByteVector down = host.handshake.take_output();
  if (!towards_host) down[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  if (client.receive(down)) {
    // Whatever they still say, it must not end well on either side.
    for (int turn = 0; turn < 4; ++turn) {
      up = client.take_output();
      if (up.empty() || !host.handshake.receive(up)) up.clear();
      down = host.handshake.take_output();
      if (!down.empty() && (client.done() || !client.receive(down))) break;
    }
  }
  EXPECT_FALSE(client.done()) << "bit " << bit;
  EXPECT_FALSE(host.handshake.done()) << "bit " << bit;
}

TEST(Handshake, GivesBothEndsTheSameKeys) {
  TestGate gate;
  const Ends ends = established(gate);
  EXPECT_TRUE(same(ends.client.sending, ends.host.receiving));
  EXPECT_TRUE(same(ends.client.receiving, ends.host.sending));
  EXPECT_FALSE(same(ends.client.sending, ends.client.receiving));
  EXPECT_EQ(ends.client.session_id, ends.host.session_id);
  EXPECT_EQ(ends.client.stream, 0U);
  EXPECT_TRUE(ends.client.early.empty());
  EXPECT_TRUE(ends.host.early.empty());
  ASSERT_NE(ends.client.ticket, nullptr);
  ASSERT_NE(ends.host.ticket, nullptr);
  EXPECT_EQ(to_hex(ends.client.ticket->psk().bytes()), to_hex(ends.host.ticket->psk().bytes()));
  EXPECT_EQ(gate.reserved, 1);
  EXPECT_EQ(gate.right, 1);
  EXPECT_EQ(gate.wrong, 0);
}

TEST(Handshake, TakesOneRoundTripForEachExchange) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining();
  ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
  ASSERT_TRUE(client.receive(host.handshake.take_output()).has_value());
  EXPECT_TRUE(client.key_exchanged());
  ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
  ASSERT_TRUE(client.receive(host.handshake.take_output()).has_value());
  EXPECT_TRUE(client.done());  // and may send frames behind what it sends now
  ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
  EXPECT_TRUE(host.handshake.done());
  EXPECT_TRUE(host.handshake.take_output().empty());  // no ticket, nothing that is not a frame
}

TEST(Handshake, UsesAesOnlyWhereBothHaveIt) {
  TestGate gate;
  EXPECT_EQ(established(gate, kBothSuites, kBothSuites).host.suite, Suite::kAes256Gcm);
  EXPECT_EQ(established(gate, kOnlyChaCha, kBothSuites).host.suite, Suite::kChaCha20Poly1305);
  EXPECT_EQ(established(gate, kBothSuites, kOnlyChaCha).host.suite, Suite::kChaCha20Poly1305);
  EXPECT_EQ(established(gate, kBothSuites, kOnlyChaCha).client.suite, Suite::kChaCha20Poly1305);
}

TEST(Handshake, RefusesWhenNoSuiteIsShared) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining(kCodeText, Offer{.suites = 0x80});
  const Exchange exchange = run(client, host.handshake);
  EXPECT_EQ(exchange.client.error().code, Code::kVersion);
}

TEST(Handshake, IgnoresFeaturesItDoesNotKnow) {
  TestGate gate;
  const Offer from_the_future{.suites = kBothSuites.suites | 0x40, .features = 0xfffffffe};
  const Ends ends = established(gate, from_the_future, kBothSuites);
  EXPECT_TRUE(same(ends.client.sending, ends.host.receiving));
  const Ends other = established(gate, kBothSuites, from_the_future);
  EXPECT_TRUE(same(other.client.sending, other.host.receiving));
}

TEST(Handshake, RefusesAnotherVersionOnItsHeadAlone) {
  TestGate gate;
  TestHost host(gate);
  const Head hello = encode(HelloHead{.version = 2});
  const auto refused = host.handshake.receive(hello);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kVersion);

  ClientHandshake client = joining();
  const auto told = client.receive(host.handshake.take_output());
  ASSERT_FALSE(told.has_value());
  EXPECT_EQ(told.error().code, Code::kVersion);

  ClientHandshake meets_newer = joining();
  const auto newer = meets_newer.receive(encode(ReplyHead{.version = 2}));
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code, Code::kVersion);
  EXPECT_NE(to_sentence(newer.error()).find("version 2"), std::string::npos);
}

TEST(Handshake, AWrongCodeCostsOneGuessAndSaysSo) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining(kWrongCodeText);
  const Exchange exchange = run(client, host.handshake);
  ASSERT_FALSE(exchange.client.has_value());
  EXPECT_EQ(exchange.client.error().code, Code::kWrongCode);
  EXPECT_FALSE(exchange.host.has_value());
  EXPECT_EQ(gate.reserved, 1);
  EXPECT_EQ(gate.wrong, 1);
  EXPECT_EQ(gate.right, 0);
}

TEST(Handshake, TheChannelIsPartOfTheCode) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining("4822-marble-anchor-tulip");
  EXPECT_EQ(run(client, host.handshake).client.error().code, Code::kWrongCode);
}

TEST(Handshake, ErrorsNeverHoldTheCode) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining(kWrongCodeText);
  const Exchange exchange = run(client, host.handshake);
  for (const Error& error : {exchange.client.error(), exchange.host.error()}) {
    const std::string all = error.operation + error.object + error.detail + error.advice;
    EXPECT_EQ(all.find("marble"), std::string::npos);
    EXPECT_EQ(all.find("4821"), std::string::npos);
  }
}

TEST(Handshake, ChecksNoBinderWithoutASlot) {
  TestGate gate;
  gate.guesses_allowed = false;
  TestHost host(gate);
  ClientHandshake client = joining();  // even the right code
  const Exchange exchange = run(client, host.handshake);
  EXPECT_FALSE(exchange.client.has_value());
  EXPECT_FALSE(exchange.host.has_value());
  EXPECT_EQ(gate.right + gate.wrong, 0);
}

TEST(Handshake, RefusalsSayWhy) {
  for (const auto& [status, code] : {std::pair{ReplyStatus::kNoCode, Code::kRefused},
                                     {ReplyStatus::kBusy, Code::kRefused},
                                     {ReplyStatus::kTryLater, Code::kRefused}}) {
    TestGate gate;
    gate.status = status;
    TestHost host(gate);
    ClientHandshake client = joining();
    const Exchange exchange = run(client, host.handshake);
    ASSERT_FALSE(exchange.client.has_value());
    EXPECT_EQ(exchange.client.error().code, code);
    EXPECT_FALSE(exchange.client.error().detail.empty());
    EXPECT_EQ(exchange.to_client.size(), kReplyBytes);
    EXPECT_EQ(gate.reserved, 0);
  }
}

TEST(Handshake, ASessionThatIsNotClaimedIsNotDone) {
  TestGate gate;
  gate.claims_allowed = false;
  TestHost host(gate);
  ClientHandshake client = joining();
  EXPECT_EQ(run(client, host.handshake).host.error().code, Code::kRefused);
  EXPECT_FALSE(host.handshake.done());
}

TEST(Handshake, WorksWithBytesArrivingOneByOne) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining();
  while (!client.done() || !host.handshake.done()) {
    for (const std::byte byte : client.take_output()) {
      ASSERT_TRUE(host.handshake.receive({&byte, 1}).has_value());
    }
    for (const std::byte byte : host.handshake.take_output()) {
      ASSERT_TRUE(client.receive({&byte, 1}).has_value());
    }
  }
  EXPECT_TRUE(same(client.take().sending, host.handshake.take().receiving));
}

// Finished and the first frame in one segment, and cut in two at every byte: what lies behind
// Finished comes out untouched.
TEST(Handshake, FirstFrameMayComeWithFinishedCutAnywhere) {
  const ByteVector frame(80, std::byte{0x17});  // 0x17: a TLS record's type, the worst disguise
  std::size_t total = 1;
  for (std::size_t cut = 0; cut <= total; ++cut) {
    TestGate gate;
    TestHost host(gate);
    ClientHandshake client = joining();
    ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
    ASSERT_TRUE(client.receive(host.handshake.take_output()).has_value());
    ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
    ASSERT_TRUE(client.receive(host.handshake.take_output()).has_value());
    ASSERT_TRUE(client.done());
    ByteVector segment = client.take_output();
    segment.insert(segment.end(), frame.begin(), frame.end());
    total = segment.size();

    ASSERT_TRUE(host.handshake.receive(Bytes(segment).first(cut)).has_value());
    ByteVector rest(segment.begin() + static_cast<std::ptrdiff_t>(cut), segment.end());
    if (!host.handshake.done()) {
      ASSERT_TRUE(host.handshake.receive(rest).has_value());
      rest.clear();
    }
    ASSERT_TRUE(host.handshake.done());
    ByteVector frames = host.handshake.take().early;
    frames.insert(frames.end(), rest.begin(), rest.end());
    EXPECT_EQ(frames, frame) << "cut at " << cut;
  }
}

TEST(Handshake, EveryBitOfTheHelloIsBound) {
  TestGate gate;
  for (std::size_t bit = 0; bit < kJoinHelloBytes * kFlipsPerByte; ++bit) {
    expect_flip_breaks(gate, joining(), true, bit);
  }
  EXPECT_EQ(gate.right, 0);
}

TEST(Handshake, EveryBitOfTheReplyIsBound) {
  TestGate gate;
  for (std::size_t bit = 0; bit < kReplyBytes * kFlipsPerByte; ++bit) {
    expect_flip_breaks(gate, joining(), false, bit);
  }
  EXPECT_EQ(gate.right, 0);
}

TEST(Handshake, EveryBitOfAStreamsHelloCounts) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  for (std::size_t bit = 0; bit < kHeadBytes * kFlipsPerByte; ++bit) {
    auto client = ClientHandshake::further_stream(*ticket, 1);
    ASSERT_TRUE(client.has_value());
    expect_flip_breaks(gate, std::move(*client), true, bit);
  }
}

// Zero is the encoding of the identity; the others are not encodings of anything.
TEST(Handshake, RefusesInvalidPoints) {
  for (const std::byte fill : {std::byte{0}, std::byte{0xff}, std::byte{0x01}}) {
    const CpacePoint point = [&] {
      CpacePoint filled{};
      filled.fill(fill);
      return filled;
    }();
    TestGate gate;
    TestHost host(gate);
    ByteVector hello = joining().take_output();
    std::ranges::copy(point, hello.begin() + kHeadBytes);
    const auto at_host = host.handshake.receive(hello);
    ASSERT_FALSE(at_host.has_value());
    EXPECT_EQ(at_host.error().code, Code::kProtocol);
    EXPECT_TRUE(host.handshake.take_output().empty());

    TestHost honest(gate);
    ClientHandshake client = joining();
    ASSERT_TRUE(honest.handshake.receive(client.take_output()).has_value());
    ByteVector reply = honest.handshake.take_output();
    std::ranges::copy(point, reply.begin() + kHeadBytes);
    const auto at_client = client.receive(reply);
    ASSERT_FALSE(at_client.has_value());
    EXPECT_EQ(at_client.error().code, Code::kProtocol);
    EXPECT_TRUE(client.take_output().empty());
    EXPECT_EQ(gate.reserved, 0);
  }
}

TEST(Handshake, RefusesASuiteThatWasNotOffered) {
  TestGate gate;
  TestHost host(gate);
  ClientHandshake client = joining(kCodeText, kOnlyChaCha);
  ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
  ByteVector reply = host.handshake.take_output();
  const Head forged = encode(ReplyHead{.suite = static_cast<std::uint8_t>(Suite::kAes256Gcm)});
  std::ranges::copy(forged, reply.begin());
  EXPECT_EQ(client.receive(reply).error().code, Code::kProtocol);
}

// A mirror: what the client says comes back, made to look like a reply.
TEST(Handshake, AReflectedClientGetsNowhere) {
  for (const bool same_point : {true, false}) {
    ClientHandshake client = joining();
    const ByteVector hello = client.take_output();
    const Head head = encode(ReplyHead{.suite = static_cast<std::uint8_t>(Suite::kAes256Gcm)});
    ByteVector reply(head.begin(), head.end());
    // Its own point, or that of another client of the same code (swapped roles).
    const ByteVector other = same_point ? hello : joining(kCodeText, kBothSuites, 77).take_output();
    reply.insert(reply.end(), other.begin() + kHeadBytes, other.end());
    auto result = client.receive(reply);
    if (same_point) {
      EXPECT_EQ(result.error().code, Code::kProtocol);
      continue;
    }
    ASSERT_TRUE(result.has_value());
    const ByteVector client_hello = client.take_output();
    result = client.receive(client_hello);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Code::kWrongCode);
  }
}

// Two clients, each shown the other as a host, never agree: their roles are in the transcript.
TEST(Handshake, TwoClientsDoNotAgree) {
  ClientHandshake first = joining(kCodeText, kBothSuites, 1);
  ClientHandshake second = joining(kCodeText, kBothSuites, 2);
  const ByteVector first_hello = first.take_output();
  const ByteVector second_hello = second.take_output();
  EXPECT_FALSE(first.receive(second_hello).has_value());
  EXPECT_FALSE(second.receive(first_hello).has_value());
}

// Two hosts: each answers a hello; neither takes the other's reply for one.
TEST(Handshake, AReflectedHostGetsNowhere) {
  TestGate gate;
  TestHost host(gate);
  ASSERT_TRUE(host.handshake.receive(joining().take_output()).has_value());
  const ByteVector reply = host.handshake.take_output();
  TestHost other(gate);
  EXPECT_FALSE(other.handshake.receive(reply).has_value());
  EXPECT_FALSE(host.handshake.receive(reply).has_value());
  EXPECT_EQ(gate.reserved, 0);
}

TEST(Handshake, ForeignServersAreKnownByTheirFirstBytes) {
  for (const std::string_view banner :
       {"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "HTTP/1.1 400 Bad Request\r\n", "2", "\x15\x03\x01",
        "worm, but no hole"}) {
    ClientHandshake client = joining();
    const auto result = client.receive(as_bytes(banner));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Code::kConnect);
    EXPECT_NE(result.error().detail.find("no Wormhole answers"), std::string::npos);
  }
  EXPECT_EQ(joining().closed_early().code, Code::kConnect);
}

TEST(Handshake, AFailureIsForGood) {
  TestGate gate;
  TestHost host(gate);
  EXPECT_FALSE(host.handshake.receive(as_bytes("GET / HTTP/1.1\r\n")).has_value());
  EXPECT_TRUE(host.handshake.take_output().empty());
  EXPECT_FALSE(host.handshake.receive(joining().take_output()).has_value());
  EXPECT_TRUE(host.handshake.take_output().empty());
}

// A ClientHello that announces 16 MiB and never ends is not collected.
TEST(Handshake, BoundsWhatItBuffers) {
  TestGate gate;
  TestHost host(gate);
  ASSERT_TRUE(host.handshake.receive(joining().take_output()).has_value());
  ByteVector record(5 + 4096, std::byte{0});
  record[0] = std::byte{0x16};
  record[1] = record[2] = std::byte{0x03};
  store_le(record.data() + 3, std::uint16_t{0x0010});  // 4096, most significant byte first
  record[5] = std::byte{0x01};                         // ClientHello
  record[6] = std::byte{0x01};                         // of 65,536 bytes and more
  std::size_t sent = 0;
  Result<void> result;
  while ((result = host.handshake.receive(record))) {
    sent += record.size();
    ASSERT_LE(sent, kTlsInputMaxBytes);
    std::fill(record.begin() + 5, record.end(), std::byte{0});
  }
  EXPECT_EQ(result.error().detail, "the handshake is too long");
}

}  // namespace
}  // namespace wormhole::session
