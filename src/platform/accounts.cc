#include "platform/accounts.h"

#include <utility>

#include "base/limits.h"

namespace wormhole::platform {
namespace {

template <typename Map, typename Key, typename LookUp>
typename Map::mapped_type remembered(Map& known, const Key& key, const LookUp& look_up) {
  if (const auto found = known.find(key); found != known.end()) return found->second;
  typename Map::mapped_type value = look_up(key);
  if (known.size() < kAccountsRememberedMax) known.emplace(key, value);
  return value;
}

std::string usable(std::optional<std::string> name) {
  if (!name.has_value() || name->size() > kAccountNameMaxBytes) return {};
  return std::move(*name);
}

}  // namespace

std::string Accounts::user_name(std::uint32_t number) {
  std::scoped_lock lock(mutex_);
  return remembered(user_names_, number,
                    [&](std::uint32_t one) { return usable(lookups_.user_name(one)); });
}

std::string Accounts::group_name(std::uint32_t number) {
  std::scoped_lock lock(mutex_);
  return remembered(group_names_, number,
                    [&](std::uint32_t one) { return usable(lookups_.group_name(one)); });
}

std::uint32_t Accounts::user_here(const std::string& name, std::uint32_t number) {
  if (number == 0 || name.empty()) return number;
  std::scoped_lock lock(mutex_);
  return remembered(user_numbers_, name, lookups_.user_number).value_or(number);
}

std::uint32_t Accounts::group_here(const std::string& name, std::uint32_t number) {
  if (number == 0 || name.empty()) return number;
  std::scoped_lock lock(mutex_);
  return remembered(group_numbers_, name, lookups_.group_number).value_or(number);
}

}  // namespace wormhole::platform
