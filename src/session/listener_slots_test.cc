#include "session/listener_slots.h"

#include <gtest/gtest.h>

#include <string>

namespace wormhole::session {
namespace {

using Id = ListenerSlots::Id;

constexpr TimePoint kStart{std::chrono::hours(1)};
constexpr std::chrono::milliseconds kInstant{1};

std::string address(std::size_t number) { return "192.0.2." + std::to_string(number); }

class Slots : public ::testing::Test {
 protected:
  // Connections of one address that come and say hello at once.
  void begin_handshakes(Id first, std::size_t count, const std::string& ip,
                        TimePoint now = kStart) {
    for (Id id = first; id < first + count; ++id) {
      ASSERT_FALSE(slots_.admit(id, ip));
      ASSERT_TRUE(slots_.may_speak(id, now));
      ASSERT_FALSE(slots_.said_hello(id, now));
    }
  }

  std::size_t most_ = kPendingPerAddressMax;
  ListenerSlots slots_{[this](const std::string&) { return most_; }};
};

// A router's machines that all begin in the same instant, and say hello later.
TEST_F(Slots, ManyOfOneAddressMayWait) {
  for (Id id = 1; id <= kPendingMax; ++id) {
    EXPECT_FALSE(slots_.admit(id, address(1)));
    EXPECT_TRUE(slots_.may_speak(id, kStart));
  }
  EXPECT_EQ(slots_.admit(100, address(1)), Id{1});
  EXPECT_EQ(slots_.waiting(), kPendingMax);
}

TEST_F(Slots, WhereTooManyWaitTheFullestAddressMakesRoom) {
  Id id = 1;
  for (; slots_.waiting() < 3; ++id) EXPECT_FALSE(slots_.admit(id, address(200)));
  for (; slots_.waiting() < kPendingMax; ++id) EXPECT_FALSE(slots_.admit(id, address(id)));
  EXPECT_EQ(slots_.admit(id++, address(201)), Id{1});
  EXPECT_EQ(slots_.admit(id++, address(202)), Id{2});
  // Now all have one each: the oldest goes.
  EXPECT_EQ(slots_.admit(id++, address(203)), Id{3});
  EXPECT_EQ(slots_.admit(id++, address(204)), Id{4});
  EXPECT_EQ(slots_.waiting(), kPendingMax);
}

TEST_F(Slots, HandshakesUnderWayAreNotEndedByTheirNeighbours) {
  begin_handshakes(1, kPendingPerAddressMax, address(1));
  EXPECT_FALSE(slots_.next_change(kStart));
  EXPECT_FALSE(slots_.admit(20, address(1)));
  EXPECT_FALSE(slots_.may_speak(20, kStart));
  EXPECT_EQ(slots_.next_change(kStart), kStart + kUndisturbed);
  // Once it may speak, it is listened to: no time is waited for, least of all one that has passed.
  EXPECT_EQ(slots_.next_change(kStart + kUndisturbed), std::nullopt);
  EXPECT_TRUE(slots_.may_speak(20, kStart + kUndisturbed));
  begin_handshakes(30, 1, address(2));  // others need not wait
  EXPECT_TRUE(slots_.may_speak(1, kStart));
  slots_.release(5);
  EXPECT_FALSE(slots_.next_change(kStart));
  EXPECT_TRUE(slots_.may_speak(20, kStart));
  EXPECT_FALSE(slots_.said_hello(20, kStart));
  EXPECT_EQ(slots_.waiting(), 0U);
}

TEST_F(Slots, AHandshakeThatTakesLongGivesWay) {
  begin_handshakes(1, 1, address(1), kStart + kInstant);
  begin_handshakes(2, kPendingPerAddressMax - 1, address(1));
  EXPECT_FALSE(slots_.admit(20, address(1)));
  EXPECT_FALSE(slots_.may_speak(20, kStart + kUndisturbed - kInstant));
  EXPECT_TRUE(slots_.may_speak(20, kStart + kUndisturbed));
  EXPECT_EQ(slots_.said_hello(20, kStart + kUndisturbed),
            Id{2});  // by its start, not by its number
  EXPECT_EQ(slots_.joining(), kPendingPerAddressMax);
}

TEST_F(Slots, WhereTooManyHandshakesAreUnderWayTheFullestAddressMakesRoom) {
  begin_handshakes(1, kPendingPerAddressMax, address(1));
  Id id = 20;
  for (std::size_t from = 2; slots_.joining() < kPendingMax; ++from, ++id) {
    begin_handshakes(id, 1, address(from));
  }
  EXPECT_FALSE(slots_.admit(id, address(200)));
  EXPECT_TRUE(slots_.may_speak(id, kStart));
  EXPECT_EQ(slots_.said_hello(id, kStart), Id{1});
  EXPECT_EQ(slots_.joining(), kPendingMax);
}

TEST_F(Slots, StreamsHaveSlotsOfTheirOwn) {
  Id id = 1;
  for (; slots_.streams() < kPendingStreamsMax; ++id) {
    begin_handshakes(id, 1, address(1));
    EXPECT_FALSE(slots_.move_to_streams(id));
  }
  EXPECT_EQ(slots_.joining(), 0U);
  begin_handshakes(id, 1, address(1));
  EXPECT_EQ(slots_.move_to_streams(id), Id{1});
  EXPECT_FALSE(slots_.move_to_streams(id));  // it is there
  EXPECT_EQ(slots_.streams(), kPendingStreamsMax);
}

TEST_F(Slots, AStandingSessionsAddressMayBringMore) {
  begin_handshakes(1, kPendingPerAddressMax, address(1));
  EXPECT_FALSE(slots_.admit(20, address(1)));
  EXPECT_FALSE(slots_.may_speak(20, kStart));
  most_ = kPendingMax;
  EXPECT_TRUE(slots_.may_speak(20, kStart));
  EXPECT_FALSE(slots_.next_change(kStart));
  begin_handshakes(21, kPendingMax - kPendingPerAddressMax, address(1));
  EXPECT_FALSE(slots_.may_speak(20, kStart));
}

TEST_F(Slots, WhoLeftIsForgotten) {
  begin_handshakes(1, kPendingPerAddressMax, address(1));
  EXPECT_FALSE(slots_.admit(20, address(1)));
  slots_.release(20);
  EXPECT_EQ(slots_.waiting(), 0U);
  EXPECT_FALSE(slots_.said_hello(20, kStart));
  EXPECT_EQ(slots_.joining(), kPendingPerAddressMax);
  slots_.release(12345);  // was evicted before: nothing
}

}  // namespace
}  // namespace wormhole::session
