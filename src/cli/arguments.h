// What the shell gave, as the library for options is to see it. By itself that would take an
// operand in brackets, such as an IPv6 address, for a list; "--" behind an operand for the end of
// the command; and for the empty value of "--option=" the argument behind it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace wormhole::cli {

// Operands that are not to be looked into are marked. `takes_value`: whether the argument behind
// that option is its value. kUsage for an option whose value is empty.
[[nodiscard]] Result<std::vector<std::string>> prepare_arguments(
    const std::vector<std::string>& arguments,
    const std::function<bool(const std::string& option)>& takes_value);

// Each parsed operand is to come by here: what the user gave.
[[nodiscard]] std::string unmarked(std::string operand);
// Each message of the library's that may name some.
[[nodiscard]] std::string without_marks(std::string message);

}  // namespace wormhole::cli
