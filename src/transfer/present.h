// What stands where a file is to go, and what becomes of it: the same answer for a transfer and for
// one that only says what it would do.
//
// Stateless; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "platform/file_system.h"
#include "wire/messages.h"

namespace wormhole::transfer {

enum class Present {
  kMissing,
  kEqual,  // by size and time
  kDifferent,
  // What a power cut leaves of a file that had arrived: its time is on the disk, and its size
  // perhaps, but not all of its bytes (docs/formats/partial.md).
  kEmptied,
  kHollow,
};

using wire::Leaves;

struct PresentRules {
  bool overwrite = false;
  Leaves leaves = Leaves::kNone;
  bool reuse = true;  // what is inside a file may be looked at
  bool sync = false;  // an equal one is to be on disk
  bool only_adds = false;
};

struct Standing {
  Present present = Present::kMissing;
  std::optional<platform::FileStatus> status;  // of what stands there
  bool is_anothers = false;                    // MetFiles: another entry's name is the same here
};

using wire::Action;
struct Judgement {
  Action action = Action::kFetch;
  std::string_view reason;
};

// With `sync` an equal file is on disk when this returns: an earlier run may not have waited.
[[nodiscard]] Result<Standing> look(const wire::Entry& entry, const platform::Directory& directory,
                                    const PresentRules& rules);
[[nodiscard]] Judgement judge(const wire::Entry& entry, const Standing& standing,
                              const PresentRules& rules);

// What stands where a symlink is to go stays, whatever else is said.
[[nodiscard]] bool leaves_to_symlink(const wire::Entry& symlink, const platform::FileStatus& there,
                                     Leaves leaves);

}  // namespace wormhole::transfer
