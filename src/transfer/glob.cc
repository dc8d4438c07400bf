#include "transfer/glob.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <array>
#include <bitset>
#include <utility>

#include "base/units.h"

namespace wormhole::transfer {
namespace {

using ByteSet = std::bitset<256>;

Error unclosed(std::string_view pattern) {
  return {.code = Code::kUsage,
          .operation = "use the pattern",
          .object = std::string(pattern),
          .detail = "a '[' in it is not closed",
          .advice = "write '\\[' for the character itself"};
}

std::uint8_t value_of(char c) { return static_cast<std::uint8_t>(c); }

bool is_between(char c, char low, char high) { return c >= low && c <= high; }

// POSIX's classes, of ASCII: the same in every locale.
bool is_in_class(char c, std::string_view name) {
  const bool is_digit = is_between(c, '0', '9');
  const bool is_lower = is_between(c, 'a', 'z');
  const bool is_upper = is_between(c, 'A', 'Z');
  const bool is_graph = is_between(c, '!', '~');
  const bool is_alnum = is_digit || is_lower || is_upper;
  if (name == "digit") return is_digit;
  if (name == "lower") return is_lower;
  if (name == "upper") return is_upper;
  if (name == "alpha") return is_lower || is_upper;
  if (name == "alnum") return is_alnum;
  if (name == "xdigit") return is_digit || is_between(c, 'a', 'f') || is_between(c, 'A', 'F');
  if (name == "punct") return is_graph && !is_alnum;
  if (name == "graph") return is_graph;
  if (name == "print") return is_graph || c == ' ';
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "space") return c == ' ' || is_between(c, '\t', '\r');
  if (name == "cntrl") return is_between(c, '\0', '\x1f') || c == '\x7f';
  return false;
}

// Reads "[...]" from `at` on, which it moves behind it.
std::optional<ByteSet> read_brackets(std::string_view pattern, std::size_t& at) {
  ByteSet set;
  std::size_t i = at + 1;
  const auto has = [&](std::size_t more) { return i + more < pattern.size(); };
  const bool is_negated = has(0) && (pattern[i] == '!' || pattern[i] == '^');
  if (is_negated) ++i;
  for (bool is_first = true;; is_first = false) {
    if (!has(0)) return std::nullopt;
    if (pattern[i] == ']' && !is_first) break;
    if (pattern.substr(i).starts_with("[:")) {
      const std::size_t end = pattern.find(":]", i + 2);
      if (end != std::string_view::npos) {
        const std::string_view name = pattern.substr(i + 2, end - i - 2);
        for (unsigned c = 0; c < 128; ++c) {
          if (is_in_class(static_cast<char>(c), name)) set.set(c);
        }
        i = end + 2;
        continue;
      }
    }
    if (pattern[i] == '\\' && has(1)) ++i;
    const std::uint8_t low = value_of(pattern[i++]);
    std::uint8_t high = low;
    if (has(1) && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      if (pattern[i] == '\\' && has(1)) ++i;
      high = value_of(pattern[i++]);
    }
    for (unsigned c = low; c <= high; ++c) set.set(c);
  }
  at = i + 1;
  if (is_negated) set.flip();
  set.reset('/');
  set.reset('\0');
  return set;
}

void append_byte(std::string& regex, unsigned byte) { regex += fmt::format("\\x{:02x}", byte); }

void append_set(std::string& regex, const ByteSet& set) {
  if (set.none()) {
    regex += "[^\\x00-\\xff]";
    return;
  }
  regex += '[';
  for (unsigned low = 0; low < set.size(); ++low) {
    if (!set.test(low)) continue;
    unsigned high = low;
    while (high + 1 < set.size() && set.test(high + 1)) ++high;
    append_byte(regex, low);
    regex += '-';
    append_byte(regex, high);
    low = high;
  }
  regex += ']';
}

void append_literal(std::string& regex, char c) {
  const bool is_plain =
      is_in_class(c, "alnum") || c == '/' || c == '_' || c == '-' || c == ' ' || c == ',';
  if (is_plain) {
    regex += c;
  } else {
    append_byte(regex, value_of(c));
  }
}

// A directory's path ends in NUL where it is matched: no name has one, so that no star takes it for
// the beginning of what is in it, as it would a '/'.
constexpr std::string_view kIsDirectory = "\\x00";
constexpr std::string_view kAnyDepth = "(?:[^\\x00]*/)?";
constexpr std::string_view kAnything = "[^\\x00]*";
constexpr std::string_view kSomething = "[^\\x00]+";
constexpr std::string_view kWithinName = "[^/\\x00]*";

// The pattern without the slashes that hold it to the top and to directories.
Result<std::string> body_of(std::string_view pattern, Dialect dialect) {
  std::string regex;
  std::size_t at = 0;
  while (at < pattern.size()) {
    const char c = pattern[at];
    const bool begins_part = at == 0 || pattern[at - 1] == '/';
    if (c == '*') {
      std::size_t stars = 0;
      while (at < pattern.size() && pattern[at] == '*') ++stars, ++at;
      const bool ends_part = at == pattern.size() || pattern[at] == '/';
      if (dialect == Dialect::kFilter) {
        const bool leads = at == stars && stars >= 2 && ends_part && at < pattern.size();
        if (leads) ++at;
        regex += leads ? kAnyDepth : stars > 1 ? kAnything : kWithinName;
      } else if (stars >= 2 && begins_part && ends_part) {
        const bool is_last = at == pattern.size();
        if (!is_last) ++at;
        regex += is_last ? kSomething : kAnyDepth;
      } else {
        regex += kWithinName;
      }
    } else if (c == '?') {
      regex += "[^/\\x00]";
      ++at;
    } else if (c == '[') {
      const auto set = read_brackets(pattern, at);
      if (!set.has_value()) return fail(unclosed(pattern));
      append_set(regex, *set);
    } else {
      if (c == '\\' && at + 1 < pattern.size()) ++at;
      append_literal(regex, pattern[at++]);
    }
  }
  return regex;
}

}  // namespace

