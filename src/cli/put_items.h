// What a put is to give, and where to: its operands, as cp(1) takes them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/target.h"

namespace wormhole::cli {

struct PutItems {
  std::vector<std::string> paths;  // here, at least one; "-" alone: standard input
  Target host;                     // its path: where to in what is shared; empty: own names

  // Where the thing of that name goes (wire::Put.path). One goes to the target's path, or into it
  // where that is a directory (transfer/destination.h); several go into it by their names.
  [[nodiscard]] std::string path_for(const std::string& name) const;
  [[nodiscard]] bool is_standard_input() const { return paths.front() == "-"; }
};

// The last operand is the target. kUsage otherwise.
[[nodiscard]] Result<PutItems> put_items_of(const std::vector<std::string>& operands);

}  // namespace wormhole::cli
