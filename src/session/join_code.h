// The join code: a 4-digit channel and three words, "4821-marble-anchor-tulip".
//
// 30 secret bits (3 of 1,024 words): short enough to say aloud, so the key exchange is a PAKE
// and every guess costs the guesser (session/code_book.h). The words are the secret; the
// channel only says which of several shares is meant.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace wormhole::session {

inline constexpr std::size_t kCodeWords = 3;
inline constexpr std::size_t kWordListSize = 1024;
// A code the user chose may be any words; this bounds what is hashed and shown.
inline constexpr std::size_t kCodeMaxBytes = 256;

// Our own list: short, common, told apart by their first four letters.
[[nodiscard]] const std::array<std::string_view, kWordListSize>& word_list();

// Copyable; wiped when destroyed. Never printed by accident: text() is the only way out.
class JoinCode {
 public:
  // A new one. Uniform over channel and words.
  [[nodiscard]] static JoinCode make(Random& random);
  // As typed: case does not matter, words may be separated by '-' or spaces. "dddd-w-w-w" has
  // a channel; anything else of at least one character is a code the user chose (channel empty).
  // kUsage when empty, over kCodeMaxBytes, or with control characters. Only ASCII letters have
  // case here; other bytes stay as typed.
  [[nodiscard]] static Result<JoinCode> parse(std::string_view typed);
  // True for exactly four digits and three words of letters, joined by '-': the shape that is
  // kept for discovery. Says nothing about the word list.
  [[nodiscard]] static bool has_generated_shape(std::string_view text);

  JoinCode(const JoinCode&) = default;
  JoinCode& operator=(const JoinCode& other);  // wipes what it replaces
  ~JoinCode();

  // PRS of CPace: the words in lower case with '-' between.
  [[nodiscard]] std::string_view secret() const { return secret_; }
  // Four digits, or empty.
  [[nodiscard]] std::string_view channel() const { return channel_; }
  // As shown to the user.
  [[nodiscard]] std::string text() const;

 private:
  JoinCode(std::string_view channel, std::string_view secret);
  void wipe();
  std::string channel_;
  std::string secret_;
};

}  // namespace wormhole::session
