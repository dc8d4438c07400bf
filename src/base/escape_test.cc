#include "base/escape.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace wormhole {
namespace {

TEST(Escape, LeavesWhatIsReadable) {
  for (const char* text : {"", "report.pdf", "a b", "na\xC3\xAFve", "\xE6\x97\xA5\xE6\x9C\xAC",
                           "\xF0\x9F\x8E\x89", "it's \"quoted\" $(x) `y`"}) {
    EXPECT_EQ(escape(text), text);
  }
}

TEST(Escape, WritesWhatDeceives) {
  const std::map<std::string, std::string> cases = {
      {"\x1b[2J", "\\x1B[2J"},                // terminal control
      {"a\nb\rc\td", "a\\x0Ab\\x0Dc\\x09d"},  // lines
      {std::string("a\0b", 3), "a\\x00b"},    // NUL
      {"\x7f", "\\x7F"},                      // DEL
      {"\xC2\x9B", "\\u{9B}"},                // C1: CSI in one character
      {"\x9B", "\\x9B"},                      // the same byte alone
      {"\xE2\x80\xAE"
       "fdp",
       "\\u{202E}fdp"},                                    // right-to-left override
      {"\xE2\x81\xA6", "\\u{2066}"},                       // isolate
      {"\xE2\x80\x8B", "\\u{200B}"},                       // zero-width space
      {"\xE2\x80\xA8\xE2\x80\xA9", "\\u{2028}\\u{2029}"},  // line, paragraph separator
      {"\xEF\xBB\xBF", "\\u{FEFF}"},                       // byte order mark
      {"\xD8\x9C", "\\u{61C}"},                            // Arabic letter mark
      {"\xF3\xA0\x81\x81", "\\u{E0041}"},                  // tag character
      {"\xEF\xBF\xBF", "\\u{FFFF}"},                       // noncharacter
      {"\xF4\x8F\xBF\xBF", "\\u{10FFFF}"},                 // the last code point
      {"\\", "\\\\"},
      {"\\x1B", "\\\\x1B"},  // spelled out is not the byte
  };
  for (const auto& [raw, shown] : cases) EXPECT_EQ(escape(raw), shown);
}

TEST(Escape, WritesBytesThatAreNotUtf8) {
  EXPECT_EQ(escape("\xFF\xFE"), "\\xFF\\xFE");
  EXPECT_EQ(escape("caf\xE9"), "caf\\xE9");
  EXPECT_EQ(escape("\xC0\xAF"), "\\xC0\\xAF");                    // overlong slash
  EXPECT_EQ(escape("\xE0\x80\xAF"), "\\xE0\\x80\\xAF");           // overlong slash
  EXPECT_EQ(escape("\xED\xA0\x80"), "\\xED\\xA0\\x80");           // surrogate
  EXPECT_EQ(escape("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");  // past U+10FFFF
  EXPECT_EQ(escape("\xE2\x82"), "\\xE2\\x82");                    // cut short
}

TEST(IsUtf8, FollowsRfc3629) {
  for (const char* good :
       {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\x1b"}) {
    EXPECT_TRUE(is_utf8(good)) << escape(good);
  }
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF",
                          "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xFF", "a\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad)) << escape(bad);
  }
}

// The inverse of escape, written apart from it: what it finds is what was escaped, so no two
// inputs look the same.
std::string unescape(const std::string& shown) {
  std::string raw;
  for (std::size_t at = 0; at < shown.size();) {
    if (shown[at] != '\\') {
      raw += shown[at++];
    } else if (shown.at(at + 1) == '\\') {
      raw += '\\';
      at += 2;
    } else if (shown.at(at + 1) == 'x') {
      raw += static_cast<char>(std::stoi(shown.substr(at + 2, 2), nullptr, 16));
      at += 4;
    } else {
      const std::size_t end = shown.find('}', at);
      const auto value =
          static_cast<unsigned>(std::stoul(shown.substr(at + 3, end - at - 3), nullptr, 16));
      const auto tail = [&](int shift) { return static_cast<char>(0x80 | (value >> shift & 63)); };
      if (value < 0x800) {
        raw += static_cast<char>(0xC0 | value >> 6);
      } else if (value < 0x10000) {
        raw += static_cast<char>(0xE0 | value >> 12);
        raw += tail(6);
      } else {
        raw += static_cast<char>(0xF0 | value >> 18);
        raw += tail(12);
        raw += tail(6);
      }
      raw += tail(0);
      at = end + 1;
    }
  }
  return raw;
}

bool is_printable_line(const std::string& shown) {
  for (const char character : shown) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7F) return false;
  }
  return is_utf8(shown);
}

TEST(Escape, IsPrintableAndInjectiveOverRandomBytes) {
  constexpr std::uint32_t kSeed = 4821;
  std::mt19937 random(kSeed);
  // Half the bytes from those that begin, continue or look like an escape.
  constexpr std::string_view kTricky = "\\xu{}0\x1b\n\x7f\x80\x9b\xc2\xe2\x80\xae\xed\xa0\xf0\xff";
  for (int round = 0; round < 50'000; ++round) {
    std::string raw(random() % 12, '\0');
    for (char& character : raw) {
      character =
          random() % 2 == 0 ? kTricky[random() % kTricky.size()] : static_cast<char>(random());
    }
    const std::string shown = escape(raw);
    ASSERT_TRUE(is_printable_line(shown)) << "seed " << kSeed << " round " << round;
    ASSERT_EQ(unescape(shown), raw) << "seed " << kSeed << " round " << round;
  }
}

TEST(Escape, EveryCodePointRoundTripsAndStaysOrIsSpelledOut) {
  for (unsigned value = 0; value <= 0x10FFFF; ++value) {
    if (value >= 0xD800 && value <= 0xDFFF) continue;
    std::string raw;
    if (value < 0x80) {
      raw = static_cast<char>(value);
    } else {
      char spelled[16];
      std::snprintf(spelled, sizeof spelled, "\\u{%X}", value);
      raw = unescape(spelled);
    }
    const std::string shown = escape(raw);
    ASSERT_TRUE(shown == raw || shown[0] == '\\') << value;
    ASSERT_EQ(unescape(shown), raw) << value;
  }
}

}  // namespace
}  // namespace wormhole
