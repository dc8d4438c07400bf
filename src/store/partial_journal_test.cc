#include "store/partial_journal.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/corpus_testing.h"
#include "base/document_testing.h"
#include "store/partial_journal_fuzz.h"

namespace wormhole::store {
namespace {

constexpr std::uint64_t kSize = 20'000'000;
std::array<std::byte, kJournalPortionMaxBytes> portion_bytes;

constexpr JournalHeader kSource{.source = {.size_bytes = kSize, .version = 0x1122334455667788},
                                .mount = 0x99aabbccddeeff00,
                                .file = {.device = 0x1234, .inode = 0x5678}};
constexpr std::uint32_t kNow = 1'700'000'000;

JournalRecord record(std::uint64_t offset, std::uint32_t length = 1000) {
  return {.offset = offset, .length = length, .checksum = checksum(ByteVector(length), offset)};
}

// A partial's journal, as its writer would have it on disk.
class Disk {
 public:
  void put(const JournalWriter::Portion& portion) {
    if (portion.bytes.empty()) return;
    ASSERT_GE(portion.offset, journal_offset(kSize));
    const std::size_t at = portion.offset - journal_offset(kSize);
    EXPECT_EQ(at, bytes.size()) << "portions follow each other";
    bytes.resize(at);
    bytes.insert(bytes.end(), portion.bytes.begin(), portion.bytes.end());
  }
  ByteVector bytes;
};

std::vector<JournalRecord> records_of(Bytes journal) {
  std::vector<JournalRecord> all;
  for (Bytes rest = journal.subspan(kJournalHeaderBytes); rest.size() >= kJournalRecordBytes;
       rest = rest.subspan(kJournalRecordBytes)) {
    const auto parsed = parse_journal_record(rest.first(kJournalRecordBytes), kSize);
    EXPECT_TRUE(parsed.has_value());
    if (parsed.has_value()) all.push_back(*parsed);
  }
  return all;
}

TEST(PartialJournal, ComesBackAsItWasWritten) {
  Disk disk;
  JournalWriter writer(kSource, 0);
  EXPECT_FALSE(writer.is_begun());
  for (std::uint64_t i = 0; i < 1000; ++i) {
    if (writer.add(record(i * 1000), kNow)) disk.put(writer.take(portion_bytes, kNow));
  }
  disk.put(writer.take(portion_bytes, kNow));
  EXPECT_TRUE(writer.is_begun());
  EXPECT_TRUE(writer.take(portion_bytes, kNow).bytes.empty());

  EXPECT_EQ(parse_journal_header(Bytes(disk.bytes).first(kJournalHeaderBytes)), kSource);
  const auto all = records_of(disk.bytes);
  ASSERT_EQ(all.size(), 1000U);
  for (std::uint64_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].offset, i * 1000);
    EXPECT_EQ(all[i].length, 1000U);
    EXPECT_EQ(all[i].written, kNow);
    EXPECT_EQ(all[i].checksum, record(i * 1000).checksum);
  }
}

