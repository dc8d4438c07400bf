#include "cli/retries.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace wormhole::cli {
namespace {

bool may_pass(const Error& error) {
  switch (error.code) {
    case Code::kLost:
    case Code::kTimeout:
      return true;
    case Code::kConnect:
      return error.os_errno != ECONNREFUSED;
    default:
      return false;
  }
}

}  // namespace

std::optional<Duration> Retries::after(const Error& error, bool progressed) {
  if (!may_pass(error)) return std::nullopt;
  const TimePoint now = clock_.now();
  if (progressed || !failing_since_.has_value()) {
    failing_since_ = now;
    next_wait_ = kFirstRetry;
    fruitless_ = 0;
  }
  const bool reached_the_host = error.code != Code::kConnect;
  if (!progressed && reached_the_host && ++fruitless_ > kFruitlessMax) return std::nullopt;
  if (now - *failing_since_ >= kRetriesEnd) return std::nullopt;
  return std::exchange(next_wait_, std::min<Duration>(2 * next_wait_, kSlowestRetry));
}

}  // namespace wormhole::cli
