#include "transfer/codecs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/corpus_testing.h"
#include "transfer/codecs_fuzz.h"

namespace wormhole::transfer {
namespace {

constexpr Effort kAll[] = {Effort::kLz4, Effort::kZstd1, Effort::kZstd3, Effort::kZstd7};

// Words, as text has them.
ByteVector text(std::size_t size, std::uint64_t seed = 1) {
  constexpr std::string_view kWords[] = {"share ", "fetch ", "the folder ", "wormhole ", "a\n"};
  std::mt19937_64 generator(seed);
  ByteVector bytes;
  while (bytes.size() < size) {
    const Bytes word = as_bytes(kWords[generator() % std::size(kWords)]);
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  bytes.resize(size);
  return bytes;
}

ByteVector noise(std::size_t size) {
  std::mt19937_64 generator(7);
  ByteVector bytes(size);
  for (std::byte& one : bytes) one = std::byte(generator());
  return bytes;
}

class CodecsTest : public ::testing::Test {
 protected:
  void put(Bytes bytes) { std::ranges::copy(bytes, block_.payload().begin()); }
  [[nodiscard]] bool holds(Bytes bytes) const {
    return as_text(bytes) == as_text(block_.payload().first(bytes.size()));
  }
  std::optional<std::uint32_t> compress(Effort effort, Bytes bytes) {
    put(bytes);
    return codecs_.compress(effort, wire::FrameType::kData, block_,
                            static_cast<std::uint32_t>(bytes.size()));
  }
  // What the header of a compressed payload of `size` bytes declares instead.
  void declare(std::uint32_t bytes) { store_le(block_.payload().data() + 4, bytes); }

  BlockPool pool_{8};
  Block block_ = pool_.acquire();
  Codecs codecs_;
};

TEST_F(CodecsTest, WhatWasCompressedComesBack) {
  for (const Effort effort : kAll) {
    for (const std::size_t size : {std::size_t{200}, std::size_t{65'537}, kBlockBytes}) {
      const ByteVector plain = text(size);
      const auto length = compress(effort, plain);
      ASSERT_TRUE(length.has_value()) << size;
      EXPECT_LT(*length, size / 2 + 100);
      EXPECT_FALSE(holds(plain));
      const auto header = codecs_.expand(block_, *length);
      ASSERT_TRUE(header.has_value());
      EXPECT_EQ(header->type, wire::FrameType::kData);
      EXPECT_EQ(header->plain_bytes, size);
      EXPECT_TRUE(holds(plain));
    }
  }
}

TEST_F(CodecsTest, MoreEffortLeavesLess) {
  const ByteVector plain = text(kBlockBytes);
  EXPECT_GT(*compress(Effort::kLz4, plain), *compress(Effort::kZstd1, plain));
  EXPECT_GE(*compress(Effort::kZstd3, plain), *compress(Effort::kZstd7, plain));
}

TEST_F(CodecsTest, WhatDoesNotGetSmallerStaysAsItIs) {
  for (const Effort effort : kAll) {
    for (const ByteVector& plain : {noise(kBlockBytes), noise(1), text(5), ByteVector()}) {
      EXPECT_FALSE(compress(effort, plain).has_value());
      EXPECT_TRUE(holds(plain));
    }
  }
}

TEST_F(CodecsTest, MoreThanWasDeclaredIsRefused) {
  for (const Effort effort : kAll) {
    const ByteVector plain(kBlockBytes);  // a quarter of a megabyte in a few bytes
    const auto length = compress(effort, plain);
    ASSERT_TRUE(length.has_value());
    ASSERT_LT(*length, 2000U);
    for (const std::uint32_t declared : {1U, 8U, 4096U, std::uint32_t{kBlockBytes - 1}}) {
      declare(declared);
      const auto header = codecs_.expand(block_, *length);
      ASSERT_FALSE(header.has_value()) << declared;
      EXPECT_EQ(header.error().code, Code::kProtocol);
    }
  }
}

TEST_F(CodecsTest, LessThanWasDeclaredIsRefused) {
  for (const Effort effort : kAll) {
    const auto length = compress(effort, text(5000));
    ASSERT_TRUE(length.has_value());
    declare(5001);
    EXPECT_FALSE(codecs_.expand(block_, *length).has_value());
    declare(5000);
    EXPECT_FALSE(codecs_.expand(block_, *length - 1).has_value()) << "cut off";
    EXPECT_TRUE(codecs_.expand(block_, *length).has_value());
  }
}

TEST_F(CodecsTest, DamageIsRefusedOrBounded) {
  std::mt19937_64 generator(20'261'125);
  for (int round = 0; round < 2000; ++round) {
    const ByteVector plain = text(1 + generator() % 3000, round);
    const auto length = compress(kAll[round % std::size(kAll)], plain);
    if (!length.has_value()) continue;
    for (auto flips = 1 + generator() % 4; flips > 0; --flips) {
      block_.payload()[generator() % *length] ^= std::byte(1U << (generator() % 8));
    }
    const auto header = codecs_.expand(block_, *length);
    if (!header.has_value()) {
      EXPECT_EQ(header.error().code, Code::kProtocol);
    }
  }
}

TEST_F(CodecsTest, ManyThreadsShareOneContext) {
  Codecs one(1);
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Block block = pool_.acquire();
      const ByteVector plain = text(20'000, seed);
      for (int round = 0; round < 50; ++round) {
        std::ranges::copy(plain, block.payload().begin());
        const auto length = one.compress(kAll[(round + seed) % std::size(kAll)],
                                         wire::FrameType::kPack, block, 20'000);
        ASSERT_TRUE(length.has_value());
        const auto header = one.expand(block, *length);
        ASSERT_TRUE(header.has_value() && header->type == wire::FrameType::kPack);
        ASSERT_TRUE(as_text(plain) == as_text(block.payload().first(plain.size())));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CodecsTest, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'261'126;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  for (int round = 0; round < 5000; ++round) {
    const ByteVector plain = text(20 + generator() % 500, round);
    const auto length = compress(kAll[round % std::size(kAll)], plain);
    const std::size_t size = length.value_or(plain.size());
    for (auto flips = generator() % 4; flips > 0; --flips) {
      block_.payload()[generator() % size] ^= std::byte(1U << (generator() % 8));
    }
    const Bytes input = Bytes(block_.payload()).first(size);
    fuzz_codecs(ByteVector(input.begin(), input.end()));
  }
}

TEST_F(CodecsTest, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("transfer", "codecs_fuzz", fuzz_codecs), 0U);
}

}  // namespace
}  // namespace wormhole::transfer
