#include "platform/accounts.h"

#include <gtest/gtest.h>

#include <map>

#include "base/limits.h"

namespace wormhole::platform {
namespace {

// A machine on which ann is 1000 and staff 50; it counts how often it was asked.
class Machine {
 public:
  [[nodiscard]] AccountLookups lookups() {
    return {.user_name = [this](std::uint32_t number) { return name_of(users_, number); },
            .group_name = [this](std::uint32_t number) { return name_of(groups_, number); },
            .user_number = [this](const std::string& name) { return number_of(users_, name); },
            .group_number = [this](const std::string& name) { return number_of(groups_, name); }};
  }
  int asked = 0;

 private:
  using Known = std::map<std::string, std::uint32_t>;
  std::optional<std::string> name_of(const Known& known, std::uint32_t wanted) {
    ++asked;
    for (const auto& [name, number] : known) {
      if (number == wanted) return name;
    }
    return std::nullopt;
  }
  std::optional<std::uint32_t> number_of(const Known& known, const std::string& wanted) {
    ++asked;
    const auto found = known.find(wanted);
    return found == known.end() ? std::nullopt : std::optional(found->second);
  }
  const Known users_ = {
      {"root", 0}, {"ann", 1000}, {std::string(kAccountNameMaxBytes + 1, 'x'), 7}};
  const Known groups_ = {{"root", 0}, {"staff", 50}};
};

class AccountsTest : public ::testing::Test {
 protected:
  Machine machine_;
  Accounts accounts_{machine_.lookups()};
};

TEST_F(AccountsTest, NumbersHaveTheirNames) {
  EXPECT_EQ(accounts_.user_name(1000), "ann");
  EXPECT_EQ(accounts_.group_name(50), "staff");
  EXPECT_EQ(accounts_.user_name(50), "");
  EXPECT_EQ(accounts_.group_name(1000), "");
}

TEST_F(AccountsTest, ANameThatIsTooLongIsNone) { EXPECT_EQ(accounts_.user_name(7), ""); }

TEST_F(AccountsTest, ANameCountsMoreThanANumber) {
  EXPECT_EQ(accounts_.user_here("ann", 4711), 1000u);
  EXPECT_EQ(accounts_.group_here("staff", 4711), 50u);
  EXPECT_EQ(accounts_.user_here("staff", 4711), 4711u) << "a group is no user";
  EXPECT_EQ(accounts_.group_here("ann", 4711), 4711u);
}

TEST_F(AccountsTest, WithoutOneTheNumberStays) {
  EXPECT_EQ(accounts_.user_here("", 1000), 1000u);
  EXPECT_EQ(accounts_.user_here("bob", 1001), 1001u);
}

TEST_F(AccountsTest, RootIsRootByNumber) {
  EXPECT_EQ(accounts_.user_here("ann", 0), 0u);
  EXPECT_EQ(accounts_.group_here("staff", 0), 0u);
  EXPECT_EQ(accounts_.user_here("toor", 0), 0u);
}

TEST_F(AccountsTest, EachIsLookedUpOnce) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(accounts_.user_name(1000), "ann");
    EXPECT_EQ(accounts_.user_name(1), "");
    EXPECT_EQ(accounts_.group_here("staff", 1), 50u);
    EXPECT_EQ(accounts_.group_here("gone", 1 + i), 1u + i);
  }
  EXPECT_EQ(machine_.asked, 4);
}

TEST_F(AccountsTest, WhatIsRememberedIsBounded) {
  for (std::uint32_t i = 0; i < kAccountsRememberedMax + 10; ++i) {
    EXPECT_EQ(accounts_.user_here("no-" + std::to_string(i), i + 1), i + 1);
  }
  machine_.asked = 0;
  EXPECT_EQ(accounts_.user_here("no-0", 1), 1u);
  EXPECT_EQ(machine_.asked, 0);
  EXPECT_EQ(accounts_.user_here("no-" + std::to_string(kAccountsRememberedMax + 5), 9), 9u);
  EXPECT_EQ(machine_.asked, 1);
}

TEST(AccountsOfThisSystem, RootIsThere) {
  prepare_accounts();
  Accounts accounts;
  EXPECT_EQ(accounts.user_name(0), "root");
  EXPECT_EQ(accounts.user_here(accounts.user_name(0), 5), 0u);
  EXPECT_FALSE(accounts.group_name(0).empty());
  EXPECT_EQ(accounts.group_here(accounts.group_name(0), 5), 0u);
  EXPECT_EQ(accounts.user_name(UINT32_MAX - 7), "");
  EXPECT_EQ(accounts.user_here("no such user here", 5), 5u);
}

}  // namespace
}  // namespace wormhole::platform
