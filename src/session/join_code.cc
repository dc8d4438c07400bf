#include "session/join_code.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace wormhole::session {
namespace {

constexpr unsigned kChannels = 10'000;
constexpr std::size_t kChannelDigits = 4;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_trimmed(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_separator(char c) { return c == ' ' || c == '-'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Uniform below `bound`: draws just enough bits and draws again when over.
unsigned draw_below(unsigned bound, Random& random) {
  const unsigned mask = std::bit_ceil(bound) - 1;
  static_assert(kChannels <= 1U << 16 && kWordListSize <= 1U << 16);
  for (;;) {
    std::array<std::byte, 2> bytes;
    random.fill(bytes);
    const unsigned drawn = load_le<std::uint16_t>(bytes.data()) & mask;
    sodium_memzero(bytes.data(), bytes.size());
    if (drawn < bound) return drawn;
  }
}

// Overwrites the whole buffer, also what an earlier, longer value left behind.
void wipe_string(std::string& text) {
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.clear();
}

// A string with secrets that is wiped on every way out. Never grows past its reservation, so
// that no freed buffer keeps a part of it.
struct SecretText {
  SecretText() { text.reserve(kCodeMaxBytes); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { wipe_string(text); }
  std::string text;
};

// Lower case, each run of separators one '-', none at either end.
void normalise(std::string_view typed, std::string& out) {
  for (const char c : typed) {
    if (!is_separator(c)) {
      out.push_back(to_lower(c));
    } else if (!out.empty() && out.back() != '-') {
      out.push_back('-');
    }
  }
  if (!out.empty() && out.back() == '-') out.pop_back();
}

}  // namespace

JoinCode::JoinCode(std::string_view channel, std::string_view secret)
    : channel_(channel), secret_(secret) {}

JoinCode::~JoinCode() { wipe(); }

JoinCode& JoinCode::operator=(const JoinCode& other) {
  if (this != &other) {
    wipe();
    channel_ = other.channel_;
    secret_ = other.secret_;
  }
  return *this;
}

void JoinCode::wipe() {
  wipe_string(channel_);
  wipe_string(secret_);
}

JoinCode JoinCode::make(Random& random) {
  std::array<char, kChannelDigits> channel;
  unsigned number = draw_below(kChannels, random);
  for (std::size_t i = kChannelDigits; i-- > 0; number /= 10) {
    channel[i] = static_cast<char>('0' + number % 10);
  }
  SecretText secret;
  for (std::size_t i = 0; i < kCodeWords; ++i) {
    if (i != 0) secret.text.push_back('-');
    secret.text.append(word_list()[draw_below(kWordListSize, random)]);
  }
  return JoinCode({channel.data(), channel.size()}, secret.text);
}

Result<JoinCode> JoinCode::parse(std::string_view typed) {
  const auto refuse = [](std::string_view why) {
    return fail({.code = Code::kUsage,
                 .operation = "read join code",
                 .object = {},  // never the code itself
                 .detail = std::string(why),
                 .advice = "type it as the other side shows it"});
  };
  while (!typed.empty() && is_trimmed(typed.front())) typed.remove_prefix(1);
  while (!typed.empty() && is_trimmed(typed.back())) typed.remove_suffix(1);
  if (typed.size() > kCodeMaxBytes) return refuse("it is too long");
  if (std::ranges::any_of(typed, is_control)) return refuse("it holds control characters");
  SecretText code;
  normalise(typed, code.text);
  if (code.text.empty()) return refuse("it is empty");
  if (!has_generated_shape(code.text)) return JoinCode({}, code.text);
  const std::string_view text = code.text;
  return JoinCode(text.substr(0, kChannelDigits), text.substr(kChannelDigits + 1));
}

bool JoinCode::has_generated_shape(std::string_view text) {
  if (text.size() < kChannelDigits) return false;
  if (!std::ranges::all_of(text.substr(0, kChannelDigits), is_digit)) return false;
  text.remove_prefix(kChannelDigits);
  for (std::size_t word = 0; word < kCodeWords; ++word) {
    if (text.empty() || text.front() != '-') return false;
    text.remove_prefix(1);
    const std::size_t letters =
        std::ranges::find_if_not(text, [](char c) { return is_lower(to_lower(c)); }) - text.begin();
    if (letters == 0) return false;
    text.remove_prefix(letters);
  }
  return text.empty();
}

std::string JoinCode::text() const {
  std::string text;
  text.reserve(channel_.size() + 1 + secret_.size());
  if (!channel_.empty()) text.append(channel_).push_back('-');
  return text.append(secret_);
}

}  // namespace wormhole::session
