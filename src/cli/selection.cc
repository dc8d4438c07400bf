#include "cli/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string_view>

#include "cli/size.h"
#include "transfer/selector.h"

namespace wormhole::cli {
namespace {

using Kind = RuleArgument::Kind;

// A line a pattern, as in rsync's files: empty ones and those that begin with ';' or '#' are
// comments; "- PATTERN" and "+ PATTERN" say which.
void add_lines(std::istream& lines, wire::Selection& selection) {
  std::string line;
  while (std::getline(lines, line) && selection.rules.size() <= wire::kRulesMax) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == ';' || line[0] == '#') continue;
    const bool includes = line.starts_with("+ ");
    if (includes || line.starts_with("- ")) line.erase(0, 2);
    if (!line.empty()) selection.rules.push_back({!includes, line});
  }
}

bool is_standard_input(const RuleArgument& rule) {
  return rule.kind == Kind::kExcludeFrom && rule.value == "-";
}

Result<void> add_file(const std::string& path, wire::Selection& selection) {
  if (path == "-") {
    add_lines(std::cin, selection);
    if (std::ferror(stdin) == 0) return {};
    Error error = os_error(errno, "read --exclude-from", "standard input");
    error.code = Code::kUsage;
    return fail(std::move(error));
  }
  errno = 0;
  std::ifstream file(path);
  if (file) add_lines(file, selection);
  // A directory can be opened, and fails when it is read.
  if (!file.is_open() || file.bad()) {
    Error error = os_error(errno == 0 ? EIO : errno, "read --exclude-from", path);
    error.code = Code::kUsage;
    return fail(std::move(error));
  }
  return {};
}

}  // namespace

bool reads_rules_from_standard_input(const SelectionArguments& arguments) {
  return std::ranges::any_of(arguments.rules, is_standard_input);
}

Result<wire::Selection> selection_of(const SelectionArguments& arguments) {
  wire::Selection selection;
  selection.honours_ignore_files = arguments.gitignore;
  if (arguments.max_size.has_value()) {
    WH_ASSIGN(selection.size_max_bytes, parse_size("--max-size", *arguments.max_size, 1));
  }
  if (std::ranges::count_if(arguments.rules, is_standard_input) > 1) {
    return fail({.code = Code::kUsage,
                 .operation = "read patterns from standard input",
                 .detail = "it is named twice"});
  }
  for (const RuleArgument& rule : arguments.rules) {
    if (rule.kind == Kind::kExcludeFrom) {
      WH_TRY(add_file(rule.value, selection));
    } else if (rule.value.empty()) {
      return fail({.code = Code::kUsage, .operation = "use the pattern", .detail = "it is empty"});
    } else {
      selection.rules.push_back({rule.kind == Kind::kExclude, rule.value});
    }
  }
  std::size_t bytes = 0;
  for (const wire::Rule& rule : selection.rules) bytes += rule.pattern.size();
  if (selection.rules.size() > wire::kRulesMax || bytes > wire::kRulesMaxBytes) {
    return fail({.code = Code::kUsage,
                 .operation = "use the patterns",
                 .detail = fmt::format("they are more than {} or longer than {} KiB together",
                                       wire::kRulesMax, wire::kRulesMaxBytes / kKiB),
                 .advice = "give fewer, with stars"});
  }
  // Before anyone is asked for a code.
  if (auto compiled = transfer::Selector::compile(selection); !compiled.has_value()) {
    Error error = std::move(compiled).error();
    if (error.code == Code::kLimit) error.code = Code::kUsage;
    return fail(std::move(error));
  }
  return selection;
}

}  // namespace wormhole::cli