TEST(PartialJournal, ALaterRunGoesOnBehindWhatStands) {
  Disk disk;
  JournalWriter first(kSource, 0);
  for (std::uint64_t i = 0; i < 10; ++i) static_cast<void>(first.add(record(i * 1000), kNow));
  disk.put(first.take(portion_bytes, kNow));
  JournalWriter second(kSource, 10);
  EXPECT_TRUE(second.is_begun());
  static_cast<void>(second.add(record(10'000), kNow));
  disk.put(second.take(portion_bytes, kNow));
  EXPECT_EQ(records_of(disk.bytes).size(), 11U);
}

TEST(PartialJournal, IsWrittenOftenAtFirstAndNeverMoreThanAnEighthBehind) {
  JournalWriter writer(kSource, 0);
  std::uint64_t waiting = 0;
  std::uint64_t written = 0;
  int writes = 0;
  for (int i = 0; i < 10'000; ++i) {
    ++waiting;
    if (writer.add(record(0), kNow)) {
      EXPECT_FALSE(writer.take(portion_bytes, kNow).bytes.empty());
      written += waiting;
      waiting = 0;
      ++writes;
    }
    EXPECT_LE(waiting, std::max<std::uint64_t>(4, std::min<std::uint64_t>(written / 8, 128)));
  }
  EXPECT_LT(writes, 130);
}

TEST(PartialJournal, IsNeverMoreThanASecondBehindWhereLittleArrives) {
  JournalWriter writer(kSource, 1'000'000);
  EXPECT_FALSE(writer.add(record(0), kNow));
  EXPECT_FALSE(writer.add(record(1000), kNow));
  EXPECT_TRUE(writer.add(record(2000), kNow + 1));
  EXPECT_FALSE(writer.take(portion_bytes, kNow + 1).bytes.empty());
  EXPECT_FALSE(writer.add(record(3000), kNow + 1));
  EXPECT_TRUE(writer.add(record(4000), kNow + 9));
}

TEST(PartialJournal, BeginsWhereAPageBeginsBehindTheData) {
  EXPECT_EQ(journal_offset(0), 0U);
  EXPECT_EQ(journal_offset(1), 4096U);
  EXPECT_EQ(journal_offset(4096), 4096U);
  EXPECT_EQ(journal_offset(4097), 8192U);
  EXPECT_EQ(journal_offset(kFileMaxBytes), kFileMaxBytes);
}

TEST(PartialJournal, WhatIsNoHeaderIsNone) {
  JournalWriter writer(kSource, 0);
  static_cast<void>(writer.add(record(0), kNow));
  const auto portion = writer.take(portion_bytes, kNow);
  const ByteVector good(portion.bytes.begin(), portion.bytes.begin() + kJournalHeaderBytes);
  ASSERT_TRUE(parse_journal_header(good).has_value());
  EXPECT_FALSE(parse_journal_header(ByteVector(kJournalHeaderBytes)).has_value());
  for (std::size_t at = 0; at < 16; ++at) {
    ByteVector bad = good;
    bad[at] ^= std::byte{1};
    EXPECT_FALSE(parse_journal_header(bad).has_value()) << at;
  }
}

TEST(PartialJournal, RecordsOfNoRangeAreNone) {
  const auto parse = [](std::uint64_t offset, std::uint32_t length) {
    ByteVector bytes(kJournalRecordBytes);
    store_le(bytes.data(), offset);
    store_le(bytes.data() + 8, length);
    return parse_journal_record(bytes, kSize).has_value();
  };
  EXPECT_TRUE(parse(0, 1));
  EXPECT_TRUE(parse(kSize - 5, 5));
  EXPECT_TRUE(parse(0, kJournalRangeMaxBytes));
  EXPECT_FALSE(parse(0, 0));
  EXPECT_FALSE(parse(0, kJournalRangeMaxBytes + 1));
  EXPECT_FALSE(parse(kSize - 5, 6));
  EXPECT_FALSE(parse(kSize, 1));
  EXPECT_FALSE(parse(UINT64_MAX, 1));
  EXPECT_FALSE(parse(UINT64_MAX - 1, 5));
}

TEST(PartialJournal, TheChecksumIsOfTheBytesAndTheirPlace) {
  ByteVector data(1000, std::byte{7});
  const Checksum there = checksum(data, 4096);
  EXPECT_EQ(checksum(data, 4096), there);
  EXPECT_NE(checksum(data, 8192), there);
  EXPECT_NE(checksum(Bytes(data).first(999), 4096), there);
  data[500] = std::byte{8};
  EXPECT_NE(checksum(data, 4096), there);
}

// xxHash 0.8.1, tests/sanity_test_vectors.h: the empty input at seed 0.
TEST(PartialJournal, TheChecksumIsXxh3) {
  EXPECT_EQ(to_hex(checksum({}, 0)), "99aa06d3014798d86001c324468d497f");
}

TEST(PartialJournal, TheDocumentedExample) {
  const auto values = testing::documented_values("docs/formats/partial.md");
  JournalWriter writer({.source = {.size_bytes = 5000, .version = 0x0123456789abcdef},
                        .mount = 0xfedcba9876543210,
                        .file = {.device = 0x801, .inode = 131}},
                       0);
  const std::string data = "as it should be\n";
  static_cast<void>(writer.add({.offset = 4096,
                                .length = static_cast<std::uint32_t>(data.size()),
                                .checksum = checksum(as_bytes(data), 4096)},
                               kNow));
  const auto portion = writer.take(portion_bytes, kNow);
  EXPECT_EQ(portion.offset, 8192U);
  EXPECT_EQ(values.at("example header"), to_hex(portion.bytes.first(kJournalHeaderBytes)));
  EXPECT_EQ(values.at("example record"), to_hex(portion.bytes.last(kJournalRecordBytes)));
}

TEST(PartialJournal, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'261'127;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  JournalWriter writer(kSource, 0);
  static_cast<void>(writer.add(record(4096), kNow));
  static_cast<void>(writer.add(record(8192), kNow));
  const Bytes good = writer.take(portion_bytes, kNow).bytes;
  for (int round = 0; round < 50'000; ++round) {
    ByteVector bytes(good.begin(), good.end());
    for (auto changes = generator() % 5; changes > 0; --changes) {
      bytes[generator() % bytes.size()] = std::byte(generator() % (round % 2 == 0 ? 4 : 256));
    }
    fuzz_partial_journal(Bytes(bytes).first(bytes.size() - generator() % 2 * (generator() % 70)));
  }
}

TEST(PartialJournal, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(testing::run_corpus("store", "partial_journal_fuzz", fuzz_partial_journal), 0U);
}

}  // namespace
}  // namespace wormhole::store
