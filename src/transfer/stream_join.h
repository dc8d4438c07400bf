// The first word on a further stream: a Join of the dialler's, which the host answers with another
// where the dialler is to give on it.
#pragma once

#include "base/block.h"
#include "base/result.h"
#include "session/connection.h"

namespace wormhole::transfer {

[[nodiscard]] Result<void> send_join(session::Connection& connection, Block& block, bool gives);
// At the dialler, who is to give. False: the host has no room for the stream, and has ended it.
[[nodiscard]] Result<bool> receive_join(session::Connection& connection, Block& block);

}  // namespace wormhole::transfer
