#include "session/code_book.h"

#include <algorithm>
#include <utility>

namespace wormhole::session {
namespace {

// Doubles with each failure past the free ones, up to the maximum.
Duration wait_after(unsigned failures) {
  if (failures < kFreeFailuresPerAddress) return Duration::zero();
  Duration wait = kAddressWait;
  for (unsigned n = kFreeFailuresPerAddress; n < failures && wait < kAddressWaitMax; ++n) wait *= 2;
  return std::min<Duration>(wait, kAddressWaitMax);
}

}  // namespace

CodeBook::CodeBook(std::optional<JoinCode> chosen, Random& random, const Clock& clock)
    : random_(random), clock_(clock), chosen_(chosen.has_value()), code_(std::move(chosen)) {
  if (!chosen_) {
    code_ = JoinCode::make(random_);
    codes_made_ = 1;
  }
}

const JoinCode* CodeBook::code() const { return code_ ? &*code_ : nullptr; }

std::uint64_t CodeBook::generation() const { return generation_; }

bool CodeBook::may_try(const std::string& ip) const {
  if (!code_) return false;
  const auto found = attempts_.find(ip);
  return found == attempts_.end() || clock_.now() >= found->second.waits_until;
}

bool CodeBook::reserve_guess(std::uint64_t generation, const std::string& ip) {
  if (!code_ || generation != generation_ || slots_left_ == 0) return false;
  --slots_left_;
  count_failure(ip);
  return true;
}

void CodeBook::guess_was_right(std::uint64_t generation, const std::string& ip) {
  attempts_.erase(ip);
  if (code_ && generation == generation_) ++slots_left_;
}

bool CodeBook::guess_was_wrong(std::uint64_t generation, const std::string& ip) {
  if (const auto found = attempts_.find(ip); found != attempts_.end()) {
    found->second.waits_until = clock_.now() + wait_after(found->second.failures);
  }
  if (!code_ || generation != generation_) return false;
  if (++wrong_guesses_ < kGuessesPerCode) return false;
  retire();
  return true;
}

unsigned CodeBook::guesses_left() const { return slots_left_; }

bool CodeBook::renew() {
  if (chosen_ && code_) return false;
  chosen_ = false;
  start(JoinCode::make(random_));
  return true;
}

void CodeBook::count_failure(const std::string& ip) {
  if (!attempts_.contains(ip) && attempts_.size() >= kAddressesRemembered) {
    attempts_.erase(std::ranges::min_element(
        attempts_, {}, [](const auto& entry) { return entry.second.waits_until; }));
  }
  Attempts& attempts = attempts_[ip];
  ++attempts.failures;
  attempts.waits_until = clock_.now() + wait_after(attempts.failures);
}

void CodeBook::retire() {
  if (!chosen_ && codes_made_ < kAutomaticCodesMax) {
    ++codes_made_;
    start(JoinCode::make(random_));
  } else {
    start(std::nullopt);
  }
}

void CodeBook::start(std::optional<JoinCode> code) {
  code_ = std::move(code);
  ++generation_;
  wrong_guesses_ = 0;
  slots_left_ = code_ ? kGuessesPerCode : 0;
}

}  // namespace wormhole::session
