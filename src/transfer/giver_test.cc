#include "transfer/giver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "platform/test_directory.h"
#include "transfer/connection_pair.h"

namespace wormhole::transfer {
namespace {

// The taker may want a file the moment it hears of it, which is before the walker returns from
// announcing it.
TEST(Giver, AFileMayBeWantedAsSoonAsItIsAnnounced) {
  const platform::TestDirectory directory;
  directory.write("one.bin", "content");
  const auto shares = Shares::open({directory / "one.bin"});
  ASSERT_TRUE(shares.has_value());
  testing::ConnectionPair pair;
  BlockPool pool{2};
  ControlWriter control{*pair.near().writer, pool};
  Giver giver{*shares, control};
  // Nothing leaves: the walker stays where it hands the announcement over.
  for (std::size_t i = 0; i < kControlWaitingMax; ++i) control.push(wire::Ping{});
  ASSERT_TRUE(giver.on_get({.request = 1, .path = "", .may_have = true, .credit = 8}).has_value());
  while (!giver.on_want({.request = 1, .files = {}, .decided = 1}).has_value()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // not announced yet
  }
  const auto wanted = giver.on_want({.request = 1, .files = {0}, .decided = 1});
  EXPECT_TRUE(wanted.has_value()) << to_sentence(wanted.error());
  EXPECT_TRUE(giver.next_now(kBlockBytes, 1).has_value()) << "its data can leave";
  control.close();
}

}  // namespace
}  // namespace wormhole::transfer
