// Addresses between our form and the kernel's. Internal to platform.
#pragma once

#include <sys/socket.h>

#include <string>

#include "base/result.h"
#include "platform/socket.h"

namespace wormhole::platform {

struct KernelAddress {
  sockaddr_storage storage = {};
  socklen_t bytes = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// IPv4 mapped into IPv6 comes out as plain IPv4. Empty for another family.
[[nodiscard]] Address to_address(const KernelAddress& from);
[[nodiscard]] Result<KernelAddress> to_kernel_address(const Address& from);
// What `ask` (getpeername, getsockname) says of a socket. Empty where it fails.
[[nodiscard]] Address name_of(int fd, int (*ask)(int, sockaddr*, socklen_t*));

}  // namespace wormhole::platform
