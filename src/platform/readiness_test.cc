#include "platform/readiness.h"

#include <gtest/gtest.h>

#include <thread>

#include "platform/test_sockets.h"

namespace wormhole::platform {
namespace {

bool is_ready(int descriptor, std::optional<Duration> at_most) {
  Watch watch{.descriptor = descriptor};
  EXPECT_TRUE(wait_ready({&watch, 1}, at_most).has_value());
  return watch.ready;
}

TEST(Readiness, AWakerEndsAWaitUntilCleared) {
  auto waker = Waker::make();
  ASSERT_TRUE(waker.has_value());
  EXPECT_FALSE(is_ready(waker->descriptor(), Duration::zero()));
  std::thread other([&] {
    for (int count = 0; count < 100'000; ++count) waker->wake();  // never blocks, pipe full or not
  });
  EXPECT_TRUE(is_ready(waker->descriptor(), std::nullopt));
  other.join();
  waker->clear();
  EXPECT_FALSE(is_ready(waker->descriptor(), Duration::zero()));
  waker->wake();
  EXPECT_TRUE(is_ready(waker->descriptor(), std::nullopt));
}

TEST(Readiness, TellsNothingYetFromTheEnd) {
  auto listening = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listening.has_value());
  auto near = connect_from("127.0.0.5", listening->local());
  ASSERT_TRUE(near.has_value());
  EXPECT_TRUE(is_ready(listening->descriptor(), std::nullopt));
  auto far = listening->accept();
  ASSERT_TRUE(far.has_value() && far->has_value());
  EXPECT_EQ((*far)->peer().ip, "127.0.0.5");

  std::byte byte{};
  const auto nothing = receive_now(**far, {&byte, 1});
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  EXPECT_EQ(send_now(*near, as_bytes("x")).value(), std::optional<std::size_t>(1));
  EXPECT_TRUE(is_ready((*far)->descriptor(), std::nullopt));
  EXPECT_EQ(receive_now(**far, {&byte, 1}).value(), std::optional<std::size_t>(1));
  near->finish_sending();
  EXPECT_TRUE(is_ready((*far)->descriptor(), std::nullopt));
  EXPECT_EQ(receive_now(**far, {&byte, 1}).value(), std::optional<std::size_t>(0));
}

// A full send buffer is no error: it says to come back later.
TEST(Readiness, SendingStopsWhenNobodyReads) {
  auto listening = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listening.has_value());
  auto near = connect_from("127.0.0.1", listening->local());
  ASSERT_TRUE(near.has_value());
  const ByteVector much(1 << 20);
  Result<std::optional<std::size_t>> sent;
  do {
    sent = send_now(*near, much);
    ASSERT_TRUE(sent.has_value());
  } while (sent->has_value());
  Watch watch{.descriptor = near->descriptor(), .reading = false, .writing = true};
  ASSERT_TRUE(wait_ready({&watch, 1}, Duration::zero()).has_value());
  EXPECT_FALSE(watch.ready);
}

}  // namespace
}  // namespace wormhole::platform
