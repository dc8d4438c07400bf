// Names exactly these bytes of a file, so that a taker can go on with what it has of them: a
// strong validator, as HTTP's ETag (RFC 9110, section 8.8.3). Who was told it can repeat it; what a
// taker makes of it cannot be had that way (version_names.h).
//
// Whoever writes the file, or replaces it, changes its name: the inode, its size, its time and the
// kernel's own time of the last change, which no program can set, go into it under a key of this
// machine and user. So another host's file is not taken for this one, however alike they look; and
// both ends may start anew in between. Built once, then any thread.
#pragma once

#include <cstdint>

#include "platform/file_system.h"
#include "store/hash.h"

namespace wormhole::transfer {

class SourceVersions {
 public:
  SourceVersions();
  // 0, which names nothing, for files that are too short to go on with.
  [[nodiscard]] std::uint64_t of(const platform::FileStatus& status) const;

 private:
  store::Hash key_;
};

}  // namespace wormhole::transfer
