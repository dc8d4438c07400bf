// Keeps the process to what it was started for, once it has opened what it needs besides
// (platform/confinement.h): before any thread is started. Where the system has no means for it,
// everything works without; --verbose says so.
#pragma once

#include "cli/output.h"
#include "transfer/destination.h"
#include "transfer/shares.h"

namespace wormhole::cli {

// It reads what is shared, and writes nothing.
void confine_to(const transfer::Shares& shares, Output& output);
// It writes there, too, and into the index.
void confine_to_writable(const transfer::Shares& shares, Output& output);
// It reads what is put, and asks.
void confine_to_giving(const transfer::Shares& shares, Output& output);
// It writes below the destination, and into the index.
void confine_to(const transfer::Destination& destination, Output& output);
// It writes nothing.
void confine_to_asking(Output& output);

}  // namespace wormhole::cli
