// The names of users and groups, and their numbers here, as this machine's directory has them
// (passwd(5), group(5), nsswitch.conf(5)). What was looked up is remembered, so that a tree of a
// million files asks for each owner once.
//
// Any thread: one mutex, held over a look-up, which may take as long as a directory in the network
// does. An account that is made, or goes, meanwhile may be missed.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace wormhole::platform {

// Of each kind; what does not fit is looked up every time. A peer chooses names.
inline constexpr std::size_t kAccountsRememberedMax = 4096;

// What looking up local accounts reads, and how it finds out where others are: for a process that
// confines itself (platform/confinement.h). One that replaces them shuts itself off from what a
// new file of that name says.
inline constexpr std::array<const char*, 3> kAccountFiles = {"/etc/nsswitch.conf", "/etc/passwd",
                                                             "/etc/group"};
// Loads what the look-ups need (libraries), while it still can.
void prepare_accounts();

// nullopt: there is none.
struct AccountLookups {
  std::function<std::optional<std::string>(std::uint32_t)> user_name;
  std::function<std::optional<std::string>(std::uint32_t)> group_name;
  std::function<std::optional<std::uint32_t>(const std::string&)> user_number;
  std::function<std::optional<std::uint32_t>(const std::string&)> group_number;

  [[nodiscard]] static AccountLookups of_system();
};

class Accounts {
 public:
  explicit Accounts(AccountLookups lookups = AccountLookups::of_system())
      : lookups_(std::move(lookups)) {}

  // Empty: the number has none, or it is longer than kAccountNameMaxBytes.
  [[nodiscard]] std::string user_name(std::uint32_t number);
  [[nodiscard]] std::string group_name(std::uint32_t number);
  // Who is called `name` here; where nobody is, whoever has `number`. 0 is always 0: who is root
  // is not a matter of names.
  [[nodiscard]] std::uint32_t user_here(const std::string& name, std::uint32_t number);
  [[nodiscard]] std::uint32_t group_here(const std::string& name, std::uint32_t number);

 private:
  using Names = std::unordered_map<std::uint32_t, std::string>;
  using Numbers = std::unordered_map<std::string, std::optional<std::uint32_t>>;

  const AccountLookups lookups_;
  std::mutex mutex_;
  Names user_names_;
  Names group_names_;
  Numbers user_numbers_;
  Numbers group_numbers_;
};

}  // namespace wormhole::platform
