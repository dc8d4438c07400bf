#include "store/chunker_fuzz.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "store/chunker.h"

namespace wormhole::store {
namespace {

constexpr std::size_t kFileMaxBytes = 12 * kMiB;
constexpr std::size_t kStretchBytes = 8;

std::uint64_t splitmix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

// Kind, seed and length of each stretch: one byte over and over, noise, or what came before.
ByteVector make_file(Bytes input) {
  ByteVector file;
  for (; input.size() >= 4 && file.size() < kFileMaxBytes; input = input.subspan(4)) {
    const auto kind = std::to_integer<unsigned>(input[0]) % 3;
    std::uint64_t seed = std::to_integer<std::uint64_t>(input[1]);
    const std::size_t length = std::min<std::size_t>(
        kFileMaxBytes - file.size(), std::size_t{load_le<std::uint16_t>(input.data() + 2)} * 40);
    const std::size_t before = file.size();
    file.resize(before + length, input[1]);
    if (kind == 1) {
      for (std::size_t at = before; at + kStretchBytes <= file.size(); at += kStretchBytes) {
        store_le(file.data() + at, splitmix(seed));
      }
    } else if (kind == 2) {
      const std::size_t from = before * seed / 256;
      for (std::size_t i = 0; i < length && from + i < before; ++i)
        file[before + i] = file[from + i];
    }
  }
  return file;
}

std::vector<std::size_t> lengths_by_the_rule(Bytes file, const CutRule& rule) {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0;
  for (std::uint64_t& number : gear) number = splitmix(state);
  std::vector<std::size_t> lengths;
  std::uint64_t sum = 0;
  std::size_t length = 0;
  for (const std::byte byte : file) {
    sum = 2 * sum + gear[std::to_integer<std::size_t>(byte)];
    ++length;
    if ((length >= rule.min_bytes && (sum & rule.mask) == 0) || length == rule.max_bytes) {
      lengths.push_back(length);
      length = 0;
    }
  }
  if (length > 0) lengths.push_back(length);
  return lengths;
}

void compare(Bytes file, std::size_t portion, const CutRule& rule) {
  Chunker chunker(rule);
  std::vector<Chunk> chunks;
  for (Bytes rest = file; !rest.empty();) {
    const std::size_t now = std::min(portion, rest.size());
    chunker.add(rest.first(now), chunks);
    rest = rest.subspan(now);
  }
  chunker.finish(chunks);
  const auto expected = lengths_by_the_rule(file, rule);
  WH_CHECK(chunks.size() == expected.size());
  Bytes rest = file;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    WH_CHECK(chunks[i].length == expected[i]);
    WH_CHECK(chunks[i].hash == hash(rest.first(chunks[i].length)));
    rest = rest.subspan(chunks[i].length);
  }
}

}  // namespace

void fuzz_chunker(Bytes input) {
  if (input.empty()) return;
  const std::size_t portion = 1 + std::to_integer<std::size_t>(input[0]) * 3001;
  const ByteVector file = make_file(input.subspan(1));
  compare(file, portion, kChunkRule);
  compare(file, portion, kFineChunkRule);
}

}  // namespace wormhole::store

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::store::fuzz_chunker(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
