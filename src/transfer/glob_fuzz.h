// Fuzz body of transfer/glob: any bytes as a pattern, and as a path. Also run by the unit tests.
#pragma once

#include "base/bytes.h"

namespace wormhole::transfer {

void fuzz_glob(Bytes input);

}  // namespace wormhole::transfer
