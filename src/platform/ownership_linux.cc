#include <fcntl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/bytes.h"
#include "base/limits.h"
#include "platform/ownership.h"

namespace wormhole::platform {
namespace {

constexpr std::string_view kUserPrefix = "user.";
constexpr std::string_view kCapabilities = "security.capability";

constexpr std::size_t kListMaxBytes = 64 * kKiB;  // XATTR_LIST_MAX
// What most files have is read with two calls.
constexpr std::size_t kFirstTryBytes = 1024;

// linux/posix_acl_xattr.h, little endian: u32 version; then for each entry u16 tag, u16
// permissions, u32 id.
constexpr std::size_t kAclHeaderBytes = sizeof(posix_acl_xattr_header);
constexpr std::size_t kAclEntryBytes = sizeof(posix_acl_xattr_entry);
constexpr std::uint16_t kAclGroupOwner = 0x04;  // ACL_GROUP_OBJ

// The names, each with a NUL behind it; nullopt where they cannot be had.
std::optional<std::string> list_names(int handle) {
  std::string names(kFirstTryBytes, '\0');
  ssize_t bytes = ::flistxattr(handle, names.data(), names.size());
  if (bytes < 0 && errno == ERANGE) {
    names.resize(kListMaxBytes);
    bytes = ::flistxattr(handle, names.data(), names.size());
  }
  if (bytes < 0 && errno != EOPNOTSUPP && errno != ENOSYS) return std::nullopt;
  names.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  return names;
}

enum class Read : std::uint8_t { kDone, kGone, kLeftOut };

Read read_value(int handle, const char* name, std::size_t max_bytes, std::string& value) {
  value.resize(kFirstTryBytes);
  ssize_t bytes = ::fgetxattr(handle, name, value.data(), value.size());
  // Never with no room at all, which asks for the length.
  if (bytes < 0 && errno == ERANGE && max_bytes > kFirstTryBytes) {
    value.resize(max_bytes);
    bytes = ::fgetxattr(handle, name, value.data(), value.size());
  }
  if (bytes < 0) return errno == ENODATA ? Read::kGone : Read::kLeftOut;
  value.resize(static_cast<std::size_t>(bytes));
  return value.size() <= max_bytes ? Read::kDone : Read::kLeftOut;
}

}  // namespace

bool is_kept_attribute(std::string_view name) {
  if (name.size() > kAttributeNameMaxBytes || name.find('\0') != std::string_view::npos) {
    return false;
  }
  return is_acl(name) || (name.starts_with(kUserPrefix) && name.size() > kUserPrefix.size());
}

Attributes read_attributes(int handle) {
  Attributes found;
  const auto names = list_names(handle);
  if (!names.has_value()) {
    found.left_out = 1;
    return found;
  }
  std::size_t room = kAttributesMaxBytes;
  for (std::size_t at = 0; at < names->size();) {
    const std::string name(names->c_str() + at);
    at += name.size() + 1;
    if (name == kCapabilities) found.has_capabilities = true;
    if (!is_kept_attribute(name)) continue;
    std::string value;
    const bool has_room = found.kept.size() < kAttributesMax && name.size() <= room;
    const Read read =
        has_room ? read_value(handle, name.c_str(), room - name.size(), value) : Read::kLeftOut;
    if (read == Read::kLeftOut) ++found.left_out;
    if (read != Read::kDone) continue;
    room -= name.size() + value.size();
    found.kept.push_back({name, std::move(value)});
  }
  return found;
}

Result<void> set_attribute(int handle, const Attribute& attribute) {
  const bool is_kept = is_kept_attribute(attribute.name);
  if (is_kept && ::fsetxattr(handle, attribute.name.c_str(), attribute.value.data(),
                             attribute.value.size(), 0) == 0) {
    return {};
  }
  return fail(os_error(is_kept ? errno : EPERM, "set the attribute", attribute.name));
}

Result<void> remove_attribute(int handle, std::string_view name) {
  if (::fremovexattr(handle, std::string(name).c_str()) == 0 || errno == ENODATA) return {};
  return fail(os_error(errno, "remove the attribute", name));
}

Result<void> set_owner(int handle, std::optional<std::uint32_t> user,
                       std::optional<std::uint32_t> group) {
  constexpr std::uint32_t kLeave = UINT32_MAX;
  const int result =
      ::fchownat(handle, "", user.value_or(kLeave), group.value_or(kLeave), AT_EMPTY_PATH);
  if (result != 0) return fail(os_error(errno, "give away", {}));
  return {};
}

std::optional<std::uint32_t> group_bits_of_acl(std::string_view acl) {
  const Bytes bytes = as_bytes(acl);
  if (bytes.size() < kAclHeaderBytes || (bytes.size() - kAclHeaderBytes) % kAclEntryBytes != 0 ||
      load_le<std::uint32_t>(bytes.data()) != POSIX_ACL_XATTR_VERSION) {
    return std::nullopt;
  }
  for (std::size_t at = kAclHeaderBytes; at < bytes.size(); at += kAclEntryBytes) {
    if (load_le<std::uint16_t>(bytes.data() + at) != kAclGroupOwner) continue;
    return load_le<std::uint16_t>(bytes.data() + at + sizeof(std::uint16_t)) & 07u;
  }
  return std::nullopt;
}

}  // namespace wormhole::platform
