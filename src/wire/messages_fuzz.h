// The fuzz body of wire/messages.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::wire {

// Decodes whatever the bytes say; what decodes keeps every limit, and says the same when it is
// encoded and decoded once more.
void fuzz_messages(Bytes input);

}  // namespace wormhole::wire
