#include "session/dialler.h"

#include <array>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/start_thread.h"
#include "session/handshake.h"

namespace wormhole::session {
namespace {

// What is read at once: the host's part of the handshake is far smaller.
constexpr std::size_t kReadBytes = 4096;

// Sends what there is. The handshake's few hundred bytes fit any send buffer: this never waits.
Result<void> send_output(const platform::Socket& socket, ClientHandshake& handshake) {
  const ByteVector output = handshake.take_output();
  if (output.empty()) return {};
  auto sent = socket.send_all(output);
  // The host ended the connection, perhaps with a last word: that says more than "broken pipe".
  if (!sent && sent.error().code != Code::kLost) return sent;
  return {};
}

Result<void> drive(const platform::Socket& socket, ClientHandshake& handshake,
                   const platform::Until& until, const Clock& clock, Timeline& timeline) {
  WH_TRY(send_output(socket, handshake));
  std::array<std::byte, kReadBytes> buffer{};
  while (!handshake.done()) {
    auto received = socket.receive_some_until(buffer, until);
    if (!received) {
      if (received.error().code == Code::kTimeout || received.error().code == Code::kInterrupted) {
        return fail(std::move(received).error());
      }
      return fail(handshake.closed_early());
    }
    if (*received == 0) return fail(handshake.closed_early());
    const bool knew_key = handshake.key_exchanged();
    const auto taken = handshake.receive(Bytes(buffer).first(*received));
    if (!knew_key && handshake.key_exchanged()) timeline.key_exchanged = clock.now();
    const auto sent = send_output(socket, handshake);  // an alert, too
    WH_TRY(taken);
    WH_TRY(sent);
  }
  timeline.authenticated = clock.now();
  return {};
}

// The handshake is prepared (a library begins, a point is multiplied) while the connection is on
// its way; the threads that do so are made then, too, or where none is to be had it is done behind.
Result<std::unique_ptr<Connection>> dial(const std::function<Result<ClientHandshake>()>& prepare,
                                         const std::vector<platform::Address>& addresses,
                                         const Clock& clock, int cancel) {
  const TimePoint started = clock.now();
  const platform::Until until(started + kDialTimeout, cancel);
  Timeline timeline{.started = started};
  std::future<Result<ClientHandshake>> preparing;
  timeline.connecting = clock.now();
  auto connected = platform::Socket::connect(addresses, until,
                                             [&] { preparing = std::async(kMeanwhile, prepare); });
  timeline.connected = clock.now();
  WH_ASSIGN(auto socket, std::move(connected));
  auto handshake = preparing.get();
  if (!handshake) return fail(std::move(handshake).error());
  if (auto driven = drive(socket, *handshake, until, clock, timeline); !driven) {
    Error error = std::move(driven).error();
    error.object = socket.peer().to_string();
    return fail(std::move(error));
  }
  WH_ASSIGN(auto connection, make_connection(std::move(socket), handshake->take()));
  connection->timeline = timeline;
  return connection;
}

}  // namespace

Result<std::unique_ptr<Connection>> Dialler::join(const std::vector<platform::Address>& addresses,
                                                  const JoinCode& code) {
  return dial([&] { return ClientHandshake::join(code, offer_, random_); }, addresses, clock_,
              cancel_);
}

Result<std::unique_ptr<Connection>> Dialler::add_stream(const Connection& first, unsigned number) {
  WH_CHECK(first.ticket != nullptr);
  return dial([&] { return ClientHandshake::further_stream(*first.ticket, number); },
              {first.socket.peer()}, clock_, cancel_);
}

}  // namespace wormhole::session
