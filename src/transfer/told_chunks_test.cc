#include "transfer/told_chunks.h"

#include <gtest/gtest.h>

namespace wormhole::transfer {
namespace {

Chunk chunk(std::uint8_t name, std::uint32_t length) {
  Chunk made{.length = length};
  made.hash.fill(std::byte{name});
  return made;
}

store::Place place(const std::string& path) {
  return {.path = path, .modified = {}, .changed = {}};
}

TEST(ToldChunksTest, TheFirstPlaceOfAChunkStays) {
  ToldChunks told;
  told.begin(1);
  told.begin(2);
  told.on_told(1, 100, {chunk(1, 10), chunk(2, 20)});
  told.on_told(2, 0, {chunk(2, 20), chunk(3, 30)});
  EXPECT_EQ(told.first(chunk(1, 10), 2)->file, 1U);
  EXPECT_EQ(told.first(chunk(2, 20), 2)->file, 1U);
  EXPECT_EQ(told.first(chunk(2, 20), 2)->offset, 110U);
  EXPECT_EQ(told.first(chunk(2, 20), 1)->offset, 110U) << "its own";
  EXPECT_EQ(told.first(chunk(3, 30), 2)->offset, 20U);
  EXPECT_FALSE(told.first(chunk(4, 40), 2).has_value());
}

TEST(ToldChunksTest, NoTwoFilesWaitForEachOther) {
  ToldChunks told;
  told.begin(1);
  told.begin(2);
  told.on_told(2, 0, {chunk(1, 10)});
  told.on_told(1, 0, {chunk(2, 20)});
  told.on_told(2, 10, {chunk(2, 20)});
  told.on_told(1, 20, {chunk(1, 10)});
  EXPECT_FALSE(told.first(chunk(2, 20), 2).has_value());
  EXPECT_EQ(told.first(chunk(1, 10), 1)->file, 2U);
}

TEST(ToldChunksTest, WhatCameToNothingLendsNoMore) {
  ToldChunks told;
  told.begin(1);
  told.begin(2);
  told.on_told(1, 0, {chunk(1, 10)});
  told.end(1, std::nullopt);
  told.on_told(2, 5, {chunk(1, 10)});
  told.on_told(3, 5, {});
  EXPECT_EQ(told.first(chunk(1, 10), 3)->file, 2U);
}

TEST(ToldChunksTest, AnotherLengthIsAnotherChunk) {
  ToldChunks told;
  told.begin(1);
  told.on_told(1, 0, {chunk(1, 10)});
  EXPECT_FALSE(told.first(chunk(1, 11), 1).has_value());
}

TEST(ToldChunksTest, AFileIsComingUntilItIsThereOrCameToNothing) {
  ToldChunks told;
  told.begin(1);
  told.begin(2);
  EXPECT_TRUE(told.is_coming(1));
  EXPECT_FALSE(told.place(1).has_value());
  told.end(1, place("/one"));
  told.end(1, std::nullopt);
  told.end(2, std::nullopt);
  EXPECT_FALSE(told.is_coming(1));
  EXPECT_FALSE(told.is_coming(2));
  EXPECT_EQ(told.place(1)->path, "/one");
  EXPECT_FALSE(told.place(2).has_value());
  told.end(3, place("/three"));
  EXPECT_FALSE(told.place(3).has_value()) << "nobody was to borrow of it";
}

TEST(ToldChunksTest, IsBounded) {
  ToldChunks told;
  std::vector<Chunk> many;
  for (std::uint32_t i = 0; i < kToldChunksMax + 2; ++i) {
    Chunk one{.length = 1};
    store_le(one.hash.data(), std::uint64_t{i});
    many.push_back(one);
  }
  told.on_told(1, 0, many);
  EXPECT_TRUE(told.first(many[kToldChunksMax - 1], 1).has_value());
  EXPECT_FALSE(told.first(many[kToldChunksMax], 1).has_value());
}

}  // namespace
}  // namespace wormhole::transfer
