#include "session/handshake_fuzz.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "session/handshake.h"

namespace wormhole::session {
namespace {

class CountingRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(++next_ * 151);
  }

 private:
  unsigned next_ = 0;
};

class FuzzGate final : public ServerGate {
 public:
  explicit FuzzGate(const JoinCode& code) : code_(code) {}
  Joining may_join() override {
    return {.status = ReplyStatus::kOk, .code = &code_, .generation = 1};
  }
  bool reserve_guess(std::uint64_t /*generation*/) override {
    WH_CHECK(++reserved_ == 1);
    return true;
  }
  void guess_was_right(std::uint64_t /*generation*/) override { WH_CHECK(false); }
  void guess_was_wrong(std::uint64_t /*generation*/) override { WH_CHECK(reserved_-- == 1); }
  std::shared_ptr<const StreamTicket> find_stream(const SessionId& session,
                                                  unsigned number) override {
    const std::array<std::byte, kPskBytes> secret{std::byte{9}};
    if (number >= 64) return nullptr;
    return std::make_shared<const StreamTicket>(session, Suite::kAes256Gcm,
                                                Psk(std::span<const std::byte, kPskBytes>(secret)));
  }
  bool claim_stream(const SessionId& /*session*/, unsigned /*number*/) override {
    WH_CHECK(false);
    return false;
  }

 private:
  JoinCode code_;
  int reserved_ = 0;
};

// Feeds `input` in pieces whose sizes its first byte decides, until the machine fails.
template <typename Machine>
void feed(Machine& machine, Bytes input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + std::to_integer<std::size_t>(input[0]);
  input = input.subspan(1);
  while (!input.empty()) {
    const Bytes now = input.first(std::min(piece, input.size()));
    input = input.subspan(now.size());
    const bool goes_on = machine.receive(now).has_value();
    static_cast<void>(machine.take_output());
    WH_CHECK(!machine.done());
    if (!goes_on) return;
  }
}

JoinCode fuzz_code() {
  auto code = JoinCode::parse("4821-marble-anchor-tulip");
  WH_CHECK(code.has_value());
  return *code;
}

}  // namespace

void fuzz_server_handshake(Bytes input) {
  static const Result<TlsContext> tls = TlsContext::server();
  FuzzGate gate(fuzz_code());
  CountingRandom random;
  ServerHandshake host(*tls, gate, Offer{.suites = 3}, random);
  feed(host, input);
}

void fuzz_client_handshake(Bytes input) {
  CountingRandom random;
  auto client = ClientHandshake::join(fuzz_code(), Offer{.suites = 3}, random);
  WH_CHECK(client.has_value());
  static_cast<void>(client->take_output());
  feed(*client, input);
}

void fuzz_handshake(Bytes input) {
  if (input.empty()) return;
  if ((std::to_integer<unsigned>(input.front()) & 1U) != 0) {
    fuzz_server_handshake(input.subspan(1));
  } else {
    fuzz_client_handshake(input.subspan(1));
  }
}

}  // namespace wormhole::session

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::session::fuzz_handshake(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
