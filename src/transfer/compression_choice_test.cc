#include "transfer/compression_choice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace wormhole::transfer {
namespace {

using namespace std::chrono_literals;

constexpr double kMegabyte = 1e6;

Duration seconds(double count) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count));
}

ByteVector text_block() {
  ByteVector bytes(kBlockBytes);
  std::mt19937_64 generator(1);
  for (std::byte& one : bytes) one = std::byte('a' + generator() % 20);
  return bytes;
}

ByteVector noise_block() {
  ByteVector bytes(kBlockBytes);
  std::mt19937_64 generator(2);
  for (std::byte& one : bytes) one = std::byte(generator());
  return bytes;
}

// A machine and a path without either: what each effort costs and leaves, how fast bytes leave.
struct Machine {
  double slower = 1;  // than usual
  double left[kEfforts] = {1, 0.45, 0.33, 0.31, 0.27};
  double megabytes_per_second[kEfforts] = {0, 700, 450, 350, 120};
};

class CompressionChoiceTest : public ::testing::Test {
 protected:
  // Sends that many blocks; returns the last one's effort.
  Effort send(int blocks, double path_megabytes_per_second, const ByteVector& block,
              std::uint64_t file = 1) {
    Effort effort = Effort::kNone;
    for (int i = 0; i < blocks; ++i) {
      effort = choice_.effort_for(file, block);
      auto bytes = static_cast<double>(block.size());
      if (effort != Effort::kNone) {
        ++tries_;
        const auto index = static_cast<std::size_t>(effort);
        const double took =
            bytes * machine_.slower / (machine_.megabytes_per_second[index] * kMegabyte);
        now_ += seconds(took);
        const double left = std::min(bytes, bytes * machine_.left[index]);
        choice_.on_compressed(effort, block.size(), static_cast<std::uint64_t>(left),
                              seconds(took));
        bytes = left;
      }
      const Duration took = seconds(bytes / (path_megabytes_per_second * kMegabyte));
      now_ += took;
      choice_.on_sent(static_cast<std::uint64_t>(bytes), took, now_);
    }
    return effort;
  }

  Machine machine_;
  CompressionChoice choice_;
  TimePoint now_ = TimePoint(1h);
  int tries_ = 0;
  const ByteVector text_ = text_block();
};

TEST_F(CompressionChoiceTest, NothingIsCompressedBeforeThePathIsKnown) {
  EXPECT_EQ(choice_.effort_for(1, text_), Effort::kNone);
}

TEST_F(CompressionChoiceTest, ASlowLinkIsWorthTheMost) {
  EXPECT_EQ(send(20, 2, text_), Effort::kZstd7);
}

TEST_F(CompressionChoiceTest, TheEffortFollowsTheLink) {
  EXPECT_EQ(send(200, 2, text_), Effort::kZstd7);
  EXPECT_EQ(send(2000, 100, text_), Effort::kZstd1);
  EXPECT_EQ(send(20000, 5000, text_), Effort::kNone);
  EXPECT_EQ(send(200, 2, text_), Effort::kZstd7);
}

TEST_F(CompressionChoiceTest, AsFastAsMemoryNothingIsEvenTried) {
  send(1000, 5000, text_);
  EXPECT_EQ(tries_, 0);
}

TEST_F(CompressionChoiceTest, ABusyMachineCompressesLess) {
  machine_.slower = 10;  // zstd 7 at 12 MB/s
  EXPECT_LT(send(500, 10, text_), Effort::kZstd7);
  EXPECT_NE(send(1, 10, text_), Effort::kNone);
  machine_.slower = 1000;
  EXPECT_EQ(send(500, 10, text_), Effort::kNone);
  machine_.slower = 1;
  EXPECT_EQ(send(1500, 10, text_), Effort::kZstd3) << "it has time again";
}

TEST_F(CompressionChoiceTest, OneLongPauseIsForgotten) {
  for (const double slower : {10.0, 1000.0, 100'000.0}) {
    choice_ = CompressionChoice();
    send(1, 12, text_);
    machine_.slower = slower;  // its thread did not run
    send(1, 12, text_);
    machine_.slower = 1;
    EXPECT_EQ(send(100, 12, text_), Effort::kZstd3) << slower;
  }
}

TEST_F(CompressionChoiceTest, WhatHardlyGetsSmallerIsLeftAloneOnAFastLink) {
  for (std::size_t effort = 1; effort < kEfforts; ++effort) machine_.left[effort] = 0.92;
  EXPECT_EQ(send(300, 100, text_), Effort::kNone);
}

TEST_F(CompressionChoiceTest, NoiseIsKnownByItsSample) {
  send(100, 2, noise_block());
  EXPECT_EQ(tries_, 0);
  EXPECT_EQ(send(1, 2, text_), Effort::kZstd7) << "the next block may be text";
}

TEST_F(CompressionChoiceTest, WhatOnlyLooksCompressibleIsTriedEverMoreRarely) {
  for (std::size_t effort = 1; effort < kEfforts; ++effort) machine_.left[effort] = 1;
  send(1000, 2, text_);
  EXPECT_GT(tries_, 5);
  EXPECT_LT(tries_, 30);
  machine_ = {};
  EXPECT_EQ(send(1, 2, text_, /*file=*/2), Effort::kZstd7) << "another file";
  tries_ = 0;
  for (std::size_t effort = 1; effort < kEfforts; ++effort) machine_.left[effort] = 1;
  send(200, 2, text_, 2);
  machine_ = {};
  EXPECT_EQ(send(100, 2, text_, 2), Effort::kZstd7) << "its end is different";
}

TEST_F(CompressionChoiceTest, AFewBytesAreNotWorthIt) {
  send(10, 2, text_);
  EXPECT_EQ(choice_.effort_for(1, Bytes(text_).first(1000)), Effort::kNone);
}

TEST(SampledEntropy, IsBitsPerByte) {
  EXPECT_EQ(sampled_entropy(ByteVector(kBlockBytes)), 0);
  EXPECT_NEAR(sampled_entropy(text_block()), std::log2(20), 0.1);
  EXPECT_GT(sampled_entropy(noise_block()), 7.9);
  EXPECT_EQ(sampled_entropy({}), 0);
  EXPECT_EQ(sampled_entropy(ByteVector(1)), 0);
}

}  // namespace
}  // namespace wormhole::transfer
