// The fuzz body of store/place.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::store {

// A record and its path, as they would stand in an index: what is taken for one must come back the
// same.
void fuzz_place(Bytes input);

}  // namespace wormhole::store
