// The fuzz body of transfer/codecs.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::transfer {

// Expands whatever the bytes say; nothing is written past what they declare.
void fuzz_codecs(Bytes input);

}  // namespace wormhole::transfer
