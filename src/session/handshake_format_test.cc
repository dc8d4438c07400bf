#include "session/handshake_format.h"

#include <gtest/gtest.h>

#include "base/document_testing.h"
#include "session/handshake_testing.h"

namespace wormhole::session {
namespace {

TEST(HandshakeFormat, HeadsSurviveTheRoundTrip) {
  const HelloHead hello{.version = 9, .kind = HelloKind::kStream, .suites = 3, .features = 0xa1b2};
  const auto read = decode_hello(encode(hello));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->version, hello.version);
  EXPECT_EQ(read->kind, hello.kind);
  EXPECT_EQ(read->suites, hello.suites);
  EXPECT_EQ(read->features, hello.features);

  const ReplyHead reply{.version = 9, .status = ReplyStatus::kBusy, .suite = 2, .features = 7};
  const auto read_reply = decode_reply(encode(reply));
  ASSERT_TRUE(read_reply.has_value());
  EXPECT_EQ(read_reply->version, reply.version);
  EXPECT_EQ(read_reply->status, reply.status);
  EXPECT_EQ(read_reply->suite, reply.suite);
  EXPECT_EQ(read_reply->features, reply.features);
}

TEST(HandshakeFormat, RefusesWhatIsNotOurs) {
  for (std::size_t at = 0; at < kHandshakeMagic.size(); ++at) {
    Head head = encode(HelloHead{});
    head[at] ^= std::byte{0x20};
    EXPECT_FALSE(decode_hello(head).has_value());
    EXPECT_FALSE(decode_reply(head).has_value());
    EXPECT_FALSE(may_be_head(Bytes(head).first(at + 1)));
    EXPECT_TRUE(may_be_head(Bytes(head).first(at)));
  }
}

TEST(HandshakeFormat, PrefersAesWhereBothOfferIt) {
  constexpr SuiteMask kAes = suite_bit(Suite::kAes256Gcm);
  constexpr SuiteMask kChaCha = suite_bit(Suite::kChaCha20Poly1305);
  EXPECT_EQ(choose_suite(kAes | kChaCha, kAes | kChaCha), Suite::kAes256Gcm);
  EXPECT_EQ(choose_suite(kChaCha, kAes | kChaCha), Suite::kChaCha20Poly1305);
  EXPECT_EQ(choose_suite(kAes, kAes), Suite::kAes256Gcm);
  EXPECT_EQ(choose_suite(kAes, kChaCha), std::nullopt);
  EXPECT_EQ(choose_suite(0xfc, 0xff), std::nullopt);
  EXPECT_EQ((own_offer().suites & kChaCha), kChaCha);
  EXPECT_EQ((own_offer().suites & kAes) != 0, has_hardware_aes());
}

// Bytes that count up, as the document's example has them.
class CountingRandom final : public Random {
 public:
  explicit CountingRandom(unsigned first) : next_(first) {}
  void fill(MutableBytes out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_;
};

TEST(HandshakeFormat, TheDocumentsExampleHolds) {
  const JoinCode code = testing::code_of(testing::kCodeText);
  CountingRandom client_random(0x00);
  auto client = ClientHandshake::join(code, testing::kBothSuites, client_random);
  ASSERT_TRUE(client.has_value());
  const ByteVector hello = client->take_output();

  auto context = TlsContext::server();
  testing::TestGate gate;
  CountingRandom host_random(0x40);
  ServerHandshake host(*context, gate, testing::kBothSuites, host_random);
  ASSERT_TRUE(host.receive(hello).has_value());
  const ByteVector reply = host.take_output();

  // The same exchange once more, to see what the state machines keep to themselves.
  CountingRandom again(0x40);
  CpacePoint client_point{};
  std::copy_n(hello.begin() + kHeadBytes, kCpacePointBytes, client_point.begin());
  auto cpace =
      Cpace::begin(CpaceRole::kResponder, as_bytes(code.secret()),
                   channel_identifier(code.channel()), {}, Bytes(reply).first(kHeadBytes), again);
  ASSERT_TRUE(cpace.has_value());
  auto keys = std::move(*cpace).finish(client_point, Bytes(hello).first(kHeadBytes));
  ASSERT_TRUE(keys.has_value());
  SessionId session{};
  std::copy_n(keys->sid_output.begin(), session.size(), session.begin());
  const auto psk = Psk::from_key_exchange(keys->isk);
  ASSERT_TRUE(psk.has_value());
  const Head stream_hello = encode(HelloHead{.kind = HelloKind::kStream});

  auto values = wormhole::testing::documented_values("docs/formats/handshake.md");
  EXPECT_EQ(values["ci"], to_hex(channel_identifier(code.channel())));
  EXPECT_EQ(values["hello"], to_hex(hello));
  EXPECT_EQ(values["reply"], to_hex(reply));
  EXPECT_EQ(values["isk"], to_hex(keys->isk));
  EXPECT_EQ(values["session"], to_hex(session));
  EXPECT_EQ(values["psk"], to_hex(psk->bytes()));
  EXPECT_EQ(values["identity"], to_hex(psk_identity(session, 0)));
  EXPECT_EQ(values["context"], to_hex(exporter_context(session, 0, Suite::kAes256Gcm)));
  EXPECT_EQ(values["stream_hello"], to_hex(stream_hello));
  EXPECT_EQ(values["stream_identity"], to_hex(psk_identity(session, 5)));
  EXPECT_EQ(values["stream_context"], to_hex(exporter_context(session, 5, Suite::kAes256Gcm)));
}

}  // namespace
}  // namespace wormhole::session
