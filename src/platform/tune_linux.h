// What every TCP connection of ours is set to. Internal to platform.
#pragma once

namespace wormhole::platform {

// No delay; a peer that vanished is noticed within kIdleTimeout, also when nothing is sent.
// Failures are left: the connection works without.
void tune_connection(int fd);

}  // namespace wormhole::platform
