// The fuzz body of session/join_code.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::session {

// Parses the bytes as typed; what parses must be normal: its text parses to the same code.
void fuzz_join_code(Bytes input);

}  // namespace wormhole::session
