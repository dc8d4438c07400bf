// How many guesses a join code stands: sans-I/O, one thread.
//
// A guess is a binder that was checked and did not fit: before that a peer learns nothing to
// test guesses against (CPace). A slot is reserved before the check and only success gives it
// back, so that guesses in parallel cannot outrun the count. CVE-2021-31603.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "session/join_code.h"

namespace wormhole::session {

inline constexpr unsigned kGuessesPerCode = 10;
// Codes made automatically in one run, the first included.
inline constexpr unsigned kAutomaticCodesMax = 3;
// After so many failures an address waits, longer each time.
inline constexpr unsigned kFreeFailuresPerAddress = 3;
inline constexpr std::chrono::seconds kAddressWait{5};
inline constexpr std::chrono::seconds kAddressWaitMax{300};
// Addresses remembered at once; the one that waits shortest makes room.
inline constexpr std::size_t kAddressesRemembered = 1024;

class CodeBook {
 public:
  // A code the user chose is never replaced; nullopt: codes are made here.
  CodeBook(std::optional<JoinCode> chosen, Random& random, const Clock& clock);

  // The present code; nullptr when joining has stopped.
  [[nodiscard]] const JoinCode* code() const;
  // Counts up with each new code: a handshake that began under another generation is refused.
  [[nodiscard]] std::uint64_t generation() const;

  // True when a join from that IP may begin now.
  [[nodiscard]] bool may_try(const std::string& ip) const;
  // Before the binder check. False: no slot is left (or the generation is over), do not check.
  // True is answered by exactly one of the two below, whatever becomes of the connection. It
  // already counts as a failure of that address until the guess turns out right.
  [[nodiscard]] bool reserve_guess(std::uint64_t generation, const std::string& ip);
  // The binder fitted: the slot comes back.
  void guess_was_right(std::uint64_t generation, const std::string& ip);
  // It did not. Returns true when that retired the code.
  [[nodiscard]] bool guess_was_wrong(std::uint64_t generation, const std::string& ip);
  [[nodiscard]] unsigned guesses_left() const;
  [[nodiscard]] std::size_t addresses_remembered() const { return attempts_.size(); }
  // The user asked for a new code after joining had stopped. False for a chosen code that is
  // still good.
  bool renew();

 private:
  struct Attempts {
    unsigned failures = 0;
    TimePoint waits_until{};
  };
  void count_failure(const std::string& ip);
  void retire();
  void start(std::optional<JoinCode> code);

  Random& random_;
  const Clock& clock_;
  bool chosen_;
  std::optional<JoinCode> code_;
  unsigned codes_made_ = 0;
  unsigned slots_left_ = kGuessesPerCode;
  unsigned wrong_guesses_ = 0;
  std::uint64_t generation_ = 1;
  std::map<std::string, Attempts> attempts_;
};

}  // namespace wormhole::session
