// Further streams of a standing session: who is let in, how often, under which keys.
#include <gtest/gtest.h>

#include <set>

#include "session/handshake_testing.h"

namespace wormhole::session {
namespace {

using testing::Ends;
using testing::established;
using testing::Exchange;
using testing::joining;
using testing::run;
using testing::same;
using testing::standing_session;
using testing::TestGate;
using testing::TestHost;

Result<Ends> further(TestGate& gate, const StreamTicket& ticket, unsigned number) {
  TestHost host(gate);
  auto client = ClientHandshake::further_stream(ticket, number);
  EXPECT_TRUE(client.has_value());
  const Exchange exchange = run(*client, host.handshake);
  if (!exchange.client) return fail(exchange.client.error());
  if (!exchange.host) return fail(exchange.host.error());
  return Ends{client->take(), host.handshake.take()};
}

TEST(FurtherStreams, HaveSecretsOfTheirOwn) {
  TestGate gate;
  Ends first = established(gate);
  gate.sessions.add(first.host.ticket, "192.0.2.1");
  std::set<std::string> secrets{to_hex(first.client.sending.bytes()),
                                to_hex(first.client.receiving.bytes()),
                                to_hex(first.client.ticket->psk().bytes())};
  for (unsigned number = 1; number < kStreamsMax; ++number) {
    auto stream = further(gate, *first.client.ticket, number);
    ASSERT_TRUE(stream.has_value()) << to_sentence(stream.error());
    EXPECT_EQ(stream->host.stream, number);
    EXPECT_EQ(stream->host.session_id, first.client.session_id);
    EXPECT_EQ(stream->client.ticket, nullptr);
    EXPECT_EQ(stream->host.suite, first.host.suite);
    EXPECT_TRUE(same(stream->client.sending, stream->host.receiving));
    EXPECT_TRUE(same(stream->client.receiving, stream->host.sending));
    secrets.insert(to_hex(stream->client.sending.bytes()));
    secrets.insert(to_hex(stream->client.receiving.bytes()));
  }
  EXPECT_EQ(secrets.size(), 3 + 2 * (kStreamsMax - 1));
  EXPECT_EQ(gate.reserved, 1);  // streams are no guesses
}

TEST(FurtherStreams, TakeOneRoundTrip) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  TestHost host(gate);
  auto client = ClientHandshake::further_stream(*ticket, 1);
  ASSERT_TRUE(host.handshake.receive(client->take_output()).has_value());
  EXPECT_TRUE(host.handshake.is_known_stream());
  ASSERT_TRUE(client->receive(host.handshake.take_output()).has_value());
  EXPECT_TRUE(client->done());
}

TEST(FurtherStreams, ANumberIsAcceptedOnce) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  ASSERT_TRUE(further(gate, *ticket, 5).has_value());
  const auto again = further(gate, *ticket, 5);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kRefused);
}

// Only the client's Finished counts: a ClientHello that is replayed, or a client that went away,
// uses nothing up, and of two with the same number one gets in.
TEST(FurtherStreams, AReplayedClientHelloUsesNothingUp) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  TestHost host(gate);
  auto client = ClientHandshake::further_stream(*ticket, 9);
  const ByteVector client_hello = client->take_output();
  TestHost replayed_before(gate);
  ASSERT_TRUE(replayed_before.handshake.receive(client_hello).has_value());
  ASSERT_TRUE(host.handshake.receive(client_hello).has_value());
  ASSERT_TRUE(client->receive(host.handshake.take_output()).has_value());
  const ByteVector finished = client->take_output();
  ASSERT_TRUE(host.handshake.receive(finished).has_value());
  EXPECT_TRUE(host.handshake.done());

  // The whole of it again, on the connection that was open already and on a new one.
  EXPECT_FALSE(replayed_before.handshake.receive(finished).has_value());
  EXPECT_FALSE(replayed_before.handshake.done());
  TestHost replayed_after(gate);
  EXPECT_FALSE(replayed_after.handshake.receive(client_hello).has_value());
  EXPECT_FALSE(replayed_after.handshake.is_known_stream());
}

