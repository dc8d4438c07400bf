// What a failure means for the transfer, how the giver's crosses the wire and reads at the taker.
#pragma once

#include <string>

#include "base/error.h"
#include "wire/messages.h"

namespace wormhole::transfer {

[[nodiscard]] wire::FailureCode failure_code(const Error& error);
// Without local paths: a peer learns why, not where. At most kReasonMaxBytes.
[[nodiscard]] std::string failure_reason(const Error& error);
// Of an entry's name as much as may cross: some file systems have longer ones than any that we
// make (255 units of UTF-16 are up to 765 bytes).
[[nodiscard]] std::string failure_name(std::string name);
// At the taker: `path` is where the entry would have gone; `reason` is the peer's text (raw).
[[nodiscard]] Error remote_failure(wire::FailureCode code, std::string path, std::string reason);

// Of an entry that was a regular file or the like when it was announced: that it is none any more
// is no reason to pass over it as over a pipe.
[[nodiscard]] Error of_announced(Error error, std::string path);
// This machine cannot go on, whatever the entry; or the peer broke the protocol.
[[nodiscard]] bool ends_session(const Error& error);

}  // namespace wormhole::transfer
