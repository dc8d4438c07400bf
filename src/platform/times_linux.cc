#include "platform/times_linux.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace wormhole::platform {
namespace {

// Past the range stand the kernel's "now" and "leave": a peer must not reach those.
bool is_time(const Timestamp& time) { return time.nanoseconds < 1'000'000'000; }

timespec to_timespec(const Timestamp& time) {
  return {.tv_sec = time.seconds, .tv_nsec = static_cast<long>(time.nanoseconds)};
}

}  // namespace

Result<void> set_times(int directory, const char* name, const FileTimes& times, int flags,
                       std::string_view shown) {
  if (!is_time(times.modified) || (times.accessed.has_value() && !is_time(*times.accessed))) {
    return fail(os_error(EINVAL, "set the time of", shown));
  }
  const timespec both[2] = {times.accessed.has_value()
                                ? to_timespec(*times.accessed)
                                : timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                            to_timespec(times.modified)};
  // The C library refuses utimensat without a name, which is the handle itself.
  const int result =
      name != nullptr ? ::utimensat(directory, name, both, flags) : ::futimens(directory, both);
  if (result != 0) return fail(os_error(errno, "set the time of", shown));
  return {};
}

}  // namespace wormhole::platform
