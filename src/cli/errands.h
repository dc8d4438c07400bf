// What a get is to fetch, and where to: its operands, as cp(1) takes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/target.h"
#include "transfer/tree_builder.h"

namespace wormhole::cli {

struct Errand {
  std::string path;  // at the host
  transfer::Destination destination;

  [[nodiscard]] std::string last_part() const { return transfer::last_part(path); }
};

struct Errands {
  Target host;
  transfer::Destination destination;  // as the user named it: all of it goes there or below
  std::vector<Errand> all;            // at least one
};

// One operand: fetched here. Two: fetched to the second. More: all but the last one, which must be
// of one host and have names, each by its name into the last, a directory. kUsage otherwise.
[[nodiscard]] Result<Errands> errands_of(const std::vector<std::string>& operands);

// What is wrong with one of several paths, and not with the rest.
[[nodiscard]] bool is_of_one_path(Code code);

// How one of them is to be taken, but for the index.
[[nodiscard]] transfer::TakeOptions take_options(const TransferArguments& arguments,
                                                 const Errand& errand,
                                                 const wire::Selection& selection);

}  // namespace wormhole::cli
