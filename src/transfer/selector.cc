#include "transfer/selector.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace wormhole::transfer {
namespace {

constexpr std::string_view kIgnoreFileName = ".gitignore";
// Real ones have some hundred lines.
constexpr std::size_t kIgnoreFileMaxBytes = 64 * kKiB;
// Of directories above each other: some 32 MiB at the most.
constexpr std::size_t kIgnoreFilesMax = 16;

// A line of a .gitignore without what is not its pattern; empty where it has none.
std::string_view pattern_of(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  return line.starts_with('#') ? std::string_view() : line;
}

}  // namespace

Result<Selector> Selector::compile(const wire::Selection& selection) {
  std::vector<PatternList::Pattern> patterns;
  patterns.reserve(selection.rules.size());
  for (const wire::Rule& rule : selection.rules) {
    WH_ASSIGN(auto regex, regex_of(rule.pattern, Dialect::kFilter));
    patterns.push_back({std::move(regex), rule.excludes});
  }
  Selector selector;
  WH_ASSIGN(selector.rules_, PatternList::compile(patterns));
  selector.size_max_bytes_ = selection.size_max_bytes;
  selector.honours_ignore_files_ = selection.honours_ignore_files;
  return selector;
}

bool Selector::takes_path(std::string_view path) const {
  return rules_.empty() || !rules_.excludes(path).value_or(false);
}

Result<void> IgnoreFiles::enter(const platform::Directory& directory, std::string_view path) {
  levels_.push_back({path.size(), {}});
  const auto file = directory.open_file(kIgnoreFileName);
  if (!file.has_value()) {
    return file.error().code == Code::kNotFound ? Result<void>() : fail(file.error());
  }
  const auto is_used = [](const Level& level) { return !level.patterns.empty(); };
  if (static_cast<std::size_t>(std::ranges::count_if(levels_, is_used)) >= kIgnoreFilesMax) {
    return fail({.code = Code::kLimit,
                 .operation = "read",
                 .object = std::string(kIgnoreFileName),
                 .detail = "16 directories above it have one already"});
  }
  std::string text(kIgnoreFileMaxBytes + 1, '\0');
  WH_ASSIGN(const std::size_t size, file->read_at(std::as_writable_bytes(std::span(text)), 0));
  if (size > kIgnoreFileMaxBytes) {
    return fail({.code = Code::kLimit,
                 .operation = "read",
                 .object = std::string(kIgnoreFileName),
                 .detail = "it is longer than 64 KiB"});
  }
  text.resize(size);
  WH_ASSIGN(levels_.back().patterns, parse(text));
  return {};
}

void IgnoreFiles::leave() { levels_.pop_back(); }

bool IgnoreFiles::excludes(std::string_view path) const {
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    if (level->patterns.empty()) continue;
    const auto decided = level->patterns.excludes(path.substr(level->prefix_bytes));
    if (decided.has_value()) return *decided;
  }
  return false;
}

Result<PatternList> IgnoreFiles::parse(std::string_view text) {
  std::vector<PatternList::Pattern> patterns;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = pattern_of(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const bool excludes = !line.starts_with('!');
    if (!excludes) line.remove_prefix(1);
    if (line.empty() || line == "/") continue;
    auto regex = regex_of(line, Dialect::kIgnoreFile);
    // As Git has it, what cannot be understood fits nothing.
    if (regex.has_value()) patterns.push_back({std::move(*regex), excludes});
  }
  std::ranges::reverse(patterns);
  return PatternList::compile(patterns, kIgnoreFileMaxMemoryBytes);
}

}  // namespace wormhole::transfer
