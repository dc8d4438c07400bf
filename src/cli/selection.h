// Which of what is asked for is meant: the options of get, made into what a request says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/messages.h"

namespace wormhole::cli {

// One of --include, --exclude and --exclude-from: what comes first decides.
struct RuleArgument {
  enum class Kind { kInclude, kExclude, kExcludeFrom };
  Kind kind = Kind::kExclude;
  std::string value;
};

struct SelectionArguments {
  std::vector<RuleArgument> rules = {};  // as they stood on the command line
  std::optional<std::string> max_size = {};
  bool gitignore = false;
};

// "-": --exclude-from reads standard input, which then has nothing for anyone else.
[[nodiscard]] bool reads_rules_from_standard_input(const SelectionArguments& arguments);

// Reads the files of --exclude-from ("-": standard input). kUsage for a pattern or a size that
// cannot be understood, for too many, and for a file that cannot be read.
[[nodiscard]] Result<wire::Selection> selection_of(const SelectionArguments& arguments);

}  // namespace wormhole::cli
