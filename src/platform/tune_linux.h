// What every TCP connection of ours is set to. Internal to platform.
#pragma once

#include <string_view>

namespace wormhole::platform {

// No delay, little unsent in the kernel; a peer that vanished is noticed within
// kUnacknowledgedTimeout, also when nothing is sent (TCP_USER_TIMEOUT takes the place of the number
// of keepalive probes, tcp(7)). Where it must be sooner, a transfer::Watchdog waits for the peer's
// pings. Failures are left: the connection works without.
void tune_connection(int fd);
// False where the kernel has or allows it not.
bool set_congestion_control(int fd, std::string_view name);

}  // namespace wormhole::platform
