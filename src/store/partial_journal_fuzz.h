// The fuzz body of store/partial_journal.h.
#pragma once

#include "base/bytes.h"

namespace wormhole::store {

// Reads the bytes as a journal; what it says of a file must lie inside that file, and a writer
// must say it with the same bytes.
void fuzz_partial_journal(Bytes input);

}  // namespace wormhole::store
