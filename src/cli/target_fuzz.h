// The fuzz body of cli/target.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::cli {

// Parses whatever the bytes say, as TARGET and as ADDR:PORT; what is taken keeps its promises.
void fuzz_target(Bytes input);

}  // namespace wormhole::cli
