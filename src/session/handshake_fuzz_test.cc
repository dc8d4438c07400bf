// The fuzz bodies, run over noise and over damaged real handshakes from a printed seed.
#include "session/handshake_fuzz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "base/corpus_testing.h"
#include "session/handshake_testing.h"

namespace wormhole::session {
namespace {

constexpr int kRounds = 400;

class Inputs {
 public:
  Inputs() : seed_(std::random_device()()), generator_(seed_) {
    std::cout << "seed " << seed_ << '\n';
  }

  ByteVector noise() {
    ByteVector bytes(below(300));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(below(256));
    return bytes;
  }
  // A few bytes changed, dropped or repeated; the first says how it is cut into pieces.
  ByteVector damaged(ByteVector bytes) {
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size()));
      switch (below(3)) {
        case 0:
          *at ^= static_cast<std::byte>(1U << below(8));
          break;
        case 1:
          bytes.insert(at, static_cast<std::byte>(below(256)));
          break;
        default:
          bytes.erase(at, at + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
                                   below(8), static_cast<std::size_t>(bytes.end() - at))));
          break;
      }
    }
    bytes.insert(bytes.begin(), static_cast<std::byte>(below(256)));
    return bytes;
  }

 private:
  std::size_t below(std::size_t bound) { return generator_() % std::max<std::size_t>(bound, 1); }

  std::uint32_t seed_;
  std::mt19937 generator_;
};

// Everything a client, or a host, says in one handshake.
testing::Exchange recorded(std::string_view client_code) {
  testing::TestGate gate;
  testing::TestHost host(gate);
  ClientHandshake client = testing::joining(client_code);
  return testing::run(client, host.handshake);
}

ByteVector stream_hello() {
  const std::array<std::byte, kPskBytes> secret{std::byte{1}};
  const StreamTicket ticket({}, Suite::kAes256Gcm,
                            Psk(std::span<const std::byte, kPskBytes>(secret)));
  auto client = ClientHandshake::further_stream(ticket, 1);
  return client->take_output();
}

TEST(HandshakeFuzz, HostWithstandsNoiseAndDamage) {
  Inputs inputs;
  const ByteVector join = recorded(testing::kWrongCodeText).to_host;
  const ByteVector stream = stream_hello();
  for (int round = 0; round < kRounds; ++round) {
    fuzz_server_handshake(inputs.noise());
    fuzz_server_handshake(inputs.damaged(join));
    fuzz_server_handshake(inputs.damaged(stream));
  }
}

TEST(HandshakeFuzz, ClientWithstandsNoiseAndDamage) {
  Inputs inputs;
  const ByteVector host = recorded(testing::kCodeText).to_client;
  for (int round = 0; round < kRounds; ++round) {
    fuzz_client_handshake(inputs.noise());
    fuzz_client_handshake(inputs.damaged(host));
  }
}

TEST(HandshakeFuzz, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("session", "handshake_fuzz", fuzz_handshake), 0U);
}

}  // namespace
}  // namespace wormhole::session
