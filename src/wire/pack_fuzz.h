// The fuzz body of wire/pack.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::wire {

// Walks whatever the bytes say; a pack that is read to its end is written again byte by byte.
void fuzz_pack(Bytes input);

}  // namespace wormhole::wire
