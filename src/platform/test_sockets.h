// For tests only: a client from a chosen loopback address, as another machine would be, and what
// the kernel says of a connection.
#pragma once

#include <string>

#include "base/result.h"
#include "platform/socket.h"

namespace wormhole::platform {

// A blocking connection to `to`, from `ip` (127.x.y.z).
[[nodiscard]] Result<Socket> connect_from(const std::string& ip, const Address& to);
// By its kernel's name.
[[nodiscard]] std::string congestion_control_of(const Socket& socket);

}  // namespace wormhole::platform
