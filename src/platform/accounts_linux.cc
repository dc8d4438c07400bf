#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/limits.h"
#include "base/units.h"
#include "platform/accounts.h"

namespace wormhole::platform {
namespace {

// A group comes with all its members: large ones take the larger size.
constexpr std::size_t kRecordBytes = 4 * kKiB;
constexpr std::size_t kRecordMaxBytes = 4 * kMiB;

// Calls look_up(record, buffer, size, found) as the C library wants it, with as much room as it
// takes; 0 or the error.
template <typename Record, typename LookUp, typename Use>
void with_record(const LookUp& look_up, const Use& use) {
  std::vector<char> buffer(kRecordBytes);
  while (true) {
    Record record{};
    Record* found = nullptr;
    const int error = look_up(&record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < kRecordMaxBytes) {
      buffer.resize(buffer.size() * 4);
      continue;
    }
    if (error == EINTR) continue;
    if (error == 0 && found != nullptr) use(*found);
    return;
  }
}

std::optional<std::string> user_name(std::uint32_t number) {
  std::optional<std::string> name;
  with_record<passwd>([&](auto... rest) { return ::getpwuid_r(number, rest...); },
                      [&](const passwd& user) { name = user.pw_name; });
  return name;
}

std::optional<std::string> group_name(std::uint32_t number) {
  std::optional<std::string> name;
  with_record<group>([&](auto... rest) { return ::getgrgid_r(number, rest...); },
                     [&](const group& group) { name = group.gr_name; });
  return name;
}

std::optional<std::uint32_t> user_number(const std::string& name) {
  std::optional<std::uint32_t> number;
  with_record<passwd>([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); },
                      [&](const passwd& user) { number = user.pw_uid; });
  return number;
}

std::optional<std::uint32_t> group_number(const std::string& name) {
  std::optional<std::uint32_t> number;
  with_record<group>([&](auto... rest) { return ::getgrnam_r(name.c_str(), rest...); },
                     [&](const group& group) { number = group.gr_gid; });
  return number;
}

}  // namespace

AccountLookups AccountLookups::of_system() {
  return {.user_name = wormhole::platform::user_name,
          .group_name = wormhole::platform::group_name,
          .user_number = wormhole::platform::user_number,
          .group_number = wormhole::platform::group_number};
}

void prepare_accounts() {
  // Of a number that nobody has, every service is asked.
  constexpr std::uint32_t kNobodys = UINT32_MAX - 1;
  static_cast<void>(user_name(kNobodys));
  static_cast<void>(group_name(kNobodys));
}

}  // namespace wormhole::platform
