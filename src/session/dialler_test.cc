#include "session/dialler.h"

#include <gtest/gtest.h>

#include <functional>

#include "platform/readiness.h"
#include "session/listener_testing.h"

namespace wormhole::session {
namespace {

using testing::join;
using testing::read_up_to;

// A server of another kind: takes one connection and does with it as told.
class OtherServer {
 public:
  explicit OtherServer(std::function<void(const platform::Socket&)> answer)
      : socket_(platform::ListenSocket::open("127.0.0.1", 0)) {
    EXPECT_TRUE(socket_.has_value());
    thread_ = std::thread([this, answer] {
      platform::Watch watch{.descriptor = socket_->descriptor()};
      ASSERT_TRUE(platform::wait_ready({&watch, 1}, std::nullopt).has_value());
      auto accepted = socket_->accept();
      ASSERT_TRUE(accepted.has_value() && accepted->has_value());
      (*accepted)->set_blocking(true);
      answer(**accepted);
    });
  }
  ~OtherServer() { thread_.join(); }
  [[nodiscard]] platform::Address address() const { return socket_->local(); }

 private:
  Result<platform::ListenSocket> socket_;
  std::thread thread_;
};

Error failure(const std::function<void(const platform::Socket&)>& answer) {
  const OtherServer server(answer);
  const auto joined = join(server.address());
  EXPECT_FALSE(joined.has_value());
  return joined.error();
}

void send(const platform::Socket& socket, Bytes bytes) {
  EXPECT_TRUE(socket.send_all(bytes).has_value());
}

// What an honest host would answer to that hello.
ByteVector reply_to(const platform::Socket& socket) {
  testing::TestGate gate("some other code");
  testing::TestHost host(gate);
  EXPECT_TRUE(host.handshake.receive(read_up_to(socket, kJoinHelloBytes)).has_value());
  return host.handshake.take_output();
}

TEST(Dialler, SaysThatNobodyAnswers) {
  platform::Address gone;
  {
    auto socket = platform::ListenSocket::open("127.0.0.1", 0);
    ASSERT_TRUE(socket.has_value());
    gone = socket->local();
  }
  EXPECT_EQ(join(gone).error().code, Code::kConnect);
}

TEST(Dialler, SaysThatSomethingElseAnswers) {
  for (const std::string_view banner :
       {"SSH-2.0-OpenSSH_9.2p1\r\n", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"}) {
    const Error error = failure([&](const platform::Socket& socket) {
      send(socket, as_bytes(banner));
      static_cast<void>(read_up_to(socket, kJoinHelloBytes));
    });
    EXPECT_EQ(error.code, Code::kConnect);
    EXPECT_NE(to_sentence(error).find("no Wormhole answers there"), std::string::npos);
  }
}

TEST(Dialler, SaysThatTheHostClosed) {
  EXPECT_EQ(failure([](const platform::Socket&) {}).code, Code::kConnect);
  EXPECT_EQ(failure([](const platform::Socket& socket) {
              const ByteVector reply = reply_to(socket);
              send(socket, Bytes(reply).first(20));
            }).code,
            Code::kConnect);
  EXPECT_EQ(failure([](const platform::Socket& socket) { send(socket, reply_to(socket)); }).code,
            Code::kConnect);
}

TEST(Dialler, TakesAnAlertForAWrongCode) {
  const Error error = failure([](const platform::Socket& socket) {
    send(socket, reply_to(socket));
    const std::byte decrypt_error[] = {std::byte{0x15}, std::byte{3}, std::byte{3}, std::byte{0},
                                       std::byte{2},    std::byte{2}, std::byte{51}};
    send(socket, decrypt_error);
    static_cast<void>(read_up_to(socket, 4096));
  });
  EXPECT_EQ(error.code, Code::kWrongCode);
  EXPECT_NE(error.advice.find("check the code"), std::string::npos);
}

TEST(Dialler, TakesNonsenseInTlsForAWrongCode) {
  const Error error = failure([](const platform::Socket& socket) {
    send(socket, reply_to(socket));
    send(socket, as_bytes("this is not TLS at all, but long enough"));
    static_cast<void>(read_up_to(socket, 4096));
  });
  EXPECT_EQ(error.code, Code::kWrongCode);
}

TEST(Dialler, PassesOnRefusalsAndVersions) {
  const auto answer_with = [](const ByteVector& bytes) {
    return failure([&](const platform::Socket& socket) {
      static_cast<void>(read_up_to(socket, kJoinHelloBytes));
      send(socket, bytes);
    });
  };
  EXPECT_EQ(answer_with(refusal(ReplyStatus::kNoCode)).code, Code::kRefused);
  EXPECT_EQ(answer_with(refusal(ReplyStatus::kBusy)).code, Code::kRefused);
  EXPECT_EQ(answer_with(refusal(ReplyStatus::kTryLater)).code, Code::kRefused);
  EXPECT_EQ(answer_with(refusal(ReplyStatus::kVersion)).code, Code::kVersion);
  EXPECT_EQ(answer_with(refusal(ReplyStatus::kNoSuite)).code, Code::kVersion);
  EXPECT_EQ(answer_with(refusal(static_cast<ReplyStatus>(77))).code, Code::kProtocol);
}

// A clock that says it is late already: the deadline is over before the host could answer.
class LateClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    return std::chrono::steady_clock::now() - kDialTimeout;
  }
};

TEST(Dialler, GivesUpAtItsDeadline) {
  auto silent = platform::ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(silent.has_value());
  const LateClock clock;
  testing::SeededRandom random(1);
  const auto joined =
      Dialler(clock, random).join({silent->local()}, testing::code_of(testing::kCodeText));
  ASSERT_FALSE(joined.has_value());
  EXPECT_EQ(joined.error().code, Code::kTimeout);
}

// All that a host (or whoever listens) sees before it proved itself: 48 bytes without a name, an
// address or a time, and no server name in the ClientHello.
TEST(Dialler, SendsNothingAboutThisMachineFirst) {
  ByteVector hello;
  ByteVector client_hello;
  const Error error = failure([&](const platform::Socket& socket) {
    testing::TestGate gate("some other code");
    testing::TestHost host(gate);
    hello = read_up_to(socket, kJoinHelloBytes);
    EXPECT_TRUE(host.handshake.receive(hello).has_value());
    send(socket, host.handshake.take_output());
    client_hello = read_up_to(socket, 5);
    const std::size_t length = std::to_integer<std::size_t>(client_hello[3]) * 256 +
                               std::to_integer<std::size_t>(client_hello[4]);
    client_hello = read_up_to(socket, length);
  });
  EXPECT_EQ(error.code, Code::kConnect);
  const HelloHead fields{.suites = testing::kBothSuites.suites, .features = kFeatures};
  EXPECT_EQ(to_hex(Bytes(hello).first(kHeadBytes)), to_hex(encode(fields)));
  EXPECT_EQ(as_text(client_hello).find("127.0.0.1"), std::string_view::npos);
  EXPECT_EQ(as_text(client_hello).find("marble"), std::string_view::npos);
}

}  // namespace
}  // namespace wormhole::session
