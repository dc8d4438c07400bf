#include "session/listener_slots.h"

#include <gtest/gtest.h>

#include <string>

namespace wormhole::session {
namespace {

using Id = ListenerSlots::Id;

std::string address(std::size_t number) { return "192.0.2." + std::to_string(number); }

TEST(ListenerSlots, OneAddressGetsNoMoreThanItsShare) {
  ListenerSlots slots;
  for (Id id = 1; id <= kPendingPerAddressMax; ++id) EXPECT_FALSE(slots.admit(id, address(1)));
  EXPECT_EQ(slots.admit(100, address(1)), Id{1});
  EXPECT_EQ(slots.admit(101, address(1)), Id{2});
  EXPECT_FALSE(slots.admit(102, address(2)));
  EXPECT_EQ(slots.joining(), kPendingPerAddressMax + 1);
}

TEST(ListenerSlots, WhoSaidHelloGoesLast) {
  ListenerSlots slots;
  for (Id id = 1; id <= kPendingPerAddressMax; ++id) EXPECT_FALSE(slots.admit(id, address(1)));
  slots.said_hello(1);
  slots.said_hello(2);
  EXPECT_EQ(slots.admit(100, address(1)), Id{3});
  for (Id id = 4; id <= kPendingPerAddressMax; ++id) slots.said_hello(id);
  slots.said_hello(100);
  EXPECT_EQ(slots.admit(101, address(1)), Id{1});
}

TEST(ListenerSlots, WhenAllAreTakenTheFullestAddressMakesRoom) {
  ListenerSlots slots;
  Id id = 1;
  for (; slots.joining() < 3; ++id) EXPECT_FALSE(slots.admit(id, address(200)));
  for (; slots.joining() < kPendingMax; ++id) EXPECT_FALSE(slots.admit(id, address(id)));
  EXPECT_EQ(slots.admit(id++, address(201)), Id{1});
  EXPECT_EQ(slots.admit(id++, address(202)), Id{2});
  // Now all hold one each: the oldest goes.
  EXPECT_EQ(slots.admit(id++, address(203)), Id{3});
  EXPECT_EQ(slots.admit(id++, address(204)), Id{4});
  EXPECT_EQ(slots.joining(), kPendingMax);
}

TEST(ListenerSlots, StreamsHaveSlotsOfTheirOwn) {
  ListenerSlots slots;
  Id id = 1;
  for (; slots.streams() < kPendingStreamsMax; ++id) {
    EXPECT_FALSE(slots.admit(id, address(1)));
    EXPECT_FALSE(slots.move_to_streams(id));
  }
  EXPECT_EQ(slots.joining(), 0U);
  EXPECT_FALSE(slots.admit(id, address(1)));
  EXPECT_EQ(slots.move_to_streams(id), Id{1});
  EXPECT_FALSE(slots.move_to_streams(id));  // it is there
  EXPECT_EQ(slots.streams(), kPendingStreamsMax);
}

TEST(ListenerSlots, AStandingSessionsAddressMayBringMore) {
  ListenerSlots slots;
  Id id = 1;
  for (; id <= kPendingMax; ++id) EXPECT_FALSE(slots.admit(id, address(1), kPendingMax));
  EXPECT_EQ(slots.admit(id, address(1), kPendingMax), Id{1});
}

TEST(ListenerSlots, ReleaseMakesRoom) {
  ListenerSlots slots;
  for (Id id = 1; id <= kPendingPerAddressMax; ++id) EXPECT_FALSE(slots.admit(id, address(1)));
  slots.release(4);
  EXPECT_FALSE(slots.admit(100, address(1)));
  slots.release(12345);  // was evicted before: nothing
  EXPECT_EQ(slots.joining(), kPendingPerAddressMax);
}

}  // namespace
}  // namespace wormhole::session
