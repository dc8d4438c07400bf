// What a giver tells of an entry where the taker asked for more than modes and times
// (wire::Keeps): owner, group and attributes, access time.
//
// One thread. Reads attributes by handle, and only where they were asked for.
#pragma once

#include <memory>

#include "platform/accounts.h"
#include "platform/file_system.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// By number alone, for one that could be opened and one that could not (of which attributes may be
// missing, which is told).
[[nodiscard]] wire::Archived archived_of(const platform::FileStatus& status, int handle);
[[nodiscard]] wire::Archived archived_unopened(const platform::FileStatus& status);

class ArchiveTeller {
 public:
  // `accounts` outlives it.
  ArchiveTeller(wire::Keeps keeps, platform::Accounts& accounts)
      : keeps_(keeps), accounts_(accounts) {}

  // `room_bytes`: of its attributes, which are held until all that is in it is done with.
  [[nodiscard]] std::shared_ptr<const wire::Archived> of_directory(
      const platform::FileStatus& status, const platform::Directory& directory,
      std::size_t room_bytes) const;
  [[nodiscard]] std::shared_ptr<const wire::Archived> of_file(const platform::FileStatus& status,
                                                              const platform::Directory& directory,
                                                              std::string_view name) const;
  // Without attributes: Linux has no `user.*` and no ACL of a symlink.
  [[nodiscard]] std::shared_ptr<const wire::Archived> of_symlink(
      const platform::FileStatus& status) const;

 private:
  [[nodiscard]] std::shared_ptr<const wire::Archived> named(wire::Archived archived) const;

  const wire::Keeps keeps_;
  platform::Accounts& accounts_;
};

}  // namespace wormhole::transfer
