#include "base/escape.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

namespace wormhole {
namespace {

struct CodePoint {
  char32_t value;
  std::size_t bytes;
};

// The well-formed UTF-8 sequence at the front (RFC 3629 section 4), if there is one.
std::optional<CodePoint> decode_front(std::string_view raw) {
  const auto byte_at = [&](std::size_t at) { return static_cast<std::uint8_t>(raw[at]); };
  const std::uint8_t lead = byte_at(0);
  if (lead < 0x80) return CodePoint{lead, 1};

  std::size_t bytes = 0;
  char32_t value = 0;
  char32_t least = 0;  // below it the form is overlong
  if (lead >= 0xC2 && lead <= 0xDF) {
    bytes = 2, value = lead & 0x1Fu, least = 0x80;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    bytes = 3, value = lead & 0x0Fu, least = 0x800;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    bytes = 4, value = lead & 0x07u, least = 0x10000;
  } else {
    return std::nullopt;
  }
  if (raw.size() < bytes) return std::nullopt;
  for (std::size_t at = 1; at < bytes; ++at) {
    if ((byte_at(at) & 0xC0u) != 0x80) return std::nullopt;
    value = (value << 6) | (byte_at(at) & 0x3Fu);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < least || value > 0x10FFFF || surrogate) return std::nullopt;
  return CodePoint{value, bytes};
}

struct Interval {
  char32_t first;
  char32_t last;
};

// What is not seen, or changes how others are seen: Unicode 15 general categories Cc (from C1
// on), Cf, Zl and Zp, Default_Ignorable_Code_Point, and noncharacters. Ascending.
constexpr Interval kUnseen[] = {
    {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x0600, 0x0605},
    {0x061C, 0x061C},   {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},
    {0x08E2, 0x08E2},   {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F},
    {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},   {0x3164, 0x3164},
    {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
    {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0x1FFFE, 0x1FFFF},
    {0xE0000, 0xE0FFF},
};

bool is_unseen(char32_t value) {
  if (value < 0x20) return true;
  if ((value & 0xFFFE) == 0xFFFE) return true;  // the last two of every plane
  const auto* after = std::upper_bound(
      std::begin(kUnseen), std::end(kUnseen), value,
      [](char32_t sought, const Interval& interval) { return sought < interval.first; });
  return after != std::begin(kUnseen) && value <= std::prev(after)->last;
}

constexpr char kDigits[] = "0123456789ABCDEF";

void append_byte(std::string& out, std::uint8_t byte) {
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_code_point(std::string& out, char32_t value) {
  int shift = 20;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  out += "\\u{";
  for (; shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 15];
  out += '}';
}

}  // namespace

std::string escape(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    const auto point = decode_front(raw);
    const std::size_t bytes = point ? point->bytes : 1;
    if (!point || point->value < 0x20 || point->value == 0x7F) {
      append_byte(out, static_cast<std::uint8_t>(raw.front()));
    } else if (point->value == '\\') {
      out += "\\\\";
    } else if (is_unseen(point->value)) {
      append_code_point(out, point->value);
    } else {
      out += raw.substr(0, bytes);
    }
    raw.remove_prefix(bytes);
  }
  return out;
}

bool is_utf8(std::string_view raw) {
  while (!raw.empty()) {
    const auto point = decode_front(raw);
    if (!point) return false;
    raw.remove_prefix(point->bytes);
  }
  return true;
}

}  // namespace wormhole
