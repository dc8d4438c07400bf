#include "transfer/version_names.h"

#include <gtest/gtest.h>

namespace wormhole::transfer {
namespace {

const store::UserSecret kSecret{store::Hash{std::byte{1}}};
constexpr wire::HostKey kHost{std::byte{5}};

TEST(VersionNames, AreTheSameInAnotherSession) {
  EXPECT_EQ(VersionNames(kSecret, kHost).of(77), VersionNames(kSecret, kHost).of(77));
  EXPECT_NE(VersionNames(kSecret, kHost).of(77), VersionNames(kSecret, kHost).of(78));
}

TEST(VersionNames, AnotherHostsSameWordIsAnotherName) {
  const VersionNames names(kSecret, kHost);
  EXPECT_NE(names.of(77), 77U);
  EXPECT_NE(names.of(77), VersionNames(kSecret, wire::HostKey{std::byte{6}}).of(77));
  EXPECT_NE(names.of(77), VersionNames(store::UserSecret(store::Hash{}), kHost).of(77));
}

TEST(VersionNames, NoWordIsNoName) { EXPECT_EQ(VersionNames(kSecret, kHost).of(0), 0U); }

}  // namespace
}  // namespace wormhole::transfer
