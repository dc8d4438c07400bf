#include "store/place.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/corpus_testing.h"
#include "base/document_testing.h"
#include "platform/test_directory.h"
#include "store/place_fuzz.h"

namespace wormhole::store {
namespace {

Place example() {
  return {.path = "/home/ada/day-3/scene.mov",
          .inode = 131,
          .size_bytes = 5'000'000'000,
          .modified = {1'700'000'000, 500'000'000},
          .changed = {1'700'000'100, 7},
          .version = 0x0123456789abcdef,
          .mount = 0xfedcba9876543210};
}

TEST(Place, ComesBackAsItWas) {
  const Place place = example();
  EXPECT_EQ(decode_place(place.path, encode_place(place)), place);
  Place before_1970 = place;
  before_1970.modified = {-5, 999'999'999};
  EXPECT_EQ(decode_place(before_1970.path, encode_place(before_1970)), before_1970);
}

TEST(Place, WhatWasAlteredIsNone) {
  const PlaceRecord record = encode_place(example());
  for (std::size_t bit = 0; bit < 8 * record.size(); ++bit) {
    PlaceRecord bad = record;
    bad[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_EQ(decode_place(example().path, bad), std::nullopt) << bit;
  }
  EXPECT_EQ(decode_place("/home/ada/day-3/scene.mow", record), std::nullopt) << "another path's";
  EXPECT_EQ(decode_place(example().path, Bytes(record).first(kPlaceRecordBytes - 1)), std::nullopt);
  EXPECT_EQ(decode_place(example().path, {}), std::nullopt);
  Place relative = example();
  relative.path = "scene.mov";
  EXPECT_EQ(decode_place(relative.path, encode_place(relative)), std::nullopt);
  Place no_time = example();
  no_time.changed.nanoseconds = 1'000'000'000;
  EXPECT_EQ(decode_place(no_time.path, encode_place(no_time)), std::nullopt);
}

TEST(Place, AFileIsUntouchedUntilSomebodyTouchesIt) {
  const platform::TestDirectory box;
  box.write("f", "content");
  const auto status = box.open().status_of("f").value();
  const Place place{.path = (box / "f").string(),
                    .inode = status.inode,
                    .size_bytes = status.size_bytes,
                    .modified = status.modified,
                    .changed = status.changed};
  EXPECT_EQ(standing_of(place), Standing::kSafe) << "it was flushed";
  Place of_a_mount = place;
  of_a_mount.mount = 77;
  EXPECT_EQ(standing_of(of_a_mount), Standing::kUntouched) << "another one";
  of_a_mount.mount = box.open().mount_id();
  EXPECT_EQ(standing_of(of_a_mount), Standing::kSafe);
  for (Place other : std::vector<Place>(5, place)) {
    static int field = 0;
    switch (field++) {
      case 0:
        ++other.inode;
        break;
      case 1:
        ++other.size_bytes;
        break;
      case 2:
        ++other.modified.seconds;
        break;
      case 3:
        other.changed.nanoseconds ^= 1;
        break;
      default:
        other.path += "g";
        break;
    }
    EXPECT_EQ(standing_of(other), Standing::kGone) << field;
  }
  std::filesystem::remove(box / "f");
  EXPECT_EQ(standing_of(place), Standing::kGone);
  std::filesystem::create_symlink(box / "g", box / "f");
  EXPECT_EQ(standing_of(place), Standing::kGone);
}

TEST(Place, TheDocumentedExample) {
  const auto values = testing::documented_values("docs/formats/index.md");
  EXPECT_EQ(values.at("record"), to_hex(encode_place(example())));
}

TEST(Place, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 3;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  const PlaceRecord record = encode_place(example());
  for (int round = 0; round < 20'000; ++round) {
    ByteVector input(record.begin(), record.end());
    const std::string name = example().path;
    const Bytes path = as_bytes(name);
    input.insert(input.end(), path.begin(), path.end());
    for (auto changes = generator() % 3; changes > 0; --changes) {
      input[generator() % input.size()] = std::byte(generator());
    }
    input.resize(input.size() - generator() % 2 * (generator() % input.size()));
    fuzz_place(input);
  }
}

TEST(Place, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(testing::run_corpus("store", "place_fuzz", fuzz_place), 0U);
}

}  // namespace
}  // namespace wormhole::store
