#include "cli/human.h"

#include <gtest/gtest.h>

namespace wormhole::cli {
namespace {

using Seconds = std::chrono::duration<double>;

TEST(Human, Bytes) {
  const std::pair<std::uint64_t, const char*> cases[] = {{0, "0 B"},
                                                         {1, "1 B"},
                                                         {999, "999 B"},
                                                         {1000, "1.00 kB"},
                                                         {1234, "1.23 kB"},
                                                         {9'994, "9.99 kB"},
                                                         {9'996, "10.0 kB"},
                                                         {99'940, "99.9 kB"},
                                                         {99'960, "100 kB"},
                                                         {999'400, "999 kB"},
                                                         {999'600, "1.00 MB"},
                                                         {1'230'000'000, "1.23 GB"},
                                                         {5'000'000'000'000, "5.00 TB"},
                                                         {UINT64_MAX, "18.4 EB"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(human_bytes(bytes), text) << bytes;
}

TEST(Human, Rates) {
  EXPECT_EQ(human_rate(1'000'000, Seconds(2)), "500 kB/s");
  EXPECT_EQ(human_rate(0, Seconds(2)), "0 B/s");
  EXPECT_EQ(human_rate(5, Seconds(0)), "-");
  EXPECT_EQ(human_rate(5, Seconds(-1)), "-");
}

TEST(Human, Times) {
  const std::pair<double, const char*> cases[] = {
      {0, "0.0 s"},        {4.21, "4.2 s"},   {9.94, "9.9 s"},       {10, "10 s"},
      {59.4, "59 s"},      {59.6, "1:00"},    {65, "1:05"},          {3599.4, "59:59"},
      {3599.6, "1:00:00"}, {7384, "2:03:04"}, {360'000, "100:00:00"}};
  for (const auto& [seconds, text] : cases)
    EXPECT_EQ(human_time(Seconds(seconds)), text) << seconds;
}

TEST(Human, Counts) {
  const std::pair<std::uint64_t, const char*> cases[] = {
      {0, "0"},
      {999, "999"},
      {1000, "1,000"},
      {12'345, "12,345"},
      {1'234'567, "1,234,567"},
      {UINT64_MAX, "18,446,744,073,709,551,615"}};
  for (const auto& [count, text] : cases) EXPECT_EQ(human_count(count), text);
}

}  // namespace
}  // namespace wormhole::cli
