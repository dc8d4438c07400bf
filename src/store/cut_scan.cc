#include "store/cut_scan.h"

#include <algorithm>
#include <array>
#include <chrono>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace wormhole::store {
namespace {

// Lanes are stretches that follow each other, all of one length. Below this, warming them up costs
// too much of what they save.
constexpr std::size_t kLaneLeastBytes = 4 * kWindowBytes;

// What a lane has found: its first cut counts, behind so many bytes of it.
template <std::size_t kLanes>
using Found = std::array<std::size_t, kLanes>;

// A cut in a lane before another's, though found later, comes first.
template <std::size_t kLanes>
std::optional<std::size_t> first_of(const Found<kLanes>& found, std::size_t lane_bytes) {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (found[lane] != 0) return lane * lane_bytes + found[lane];
  }
  return std::nullopt;
}

// How a kernel sums its lanes.
using ScanLanes = std::optional<std::size_t> (*)(const std::byte* data, std::size_t lane_bytes,
                                                 std::uint64_t& gear);

template <std::uint64_t kMask>
std::optional<std::size_t> scan_one_lane(Bytes data, std::uint64_t& gear) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    gear = roll(gear, data[i]);
    if ((gear & kMask) == 0) return i + 1;
  }
  return std::nullopt;
}

// Six sums in six registers.
constexpr std::size_t kPlainLanes = 6;

template <std::uint64_t kMask>
std::optional<std::size_t> scan_plain(const std::byte* data, std::size_t lane_bytes,
                                      std::uint64_t& gear) {
  std::array<std::uint64_t, kPlainLanes> gears{gear};
  for (std::size_t lane = 1; lane < kPlainLanes; ++lane) {
    const std::byte* start = data + lane * lane_bytes;
    for (const std::byte* at = start - kWindowBytes; at < start; ++at) {
      gears[lane] = roll(gears[lane], *at);
    }
  }
  const std::byte* const d0 = data;
  const std::byte* const d1 = d0 + lane_bytes;
  const std::byte* const d2 = d1 + lane_bytes;
  const std::byte* const d3 = d2 + lane_bytes;
  const std::byte* const d4 = d3 + lane_bytes;
  const std::byte* const d5 = d4 + lane_bytes;
  auto [g0, g1, g2, g3, g4, g5] = gears;
  const auto cuts = [](std::uint64_t sum) { return (sum & kMask) == 0; };
  Found<kPlainLanes> found{};
  const auto note = [&found](std::size_t lane, std::size_t bytes) {
    if (found[lane] == 0) found[lane] = bytes;
  };
  for (std::size_t i = 0; i < lane_bytes; ++i) {
    g0 = roll(g0, d0[i]);
    g1 = roll(g1, d1[i]);
    g2 = roll(g2, d2[i]);
    g3 = roll(g3, d3[i]);
    g4 = roll(g4, d4[i]);
    g5 = roll(g5, d5[i]);
    if (cuts(g0)) [[unlikely]]
      note(0, i + 1);
    if (cuts(g1)) [[unlikely]]
      note(1, i + 1);
    if (cuts(g2)) [[unlikely]]
      note(2, i + 1);
    if (cuts(g3)) [[unlikely]]
      note(3, i + 1);
    if (cuts(g4)) [[unlikely]]
      note(4, i + 1);
    if (cuts(g5)) [[unlikely]]
      note(5, i + 1);
  }
  gear = g5;
  return first_of<kPlainLanes>(found, lane_bytes);
}

#ifdef __x86_64__

#define WH_AVX512 __attribute__((target("avx512f")))

// Sixteen sums in two registers: the gear's numbers are gathered, eight by one instruction.
constexpr std::size_t kLanesOfRegister = 8;
constexpr std::size_t kGatherLanes = 2 * kLanesOfRegister;
constexpr std::size_t kStepBytes = 8;  // of each lane, loaded at once

using Eight = std::uint64_t __attribute__((vector_size(64)));

template <int kScale>
WH_AVX512 inline Eight gather(const void* base, Eight index) {
  return reinterpret_cast<Eight>(_mm512_mask_i64gather_epi64(
      _mm512_setzero_si512(), 0xFF, reinterpret_cast<__m512i>(index), base, kScale));
}

// The first of the bytes in each lane of `bytes` goes into its sum, and out of them.
WH_AVX512 inline void roll_eight(Eight& sums, Eight& bytes) {
  sums = sums + sums + gather<sizeof(kGear[0])>(kGear.data(), bytes & 0xFF);
  bytes >>= 8;
}

WH_AVX512 inline Eight least_of(Eight a, Eight b) { return a < b ? a : b; }

