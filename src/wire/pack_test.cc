#include "wire/pack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/corpus_testing.h"
#include "base/document_testing.h"
#include "wire/pack_fuzz.h"

namespace wormhole::wire {
namespace {

void put(PackWriter& writer, std::uint64_t file, std::string_view content) {
  const auto room = writer.room_for(content.size());
  ASSERT_TRUE(room.has_value());
  std::ranges::copy(as_bytes(content), room->begin());
  writer.add(file, content.size());
}

// Every record in order, or "!" and the reason behind those that could be read.
std::vector<std::pair<std::uint64_t, std::string>> records(Bytes payload) {
  std::vector<std::pair<std::uint64_t, std::string>> all;
  PackReader reader(payload);
  while (true) {
    const auto record = reader.next();
    if (!record.has_value()) {
      EXPECT_EQ(record.error().code, Code::kProtocol);
      all.emplace_back(0, "!" + record.error().detail);
      return all;
    }
    if (!record->has_value()) return all;
    all.emplace_back((*record)->file, std::string(as_text((*record)->data)));
  }
}

using Records = std::vector<std::pair<std::uint64_t, std::string>>;

TEST(Pack, RecordsComeBackInOrder) {
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  EXPECT_EQ(writer.size_bytes(), 0U);
  put(writer, 7, "seven");
  put(writer, UINT64_MAX, "");
  put(writer, 0, std::string("\0\xff", 2));
  EXPECT_EQ(writer.size_bytes(), 3 * kPackRecordHeaderBytes + 7);
  EXPECT_EQ(records(Bytes(payload).first(writer.size_bytes())),
            (Records{{7, "seven"}, {UINT64_MAX, ""}, {0, std::string("\0\xff", 2)}}));
}

TEST(Pack, NothingIsAnEmptyPack) { EXPECT_TRUE(records({}).empty()); }

TEST(Pack, TheLargestFileFitsOnceAndTheRestOfTheBlockIsExact) {
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  put(writer, 1, std::string(kPackedFileMaxBytes, 'a'));
  const std::size_t left = kBlockBytes - writer.size_bytes() - kPackRecordHeaderBytes;
  EXPECT_FALSE(writer.room_for(left + 1).has_value());
  EXPECT_FALSE(writer.room_for(UINT64_MAX).has_value());
  put(writer, 2, std::string(left, 'b'));
  EXPECT_EQ(writer.size_bytes(), kBlockBytes);
  EXPECT_FALSE(writer.room_for(0).has_value());
  const auto all = records(payload);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].second.size(), kPackedFileMaxBytes);
  EXPECT_EQ(all[1].second, std::string(left, 'b'));
}

TEST(Pack, AFileThatWasGivenUpLeavesNoRecord) {
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  const auto abandoned = writer.room_for(100);
  ASSERT_TRUE(abandoned.has_value());
  std::ranges::fill(*abandoned, std::byte{'x'});
  put(writer, 3, "kept");
  EXPECT_EQ(records(Bytes(payload).first(writer.size_bytes())), (Records{{3, "kept"}}));
}

TEST(Pack, RefusesWhatIsCutOff) {
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  put(writer, 1, "abc");
  const std::size_t first = writer.size_bytes();
  put(writer, 2, "defg");
  for (std::size_t size = 0; size < writer.size_bytes(); ++size) {
    const auto all = records(Bytes(payload).first(size));
    if (size == 0 || size == first) {
      EXPECT_EQ(all.size(), size == 0 ? 0U : 1U);
      continue;
    }
    ASSERT_FALSE(all.empty()) << size;
    EXPECT_EQ(all.back().second, "!a record is cut off") << size;
  }
}

TEST(Pack, RefusesLengthsOverTheLimitAndReservedBits) {
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  put(writer, 1, std::string(kPackedFileMaxBytes, 'a'));
  for (const std::uint32_t length :
       {static_cast<std::uint32_t>(kPackedFileMaxBytes + 1), 0x80000000U, UINT32_MAX}) {
    store_le(payload.data() + 8, length);
    EXPECT_EQ(records(payload), (Records{{0, "!a record is too long"}}));
  }
  store_le(payload.data() + 8, std::uint32_t{4});
  for (unsigned bit = 0; bit < 32; ++bit) {
    store_le(payload.data() + 12, std::uint32_t{1} << bit);
    EXPECT_EQ(records(payload), (Records{{0, "!reserved bits are set"}}));
  }
}

TEST(PackDeathTest, OurOwnMistakesAreAssertions) {
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  EXPECT_DEATH(writer.add(1, kPackedFileMaxBytes + 1), "");
  PackWriter small(MutableBytes(payload).first(kPackRecordHeaderBytes + 3));
  EXPECT_DEATH(small.add(1, 4), "");
}

TEST(Pack, TheDocumentsExample) {
  const auto values = testing::documented_values("docs/formats/pack.md");
  ASSERT_TRUE(values.contains("payload"));
  ByteVector payload(kBlockBytes);
  PackWriter writer(payload);
  put(writer, 3, "hello\n");
  put(writer, 5, std::string("\x00\x01\x02", 3));
  const Bytes pack = Bytes(payload).first(writer.size_bytes());
  EXPECT_EQ(to_hex(pack), values.at("payload"));
  const auto bytes = from_hex(values.at("payload"));
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(records(*bytes), (Records{{3, "hello\n"}, {5, std::string("\x00\x01\x02", 3)}}));
}

TEST(Pack, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'240'011;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    ByteVector payload(400);
    PackWriter writer(payload);
    for (auto files = generator() % 6; files > 0; --files) {
      put(writer, generator(), std::string(generator() % 40, 'x'));
    }
    for (auto flips = generator() % 4; flips > 0; --flips) {
      payload[generator() % payload.size()] ^= std::byte(1U << (generator() % 8));
    }
    const std::size_t cut = round % 3 == 0 ? generator() % 20 : 0;
    fuzz_pack(Bytes(payload).first(std::max(writer.size_bytes(), cut) - cut));
  }
}

TEST(Pack, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("wire", "pack_fuzz", fuzz_pack), 0U);
}

}  // namespace
}  // namespace wormhole::wire
