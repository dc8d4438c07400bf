// Who owns what is open, and its extended attributes, POSIX ACLs among them. By handle only:
// nothing here takes a path, so nothing lands on what took a name meanwhile.
//
// Stateless, any thread. Kept are `user.*` and the two POSIX ACLs. `security.*` and `trusted.*` are
// neither read nor set: a file's capabilities are as good as set-user-ID (threat 16), labels are
// this system's. Of those one thing is told: that a file has capabilities.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/attribute.h"
#include "base/result.h"

namespace wormhole::platform {

inline constexpr std::string_view kAccessAcl = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";  // of a directory

// A name of one that is kept: whatever else a peer says is not set.
[[nodiscard]] bool is_kept_attribute(std::string_view name);
[[nodiscard]] inline bool is_acl(std::string_view name) {
  return name == kAccessAcl || name == kDefaultAcl;
}

struct Attributes {
  std::vector<Attribute> kept;  // within base/limits.h
  std::uint32_t left_out = 0;   // that are beyond those limits, or cannot be read
  bool has_capabilities = false;
};
// Of a file or directory. None where the file system has no notion of them; what cannot be read is
// left out.
[[nodiscard]] Attributes read_attributes(int handle);
[[nodiscard]] Result<void> set_attribute(int handle, const Attribute& attribute);
[[nodiscard]] Result<void> remove_attribute(int handle, std::string_view name);

// nullopt: it stays. Also of a symlink (Directory::open_symlink).
[[nodiscard]] Result<void> set_owner(int handle, std::optional<std::uint32_t> user,
                                     std::optional<std::uint32_t> group);

// What the group of a file may do by its access ACL without the mask, as three bits; nullopt for
// bytes that are no such ACL. A mode's group bits are the mask where there is one: whoever keeps
// the mode without the ACL would let the group do more than it may.
[[nodiscard]] std::optional<std::uint32_t> group_bits_of_acl(std::string_view acl);

}  // namespace wormhole::platform
