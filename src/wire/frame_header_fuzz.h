// The fuzz body of wire/frame_header.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::wire {

// Decodes whatever the bytes say; what decodes must encode to the same bytes.
void fuzz_frame_header(Bytes input);

}  // namespace wormhole::wire
