#include <unistd.h>

#include "platform/fd.h"

namespace wormhole::platform {

void Fd::reset() {
  // Not retried after EINTR: Linux has released the number by then, and another thread may
  // have it already.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace wormhole::platform
