// A real Listener on loopback, its events collected, and clients that are driven by hand.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/block.h"
#include "base/bounded_queue.h"
#include "platform/test_sockets.h"
#include "session/dialler.h"
#include "session/handshake_testing.h"
#include "session/listener.h"

namespace wormhole::session::testing {

class LoopbackHost final : public ListenerEvents {
 public:
  explicit LoopbackHost(std::optional<JoinCode> code = code_of(kCodeText),
                        const Offer& offer = kBothSuites, const Clock* clock = nullptr)
      : clock_(clock != nullptr ? *clock : system_clock_),
        random_(3),
        codes_(std::move(code), random_, clock_),
        first_code_(codes_.code()->text()),
        socket_(platform::ListenSocket::open("127.0.0.1", 0)) {
    EXPECT_TRUE(socket_.has_value());
    address_ = socket_->local();
    listener_.emplace(std::move(*socket_), codes_, *this, clock_, random_, offer);
    thread_ = std::thread([this] { EXPECT_TRUE(listener_->run().has_value()); });
  }
  ~LoopbackHost() override {
    listener_->stop();
    thread_.join();
  }

  void on_session(std::unique_ptr<Connection> first) override {
    if (once) listener_->stop_joining();
    EXPECT_TRUE(sessions.try_push(std::move(first)));
  }
  void on_stream(std::unique_ptr<Connection> stream) override {
    EXPECT_TRUE(streams.try_push(std::move(stream)));
  }
  void on_wrong_code(const platform::Address& /*from*/, unsigned left) override {
    EXPECT_TRUE(events.try_push("wrong, left " + std::to_string(left)));
  }
  void on_code_retired(const JoinCode* next) override {
    EXPECT_TRUE(events.try_push(next == nullptr ? "stopped" : "retired for " + next->text()));
  }

  [[nodiscard]] const platform::Address& address() const { return address_; }
  [[nodiscard]] Listener& listener() { return *listener_; }
  [[nodiscard]] const std::string& first_code() const { return first_code_; }

  BoundedQueue<std::unique_ptr<Connection>> sessions{256};
  BoundedQueue<std::unique_ptr<Connection>> streams{256};
  BoundedQueue<std::string> events{1024};
  std::atomic<bool> once = false;

 private:
  SystemClock system_clock_;
  const Clock& clock_;
  SeededRandom random_;
  CodeBook codes_;
  std::string first_code_;
  Result<platform::ListenSocket> socket_;
  platform::Address address_;
  std::optional<Listener> listener_;
  std::thread thread_;
};

inline Result<std::unique_ptr<Connection>> join(const platform::Address& address,
                                                std::string_view code = kCodeText,
                                                const Offer& offer = kBothSuites,
                                                std::uint64_t seed = 5) {
  const SystemClock clock;
  SeededRandom random(seed);
  return Dialler(clock, random, offer).join({address}, code_of(code));
}

inline Result<std::unique_ptr<Connection>> add_stream(const Connection& first, unsigned number) {
  const SystemClock clock;
  SeededRandom random(number);
  return Dialler(clock, random).add_stream(first, number);
}

// Reads exactly `size` bytes; fewer when the peer closes or resets.
inline ByteVector read_up_to(const platform::Socket& socket, std::size_t size) {
  ByteVector bytes(size);
  std::size_t have = 0;
  while (have < size) {
    const auto got = socket.receive_some(MutableBytes(bytes).subspan(have));
    if (!got || *got == 0) break;
    have += *got;
  }
  bytes.resize(have);
  return bytes;
}

// Drives a client over a socket until it is done or failed, as the dialler does.
inline Result<void> drive(const platform::Socket& socket, ClientHandshake& client) {
  for (;;) {
    const ByteVector output = client.take_output();
    if (!output.empty() && !socket.send_all(output)) return fail(client.closed_early());
    if (client.done()) return {};
    ByteVector buffer(4096);
    const auto got = socket.receive_some(buffer);
    if (!got || *got == 0) return fail(client.closed_early());
    WH_TRY(client.receive(Bytes(buffer).first(*got)));
  }
}

inline void send_text(Connection& connection, std::string_view text) {
  BlockPool pool(1);
  Block block = pool.acquire();
  std::ranges::copy(as_bytes(text), block.payload().begin());
  const wire::FrameHeader header{.payload_bytes = static_cast<std::uint32_t>(text.size())};
  ASSERT_TRUE(connection.writer->send(header, block).has_value());
}

inline std::string receive_text(Connection& connection) {
  BlockPool pool(1);
  Block block = pool.acquire();
  const auto header = connection.reader->receive(block);
  if (!header) return to_sentence(header.error());
  return std::string(as_text(block.payload().first(header->payload_bytes)));
}

}  // namespace wormhole::session::testing