Result<std::string> regex_of(std::string_view pattern, Dialect dialect) {
  std::string_view rest = pattern;
  constexpr std::string_view kAndAllInIt = "/***";
  const bool has_all_in_it = dialect == Dialect::kFilter && rest.ends_with(kAndAllInIt) &&
                             rest.size() > kAndAllInIt.size();
  if (has_all_in_it) rest.remove_suffix(kAndAllInIt.size());
  const bool is_directory = !has_all_in_it && rest.ends_with('/');
  if (is_directory) rest.remove_suffix(1);
  bool is_anchored = rest.starts_with('/');
  if (is_anchored) rest.remove_prefix(1);
  if (dialect == Dialect::kIgnoreFile && rest.find('/') != std::string_view::npos) {
    is_anchored = true;
  }
  WH_ASSIGN(const std::string body, body_of(rest, dialect));
  std::string regex;
  if (!is_anchored) regex += kAnyDepth;
  regex += body;
  const std::string may_be_directory = std::string(kIsDirectory) + "?";
  if (has_all_in_it) {
    regex += fmt::format("(?:{}|/{}{})", kIsDirectory, kAnything, may_be_directory);
  } else {
    regex += is_directory ? std::string(kIsDirectory) : may_be_directory;
  }
  return regex;
}

PatternList::PatternList() = default;
PatternList::PatternList(PatternList&&) noexcept = default;
PatternList& PatternList::operator=(PatternList&&) noexcept = default;
PatternList::~PatternList() = default;

Result<PatternList> PatternList::compile(const std::vector<Pattern>& patterns,
                                         std::size_t bytes_max) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_log_errors(false);
  std::size_t groups = 1;
  for (std::size_t i = 1; i < patterns.size(); ++i) {
    if (patterns[i - 1].excludes != patterns[i].excludes) ++groups;
  }
  if (groups > kPatternGroupsMax) {
    return fail({.code = Code::kLimit,
                 .operation = "use the patterns",
                 .detail = "they change too often between what is excluded and what is not",
                 .advice = "put those together that say the same"});
  }
  options.set_max_mem(static_cast<std::int64_t>(bytes_max / groups));
  PatternList list;
  for (std::size_t i = 0; i < patterns.size();) {
    const bool excludes = patterns[i].excludes;
    std::string together;
    for (; i < patterns.size() && patterns[i].excludes == excludes; ++i) {
      together += together.empty() ? "" : "|";
      together += "(?:" + patterns[i].regex + ")";
    }
    auto regex = std::make_unique<RE2>(together, options);
    if (!regex->ok()) {
      return fail({.code = Code::kLimit,
                   .operation = "use the patterns",
                   .detail = "together they are too long",
                   .advice = "give fewer"});
    }
    list.groups_.push_back({std::move(regex), excludes});
  }
  return list;
}

std::optional<bool> PatternList::excludes(std::string_view path) const {
  std::string directory;
  if (path.ends_with('/')) {
    directory = path;
    directory.back() = '\0';
    path = directory;
  }
  const re2::StringPiece subject(path.data(), path.size());
  for (const Group& group : groups_) {
    if (RE2::FullMatch(subject, *group.regex)) return group.excludes;
  }
  return std::nullopt;
}

}  // namespace wormhole::transfer