TEST(FurtherStreams, OfTwoWithOneNumberOneGetsIn) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  TestHost hosts[] = {TestHost(gate), TestHost(gate)};
  ByteVector finished[2];
  for (int at = 0; at < 2; ++at) {
    auto client = ClientHandshake::further_stream(*ticket, 3);
    ASSERT_TRUE(hosts[at].handshake.receive(client->take_output()).has_value());
    ASSERT_TRUE(client->receive(hosts[at].handshake.take_output()).has_value());
    finished[at] = client->take_output();
  }
  EXPECT_TRUE(hosts[0].handshake.receive(finished[0]).has_value());
  EXPECT_EQ(hosts[1].handshake.receive(finished[1]).error().code, Code::kRefused);
  EXPECT_FALSE(hosts[1].handshake.done());
}

TEST(FurtherStreams, AreRefusedPastTheLastNumberAndForTheFirst) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  for (const unsigned number : {0U, 64U, 65U, 255U}) {
    TestHost host(gate);
    PskIdentity identity = psk_identity(ticket->session(), 0);
    identity.back() = static_cast<std::byte>(number);
    auto context = TlsContext::client();
    auto tls = TlsPsk::client(*context, identity, ticket->psk());
    const Head head = encode(HelloHead{.kind = HelloKind::kStream});
    ByteVector hello(head.begin(), head.end());
    ASSERT_TRUE(tls->advance({}, hello).has_value());
    EXPECT_FALSE(host.handshake.receive(hello).has_value()) << number;
  }
}

TEST(FurtherStreams, AreForgottenWithTheirSession) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  TestHost under_way(gate);
  auto client = ClientHandshake::further_stream(*ticket, 2);
  ASSERT_TRUE(under_way.handshake.receive(client->take_output()).has_value());
  ASSERT_TRUE(client->receive(under_way.handshake.take_output()).has_value());

  gate.sessions.forget(ticket->session());
  EXPECT_EQ(under_way.handshake.receive(client->take_output()).error().code, Code::kRefused);
  EXPECT_FALSE(further(gate, *ticket, 1).has_value());
}

TEST(FurtherStreams, AWrongKeyIsRefusedAndCostsNoGuess) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  const int reserved = gate.reserved;
  std::array<std::byte, kPskBytes> wrong{};
  const StreamTicket forged(ticket->session(), ticket->suite(),
                            Psk(std::span<const std::byte, kPskBytes>(wrong)));
  TestHost host(gate);
  auto client = ClientHandshake::further_stream(forged, 1);
  const Exchange exchange = run(*client, host.handshake);
  EXPECT_FALSE(exchange.client.has_value());
  EXPECT_FALSE(exchange.host.has_value());
  EXPECT_FALSE(host.handshake.is_known_stream());
  EXPECT_EQ(gate.reserved, reserved);
  EXPECT_EQ(gate.wrong, 0);
  EXPECT_TRUE(further(gate, *ticket, 1).has_value());
}

// The join's PSK does not open a stream, nor a ticket a join.
TEST(FurtherStreams, OneKindOfKeyDoesNotOpenTheOther) {
  TestGate gate;
  const auto ticket = standing_session(gate);
  TestHost host(gate);
  ASSERT_TRUE(host.handshake.receive(joining().take_output()).has_value());
  const ByteVector reply = host.handshake.take_output();
  auto context = TlsContext::client();
  auto tls = TlsPsk::client(*context, psk_identity(ticket->session(), 1), ticket->psk());
  ByteVector client_hello;
  ASSERT_TRUE(tls->advance({}, client_hello).has_value());
  EXPECT_FALSE(host.handshake.receive(client_hello).has_value());
  EXPECT_EQ(gate.right, 1);  // the standing session's own
}

}  // namespace
}  // namespace wormhole::session
