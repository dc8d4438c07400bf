#include "store/cut_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/noise_testing.h"
#include "base/units.h"

namespace wormhole::store {
namespace {

using wormhole::testing::noise;

std::optional<std::size_t> find_by_the_rule(Bytes data, std::uint64_t& gear, const CutRule& rule) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    gear = roll(gear, data[i]);
    if ((gear & rule.mask) == 0) return i + 1;
  }
  return std::nullopt;
}

class CutKernels : public ::testing::TestWithParam<CutKernel> {
 protected:
  // The same as by the rule, sum behind it included.
  static void expect_alike(Bytes data, std::uint64_t before, const CutRule& rule) {
    std::uint64_t expected_gear = before;
    const auto expected = find_by_the_rule(data, expected_gear, rule);
    std::uint64_t gear = before;
    ASSERT_EQ(GetParam().find(data, gear, rule), expected) << data.size() << " bytes";
    if (!expected) {
      ASSERT_EQ(gear, expected_gear) << data.size() << " bytes";
    }
  }
};

TEST_P(CutKernels, FindInNoiseWhatTheRuleSays) {
  const std::string noisy = noise(4 * kMiB, 3);
  const Bytes data = as_bytes(noisy);
  std::mt19937_64 generator(5);
  for (const CutRule& rule : {kChunkRule, kFineChunkRule}) {
    for (int round = 0; round < 400; ++round) {
      const std::size_t at = generator() % data.size();
      const std::size_t length = std::min<std::size_t>(generator() % 200'000, data.size() - at);
      expect_alike(data.subspan(at, length), generator(), rule);
    }
  }
}

TEST_P(CutKernels, FindInAnyLengthWhatTheRuleSays) {
  const std::string noisy = noise(20'000, 4);
  const Bytes data = as_bytes(noisy);
  for (std::size_t length = 0; length < data.size(); length += length < 300 ? 1 : 59) {
    expect_alike(data.first(length), 77, kFineChunkRule);
  }
}

TEST_P(CutKernels, FindTheFirstOfTwoWhereverTheyStand) {
  const std::string noisy = noise(4 * kMiB, 6);
  const Bytes source = as_bytes(noisy);
  for (const CutRule& rule : {kChunkRule, kFineChunkRule}) {
    std::uint64_t gear = ~std::uint64_t{0};
    const auto cut = find_by_the_rule(source.subspan(kWindowBytes), gear, rule);
    ASSERT_TRUE(cut);
    const Bytes window = source.subspan(*cut, kWindowBytes);
    // Zeros alone do not cut.
    ByteVector data(60'000);
    std::mt19937_64 generator(8);
    for (std::size_t at = 0; at + kWindowBytes <= data.size(); at += 41) {
      const std::size_t other = generator() % (data.size() - kWindowBytes);
      std::ranges::copy(window, data.begin() + static_cast<std::ptrdiff_t>(at));
      std::ranges::copy(window, data.begin() + static_cast<std::ptrdiff_t>(other));
      expect_alike(data, 1, rule);
      std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(at), kWindowBytes, std::byte{0});
      std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(other), kWindowBytes, std::byte{0});
    }
    expect_alike(data, 1, rule);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CutKernels,
                         ::testing::ValuesIn(cut_kernels().begin(), cut_kernels().end()),
                         [](const auto& kernel) { return std::string(kernel.param.name); });

TEST(CutKernel, TheQuickestIsOneOfThem) {
  EXPECT_TRUE(std::ranges::any_of(
      cut_kernels(), [](const CutKernel& kernel) { return &kernel == &quickest_cut_kernel(); }));
}

}  // namespace
}  // namespace wormhole::store
