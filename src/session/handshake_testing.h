// What the handshake's tests share: fakes handed down, and two state machines wired together.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/clock_testing.h"
#include "session/handshake.h"
#include "session/listener_sessions.h"

namespace wormhole::session::testing {

inline constexpr std::string_view kCodeText = "4821-marble-anchor-tulip";
inline constexpr std::string_view kWrongCodeText = "4821-marble-anchor-tuna";

inline JoinCode code_of(std::string_view text) {
  auto code = JoinCode::parse(text);
  EXPECT_TRUE(code.has_value());
  return *code;
}

// Reproducible; not fit for keys outside tests.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : generator_(seed) {}
  void fill(MutableBytes out) override {
    const std::scoped_lock lock(mutex_);
    for (std::byte& byte : out) byte = static_cast<std::byte>(generator_() & 0xff);
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 generator_;
};

using wormhole::testing::FakeClock;

// A gate without a network: one code, the real register of sessions, and a count of guesses.
struct TestGate final : ServerGate {
  explicit TestGate(std::string_view text = kCodeText) : code(code_of(text)) {}

  Joining may_join() override { return {.status = status, .code = &code, .generation = 1}; }
  bool reserve_guess(std::uint64_t /*generation*/) override {
    ++reserved;
    return guesses_allowed;
  }
  void guess_was_right(std::uint64_t /*generation*/) override { ++right; }
  void guess_was_wrong(std::uint64_t /*generation*/) override { ++wrong; }
  std::shared_ptr<const StreamTicket> find_stream(const SessionId& session,
                                                  unsigned number) override {
    return sessions.find(session, number);
  }
  bool claim_stream(const SessionId& session, unsigned number) override {
    return number == 0 ? claims_allowed : sessions.claim(session, number);
  }

  JoinCode code;
  ReplyStatus status = ReplyStatus::kOk;
  bool guesses_allowed = true;
  bool claims_allowed = true;
  int reserved = 0;
  int right = 0;
  int wrong = 0;
  ListenerSessions sessions;
};

inline constexpr Offer kBothSuites{.suites = suite_bit(Suite::kAes256Gcm) |
                                             suite_bit(Suite::kChaCha20Poly1305)};
inline constexpr Offer kOnlyChaCha{.suites = suite_bit(Suite::kChaCha20Poly1305)};

// A host's end with all it needs.
struct TestHost {
  explicit TestHost(TestGate& gate, const Offer& offer = kBothSuites, std::uint64_t seed = 2)
      : random(seed), tls(TlsContext::server()), handshake(*tls, gate, offer, random) {}

  SeededRandom random;
  Result<TlsContext> tls;
  ServerHandshake handshake;
};

// Carries bytes both ways until neither has anything to say, or one side failed.
struct Exchange {
  Result<void> client;
  Result<void> host;
  ByteVector to_host;  // everything that was sent
  ByteVector to_client;
};

inline Exchange run(ClientHandshake& client, ServerHandshake& host) {
  Exchange exchange;
  for (;;) {
    const ByteVector up = client.take_output();
    exchange.to_host.insert(exchange.to_host.end(), up.begin(), up.end());
    if (!up.empty() && exchange.host && !host.done()) exchange.host = host.receive(up);
    const ByteVector down = host.take_output();
    exchange.to_client.insert(exchange.to_client.end(), down.begin(), down.end());
    if (!down.empty() && exchange.client && !client.done()) exchange.client = client.receive(down);
    if (up.empty() && down.empty()) return exchange;
  }
}

inline ClientHandshake joining(std::string_view code = kCodeText, const Offer& offer = kBothSuites,
                               std::uint64_t seed = 1) {
  SeededRandom random(seed);
  auto client = ClientHandshake::join(code_of(code), offer, random);
  EXPECT_TRUE(client.has_value());
  return std::move(*client);
}

inline bool same(const TrafficSecret& a, const TrafficSecret& b) {
  return to_hex(a.bytes()) == to_hex(b.bytes());
}

// Both ends of a handshake that went well.
struct Ends {
  Established client;
  Established host;
};

inline Ends established(TestGate& gate, const Offer& client_offer = kBothSuites,
                        const Offer& host_offer = kBothSuites, std::uint64_t seed = 1) {
  TestHost host(gate, host_offer, seed + 1000);
  ClientHandshake client = joining(kCodeText, client_offer, seed);
  const Exchange exchange = run(client, host.handshake);
  EXPECT_TRUE(exchange.client.has_value());
  EXPECT_TRUE(exchange.host.has_value());
  return {client.take(), host.handshake.take()};
}

// A session that stands, with its ticket known to the gate.
inline std::shared_ptr<const StreamTicket> standing_session(TestGate& gate) {
  Ends ends = established(gate);
  gate.sessions.add(ends.host.ticket, "192.0.2.1");
  return ends.client.ticket;
}

}  // namespace wormhole::session::testing
