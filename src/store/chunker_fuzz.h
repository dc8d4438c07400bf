// The fuzz body of store/chunker.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::store {

// Makes a file of the bytes, each four of them a stretch of it, and chunks it in portions: the
// cuts must be those of the rule, applied byte by byte.
void fuzz_chunker(Bytes input);

}  // namespace wormhole::store
