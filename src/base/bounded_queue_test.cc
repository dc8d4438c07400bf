#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace wormhole {
namespace {

TEST(BoundedQueue, IsFirstInFirstOut) {
  BoundedQueue<int> queue(3);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_TRUE(queue.push(3));
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.try_pop(), 3);
  EXPECT_EQ(queue.try_pop(), std::nullopt);
}

TEST(BoundedQueue, TryPushNeverExceedsTheCapacity) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_TRUE(queue.try_push(2));
  EXPECT_FALSE(queue.try_push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_TRUE(queue.try_push(3));
}

TEST(BoundedQueue, AfterCloseDrainsAndTakesNothing) {
  BoundedQueue<std::unique_ptr<int>> queue(4);
  EXPECT_TRUE(queue.push(std::make_unique<int>(7)));
  EXPECT_TRUE(queue.push(std::make_unique<int>(8)));
  queue.close();
  queue.close();  // twice is once
  EXPECT_FALSE(queue.push(std::make_unique<int>(9)));
  EXPECT_FALSE(queue.try_push(std::make_unique<int>(9)));
  EXPECT_EQ(**queue.pop(), 7);
  EXPECT_EQ(**queue.pop(), 8);
  EXPECT_FALSE(queue.pop().has_value());
  EXPECT_FALSE(queue.try_pop().has_value());
}

TEST(BoundedQueue, CloseWakesEveryoneWhoWaits) {
  BoundedQueue<int> empty(1);
  BoundedQueue<int> full(1);
  ASSERT_TRUE(full.push(0));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
    threads.emplace_back([&] { EXPECT_FALSE(full.push(1)); });
  }
  empty.close();
  full.close();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(full.pop(), 0);
}

TEST(BoundedQueue, ManyThreadsLoseAndDoubleNothing) {
  constexpr int kThreads = 4;
  constexpr int kItems = 5000;
  BoundedQueue<int> queue(3);
  std::vector<std::thread> producers;
  std::vector<std::thread> consumers;
  std::vector<std::atomic<int>> seen(kThreads * kItems);
  for (int thread = 0; thread < kThreads; ++thread) {
    producers.emplace_back([&, thread] {
      for (int item = 0; item < kItems; ++item) ASSERT_TRUE(queue.push(thread * kItems + item));
    });
    consumers.emplace_back([&] {
      // What one producer pushed arrives in its order.
      std::vector<int> last(kThreads, -1);
      while (const auto item = queue.pop()) {
        EXPECT_GT(*item, last[*item / kItems]);
        last[*item / kItems] = *item;
        ++seen[*item];
      }
    });
  }
  for (auto& thread : producers) thread.join();
  queue.close();
  for (auto& thread : consumers) thread.join();
  EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& times) { return times.load() == 1; }));
}

}  // namespace
}  // namespace wormhole
