#include "store/chunker.h"

#include <algorithm>
#include <array>
#include <optional>

namespace wormhole::store {
namespace {

// What the gear hash sees: older bytes have been shifted out.
constexpr std::size_t kWindowBytes = 64;

// One lane waits for its own last sum at each byte; six at once wait for each other's. Stretches of
// a lane that begin a power of two apart would meet in the same lines of the cache.
constexpr std::size_t kLanes = 6;
constexpr std::size_t kLaneLeastBytes = 8 * kWindowBytes;

constexpr bool is_usable(const CutRule& rule) {
  return rule.min_bytes > kWindowBytes && rule.min_bytes < rule.max_bytes &&
         rule.lane_bytes >= kLaneLeastBytes;
}
static_assert(is_usable(kChunkRule) && is_usable(kFineChunkRule));

// 256 numbers of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), from 0 on.
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0;
  for (std::uint64_t& number : gear) {
    state += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    number = z ^ (z >> 31);
  }
  return gear;
}
constexpr std::array<std::uint64_t, 256> kGear = make_gear();

inline std::uint64_t roll(std::uint64_t gear, std::byte next) {
  return (gear << 1) + kGear[std::to_integer<std::size_t>(next)];
}

// How many bytes from the front end with the first cut; nullopt: none in all of them. `gear` is the
// hash before them, and then that behind them.
template <std::uint64_t kMask>
std::optional<std::size_t> scan_one_lane(Bytes data, std::uint64_t& gear) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    gear = roll(gear, data[i]);
    if ((gear & kMask) == 0) return i + 1;
  }
  return std::nullopt;
}

// The same for kLanes stretches of `lane_bytes` that follow each other.
template <std::uint64_t kMask>
std::optional<std::size_t> scan_lanes(const std::byte* data, std::size_t lane_bytes,
                                      std::uint64_t& gear) {
  std::array<std::uint64_t, kLanes> gears{gear};
  for (std::size_t lane = 1; lane < kLanes; ++lane) {
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
  // A lane's first cut counts; a cut in a lane before it, though found later, comes first.
  std::array<std::size_t, kLanes> found{};
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
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (found[lane] != 0) return lane * lane_bytes + found[lane];
  }
  gear = g5;
  return std::nullopt;
}

// The mask as a constant: as a variable, each position costs half as much again.
template <CutRule kRule>
CutFinder::Found scan_by_rule(Bytes data, std::uint64_t& gear) {
  std::size_t at = 0;
  while (data.size() - at >= kLanes * kLaneLeastBytes) {
    const std::size_t lane = std::min(kRule.lane_bytes, (data.size() - at) / kLanes);
    if (const auto cut = scan_lanes<kRule.mask>(data.data() + at, lane, gear)) {
      return {at + *cut, true};
    }
    at += kLanes * lane;
  }
  if (const auto cut = scan_one_lane<kRule.mask>(data.subspan(at), gear)) return {at + *cut, true};
  return {data.size(), false};
}

}  // namespace

bool may_end_chunk(Bytes data) {
  if (data.size() < kChunkRule.min_bytes) return false;
  std::uint64_t gear = 0;
  for (const std::byte next : data.last(kWindowBytes)) gear = roll(gear, next);
  return (gear & kChunkRule.mask) == 0;
}

CutFinder::Found CutFinder::next(Bytes data) {
  // A cut at the minimum is decided by the window that ends there: only that much is warmed up.
  const std::uint64_t skipped = rule_.min_bytes - kWindowBytes;
  std::size_t at = 0;
  if (chunk_bytes_ < skipped) {
    at = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), skipped - chunk_bytes_));
    chunk_bytes_ += at;
    gear_ = 0;
  }
  while (at < data.size() && chunk_bytes_ < rule_.min_bytes - 1) {
    gear_ = roll(gear_, data[at++]);
    ++chunk_bytes_;
  }
  const std::size_t to_max = static_cast<std::size_t>(
      std::min<std::uint64_t>(data.size() - at, rule_.max_bytes - chunk_bytes_));
  Found found = scan(data.subspan(at, to_max));
  chunk_bytes_ += found.bytes;
  found.is_cut = found.is_cut || chunk_bytes_ == rule_.max_bytes;
  found.bytes += at;
  if (found.is_cut) chunk_bytes_ = 0;
  return found;
}

CutFinder::Found CutFinder::scan(Bytes data) {
  return rule_.mask == kChunkRule.mask ? scan_by_rule<kChunkRule>(data, gear_)
                                       : scan_by_rule<kFineChunkRule>(data, gear_);
}

void Chunker::add(Bytes data, std::vector<Chunk>& out) {
  while (!data.empty()) {
    const CutFinder::Found found = cuts_.next(data);
    hasher_.add(data.first(found.bytes));
    length_ += static_cast<std::uint32_t>(found.bytes);
    if (found.is_cut) end_chunk(out);
    data = data.subspan(found.bytes);
  }
}

void Chunker::finish(std::vector<Chunk>& out) {
  if (length_ > 0) end_chunk(out);
  cuts_.begin_anew();
}

void Chunker::end_chunk(std::vector<Chunk>& out) {
  out.push_back({length_, hasher_.finish()});
  length_ = 0;
}

}  // namespace wormhole::store
