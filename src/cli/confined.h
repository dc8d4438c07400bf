// Keeps the process to what it was started for, once it has opened what it needs besides
// (platform/confinement.h): before any thread is started. Where the system has no means for it,
// everything works without; --verbose says so.
#pragma once

#include <string>
#include <vector>

#include "cli/output.h"
#include "transfer/destination.h"
#include "transfer/shares.h"

namespace wormhole::cli {

// It reads what is shared, and writes nothing.
void confine_to(const transfer::Shares& shares, Output& output);
// It writes there, too, and into the index.
void confine_to_writable(const transfer::Shares& shares, Output& output);
// It reads what is put, and asks. It writes what it made itself for that, if anything.
void confine_to_giving(const transfer::Shares& shares, const std::vector<std::string>& own,
                       Output& output);
// It writes below the destination, and into the index.
void confine_to(const transfer::Destination& destination, Output& output);
// It writes nothing but that.
void confine_to_asking(Output& output, const std::vector<std::string>& own = {});

}  // namespace wormhole::cli
