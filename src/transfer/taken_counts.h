// A taker's counters as they cross the wire, for a giver who is to show them (wire::Taken).
// Stateless; any thread.
#pragma once

#include "transfer/events.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Without a request.
[[nodiscard]] wire::Taken to_wire(const TakenCounters& counters);
// They become what the message says.
void set_from(const wire::Taken& taken, TakenCounters& counters);

}  // namespace wormhole::transfer
