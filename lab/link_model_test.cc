#include "link_model.h"

#include <gtest/gtest.h>

namespace wormhole::lab {
namespace {

constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr std::size_t kPacketBytes = 1250;  // 10,000 bits: 0.1 ms at 100 Mbit/s

LinkModel::Packet packet(std::size_t size, int mark = 0) {
  return LinkModel::Packet(size, static_cast<std::byte>(mark));
}

TEST(LinkModel, KeepsOrderAndDelay) {
  LinkModel link({.bits_per_second = 100'000'000, .one_way_delay = 25 * kMillisecond}, 1);
  link.offer(packet(kPacketBytes, 1), 0);
  link.offer(packet(kPacketBytes, 2), 0);
  link.advance(kMillisecond);
  EXPECT_EQ(link.next_event(), 25 * kMillisecond + 100'000);
  EXPECT_FALSE(link.take_due(25 * kMillisecond + 99'999));
  EXPECT_EQ(link.take_due(25 * kMillisecond + 100'000), packet(kPacketBytes, 1));
  EXPECT_FALSE(link.take_due(25 * kMillisecond + 199'999));
  EXPECT_EQ(link.take_due(25 * kMillisecond + 200'000), packet(kPacketBytes, 2));
  EXPECT_FALSE(link.next_event());
}

// However seldom it is asked, the link carries its rate: no more, no less.
TEST(LinkModel, RateDoesNotDependOnHowOftenItIsAdvanced) {
  for (const Nanoseconds step : {10'000, 250'000, 3'000'000}) {
    LinkModel link({.bits_per_second = 100'000'000, .queue_bytes = 1 << 30}, 1);
    for (int i = 0; i < 20'000; ++i) link.offer(packet(kPacketBytes), 0);
    for (Nanoseconds now = 0; now <= 1000 * kMillisecond; now += step) {
      link.advance(now);
      while (link.take_due(now)) {
      }
    }
    EXPECT_NEAR(static_cast<double>(link.counters().packets), 10'000.0, 31.0) << step;
  }
}

// A link that was idle does not save up capacity for a burst.
TEST(LinkModel, IdleTimeIsNotSaved) {
  LinkModel link({.bits_per_second = 100'000'000}, 1);
  const Nanoseconds later = 5000 * kMillisecond;
  link.offer(packet(kPacketBytes), later);
  link.offer(packet(kPacketBytes), later);
  link.advance(later + 100'000);
  EXPECT_TRUE(link.take_due(later + 100'000));
  EXPECT_FALSE(link.take_due(later + 100'000));
}

TEST(LinkModel, FullQueueDropsTheNewest) {
  LinkModel link({.bits_per_second = 1'000'000, .queue_bytes = 3 * kPacketBytes}, 1);
  for (int i = 0; i < 5; ++i) link.offer(packet(kPacketBytes, i), 0);
  EXPECT_EQ(link.counters().dropped, 2U);
  link.advance(1000 * kMillisecond);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(link.take_due(1000 * kMillisecond), packet(kPacketBytes, i));
  }
  EXPECT_FALSE(link.take_due(1000 * kMillisecond));
}

TEST(LinkModel, DefaultQueueIsOneBandwidthDelayProduct) {
  LinkModel link({.bits_per_second = 100'000'000, .one_way_delay = 25 * kMillisecond}, 1);
  EXPECT_EQ(link.queue_limit_bytes(), 625'000U);
  link.settings().bits_per_second = 1'000'000'000;
  EXPECT_EQ(link.queue_limit_bytes(), 6'250'000U);
  link.settings().one_way_delay = 0;
  EXPECT_EQ(link.queue_limit_bytes(), kMinQueueBytes);
}

TEST(LinkModel, LosesAtItsRateAndTheSameForTheSameSeed) {
  auto lost_of = [](std::uint64_t seed) {
    LinkModel link({.loss = 0.01, .queue_bytes = 1 << 30}, seed);
    for (int i = 0; i < 100'000; ++i) {
      link.offer(packet(64), i);
      link.advance(i);
      while (link.take_due(i)) {
      }
    }
    EXPECT_EQ(link.counters().packets + link.counters().lost, 100'000U);
    return link.counters().lost;
  };
  EXPECT_NEAR(static_cast<double>(lost_of(7)), 1000.0, 160.0);  // five sigma
  EXPECT_EQ(lost_of(7), lost_of(7));
}

TEST(LinkModel, ANewRateHoldsFromTheNextPacketOn) {
  LinkModel link({.bits_per_second = 100'000'000}, 1);
  for (int i = 0; i < 3; ++i) link.offer(packet(kPacketBytes), 0);
  link.advance(100'000);
  link.settings().bits_per_second = 10'000'000;
  EXPECT_TRUE(link.take_due(100'000));
  EXPECT_EQ(link.next_event(), 1'100'000);
  link.advance(1'100'000);
  EXPECT_TRUE(link.take_due(1'100'000));
}

TEST(LinkModel, NoRateMeansNoWaiting) {
  LinkModel link({.one_way_delay = 5}, 1);
  link.offer(packet(kMaxPacketBytes), 10);
  link.advance(10);
  EXPECT_EQ(link.next_event(), 15);
  EXPECT_TRUE(link.take_due(15));
}

TEST(LinkModel, ParsesUnits) {
  EXPECT_EQ(parse_rate("100mbit"), 100'000'000U);
  EXPECT_EQ(parse_rate("2.5gbit"), 2'500'000'000U);
  EXPECT_EQ(parse_rate("800kbit"), 800'000U);
  EXPECT_EQ(parse_rate("0"), 0U);
  for (const char* bad : {"", "100", "mbit", "-1mbit", "infgbit", "nan", "1e9gbit", "5mbits"}) {
    EXPECT_FALSE(parse_rate(bad)) << bad;
  }
  EXPECT_EQ(parse_duration("50ms"), 50 * kMillisecond);
  EXPECT_EQ(parse_duration("250us"), 250'000);
  EXPECT_EQ(parse_duration("0"), 0);
  for (const char* bad : {"", "5", "-1ms", "61s", "5 ms"}) EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(parse_probability("1%"), 0.01);
  EXPECT_EQ(parse_probability("0.5"), 0.5);
  for (const char* bad : {"", "2", "101%", "-1%", "1x"})
    EXPECT_FALSE(parse_probability(bad)) << bad;
}

}  // namespace
}  // namespace wormhole::lab
