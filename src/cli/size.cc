#include "cli/size.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace wormhole::cli {
namespace {

constexpr std::string_view kPrefixes = "KMGT";

std::optional<double> factor_of(std::string_view suffix, std::uint64_t unit_bytes) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  std::string text(suffix);
  std::ranges::transform(text, text.begin(), upper);
  if (text.empty()) return static_cast<double>(unit_bytes);
  if (text == "B") return 1;
  const std::size_t power = kPrefixes.find(text[0]);
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = std::string_view(text).substr(1);
  const double exponent = static_cast<double>(power) + 1;
  if (rest.empty() || rest == "IB") return std::pow(1024, exponent);
  if (rest == "B") return std::pow(1000, exponent);
  return std::nullopt;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view option, std::string_view text,
                                 std::uint64_t unit_bytes) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto factor = factor_of(suffix, unit_bytes);
  const bool is_number = error == std::errc() && std::isfinite(value) && value >= 0;
  if (is_number && factor.has_value() && value * *factor < 0x1p63) {
    return static_cast<std::uint64_t>(value * *factor);
  }
  return fail({.code = Code::kUsage,
               .operation = "use " + std::string(option),
               .object = std::string(text),
               .detail = "it is not a size",
               .advice = "write a number, and K, M, G or T behind it"});
}

}  // namespace wormhole::cli