template <std::uint64_t kMask>
WH_AVX512 std::optional<std::size_t> scan_gathering(const std::byte* data, std::size_t lane_bytes,
                                                    std::uint64_t& gear) {
  const Eight starts = Eight{0, 1, 2, 3, 4, 5, 6, 7} * lane_bytes;
  const std::size_t high = kLanesOfRegister * lane_bytes;

  // The window before each lane; before lane 0 stand bytes that may be gone, but it has its sum.
  Eight low_sums{};
  Eight high_sums{};
  Eight before = starts - kWindowBytes;
  before[0] = 0;
  for (std::size_t i = 0; i < kWindowBytes; i += kStepBytes) {
    Eight low_bytes = gather<1>(data + i, before);
    Eight high_bytes = gather<1>(data + high - kWindowBytes + i, starts);
    for (std::size_t k = 0; k < kStepBytes; ++k) {
      roll_eight(low_sums, low_bytes);
      roll_eight(high_sums, high_bytes);
    }
  }
  low_sums[0] = gear;

  Found<kGatherLanes> found{};
  for (std::size_t i = 0; i < lane_bytes; i += kStepBytes) {
    Eight low_bytes = gather<1>(data + i, starts);
    Eight high_bytes = gather<1>(data + high + i, starts);
    const Eight low_begun = low_sums;
    const Eight high_begun = high_sums;
    Eight low_least = ~Eight{};
    Eight high_least = ~Eight{};
    for (std::size_t k = 0; k < kStepBytes; ++k) {
      roll_eight(low_sums, low_bytes);
      roll_eight(high_sums, high_bytes);
      low_least = least_of(low_least, low_sums);
      high_least = least_of(high_least, high_sums);
    }
    // The top bits of a sum are zero where it is below the lowest of them.
    constexpr std::uint64_t kBound = ~kMask + 1;
    const Eight least = least_of(low_least, high_least);
    if (_mm512_cmplt_epu64_mask(reinterpret_cast<__m512i>(least),
                                _mm512_set1_epi64(static_cast<long long>(kBound))) == 0) [[likely]]
      continue;
    // Which lanes, and where in the step: once more, by the rule.
    for (std::size_t lane = 0; lane < kGatherLanes; ++lane) {
      std::uint64_t sum =
          lane < kLanesOfRegister ? low_begun[lane] : high_begun[lane - kLanesOfRegister];
      const Bytes step(data + lane * lane_bytes + i, kStepBytes);
      const auto cut = scan_one_lane<kMask>(step, sum);
      if (cut && found[lane] == 0) found[lane] = i + *cut;
    }
  }
  gear = high_sums[kLanesOfRegister - 1];
  return first_of<kGatherLanes>(found, lane_bytes);
}

#undef WH_AVX512

#endif

// The rule as a constant: with the mask as a variable each position costs half as much again.
template <CutRule kRule, ScanLanes kScanLanes, std::size_t kLanes>
std::optional<std::size_t> find_by(Bytes data, std::uint64_t& gear) {
  std::size_t at = 0;
  while (data.size() - at >= kLanes * kLaneLeastBytes) {
    const std::size_t lane =
        std::min(kRule.stretch_bytes, data.size() - at) / kLanes / kWindowBytes * kWindowBytes;
    if (const auto cut = kScanLanes(data.data() + at, lane, gear)) return at + *cut;
    at += kLanes * lane;
  }
  if (const auto cut = scan_one_lane<kRule.mask>(data.subspan(at), gear)) return at + *cut;
  return std::nullopt;
}

std::optional<std::size_t> find_plainly(Bytes data, std::uint64_t& gear, const CutRule& rule) {
  return rule.mask == kChunkRule.mask
             ? find_by<kChunkRule, scan_plain<kChunkRule.mask>, kPlainLanes>(data, gear)
             : find_by<kFineChunkRule, scan_plain<kFineChunkRule.mask>, kPlainLanes>(data, gear);
}

#ifdef __x86_64__
std::optional<std::size_t> find_gathering(Bytes data, std::uint64_t& gear, const CutRule& rule) {
  return rule.mask == kChunkRule.mask
             ? find_by<kChunkRule, scan_gathering<kChunkRule.mask>, kGatherLanes>(data, gear)
             : find_by<kFineChunkRule, scan_gathering<kFineChunkRule.mask>, kGatherLanes>(data,
                                                                                          gear);
}
#endif

// Of several runs, as the first ones wake the wide registers: a tenth of a millisecond in all.
std::chrono::nanoseconds time_of(const CutKernel& kernel) {
  static constexpr std::array<std::byte, 2 * kFineChunkRule.stretch_bytes> data{};
  auto least = std::chrono::nanoseconds::max();
  for (int run = 0; run < 8; ++run) {
    std::uint64_t gear = 0;
    const auto began = std::chrono::steady_clock::now();
    static_cast<void>(kernel.find(data, gear, kChunkRule));
    least = std::min<std::chrono::nanoseconds>(least, std::chrono::steady_clock::now() - began);
  }
  return least;
}

}  // namespace

std::span<const CutKernel> cut_kernels() {
  static constexpr std::array kKernels = {
      CutKernel{"plain", find_plainly},
#ifdef __x86_64__
      CutKernel{"avx512f", find_gathering},
#endif
  };
  std::size_t fit = 1;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) ++fit;
#endif
  return std::span(kKernels).first(fit);
}

const CutKernel& quickest_cut_kernel() {
  // Not by what the processor has alone: where a gather leaks what it should not (CVE-2022-40982),
  // microcode made it ten times slower.
  static const CutKernel& quickest = *std::ranges::min_element(cut_kernels(), {}, time_of);
  return quickest;
}

}  // namespace wormhole::store
