#include "base/block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>

namespace wormhole {
namespace {

TEST(Block, PayloadIsPageAlignedAndAroundSurroundsIt) {
  BlockPool pool(2);
  const Block block = pool.acquire();
  const MutableBytes payload = block.payload();
  EXPECT_EQ(payload.size(), kBlockBytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(payload.data()) % 4096, 0u);

  const MutableBytes frame = block.around(24, 100, 16);
  EXPECT_EQ(frame.data() + 24, payload.data());
  EXPECT_EQ(frame.size(), 140u);

  // The widest there is, every byte of it ours to write.
  const MutableBytes widest = block.around(kBlockHeadroomBytes, kBlockBytes, kBlockTailroomBytes);
  std::ranges::fill(widest, std::byte{0xA5});
  EXPECT_EQ(payload.front(), std::byte{0xA5});
  EXPECT_EQ(payload.back(), std::byte{0xA5});
}

TEST(BlockDeathTest, AroundStaysWithinTheAllocation) {
  BlockPool pool(1);
  const Block block = pool.acquire();
  EXPECT_DEATH((void)block.around(kBlockHeadroomBytes + 1, 0, 0), "before");
  EXPECT_DEATH((void)block.around(0, kBlockBytes + 1, 0), "payload_bytes");
  EXPECT_DEATH((void)block.around(0, kBlockBytes, kBlockTailroomBytes + 1), "after");
}

TEST(Block, MovingHandsTheBlockOver) {
  BlockPool pool(2);
  Block first = pool.acquire();
  std::byte* const data = first.payload().data();
  Block second(std::move(first));
  EXPECT_EQ(second.payload().data(), data);
  second = pool.acquire();  // gives the first one back
  const Block third = pool.acquire();
  EXPECT_EQ(third.payload().data(), data);
}

TEST(BlockPool, TheLastGivenBackComesFirst) {
  BlockPool pool(3);
  std::optional<Block> first(pool.acquire());
  std::optional<Block> second(pool.acquire());
  std::byte* const data = second->payload().data();
  first.reset();
  second.reset();
  EXPECT_EQ(pool.acquire().payload().data(), data);
}

TEST(BlockPool, AcquireWaitsUntilOneIsFree) {
  BlockPool pool(1);
  std::optional<Block> held(pool.acquire());
  std::atomic<bool> given_back{false};
  std::thread waiter([&] {
    const Block block = pool.acquire();
    EXPECT_TRUE(given_back.load());
  });
  given_back.store(true);
  held.reset();
  waiter.join();
}

TEST(BlockPool, NeverHasMoreOutThanItsMaximum) {
  constexpr int kBlocks = 3;
  BlockPool pool(kBlocks);
  std::atomic<int> out{0};
  std::atomic<int> rounds{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 500; ++round) {
        const Block block = pool.acquire();
        EXPECT_LE(out.fetch_add(1) + 1, kBlocks);
        const auto mark = static_cast<std::byte>(thread);
        block.payload()[0] = mark;  // a second holder would be a data race, which TSan sees
        EXPECT_EQ(block.payload()[0], mark);
        out.fetch_sub(1);
        ++rounds;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(rounds.load(), 8 * 500);
}

TEST(BlockPoolDeathTest, OutlivesItsBlocks) {
  EXPECT_DEATH(
      {
        std::optional<Block> block;
        BlockPool pool(1);
        block.emplace(pool.acquire());
      },
      "blocks_max_");
}

}  // namespace
}  // namespace wormhole
