#include "transfer/glob_fuzz.h"

#include "base/check.h"
#include "transfer/glob.h"
#include "transfer/selector.h"

namespace wormhole::transfer {
namespace {

std::string escaped(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

PatternList one(std::string_view pattern, Dialect dialect) {
  const auto regex = regex_of(pattern, dialect);
  if (!regex.has_value()) {
    WH_CHECK(regex.error().code == Code::kUsage);
    return {};
  }
  auto list = PatternList::compile({{*regex, true}});
  WH_CHECK(list.has_value());
  return std::move(*list);
}

}  // namespace

// First byte: where the pattern ends and the path begins.
void fuzz_glob(Bytes input) {
  if (input.empty() || input.size() > 4096) return;
  const std::string_view text = as_text(input.subspan(1));
  const std::size_t cut = std::min(text.size(), std::to_integer<std::size_t>(input[0]));
  const std::string_view pattern = text.substr(0, cut);
  const std::string_view path = text.substr(cut);
  for (const Dialect dialect : {Dialect::kFilter, Dialect::kIgnoreFile}) {
    static_cast<void>(one(pattern, dialect).excludes(path));
    // What is written out fits what it says, at any depth where nothing holds it to the top.
    if (path.empty() || path.find('/') != std::string_view::npos) continue;
    const PatternList itself = one(escaped(path), dialect);
    WH_CHECK(itself.excludes(path) == true);
    WH_CHECK(itself.excludes("a/b/" + std::string(path)) == true);
    WH_CHECK(itself.excludes(std::string(path) + "x") == std::nullopt);
  }
  static_cast<void>(IgnoreFiles::parse(text));
}

}  // namespace wormhole::transfer

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::transfer::fuzz_glob(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
