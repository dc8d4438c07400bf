// get --dry-run: what would be done, entry by entry, and nothing is.
#pragma once

#include "cli/commands.h"
#include "cli/deleting.h"
#include "cli/errands.h"

namespace wormhole::cli {

[[nodiscard]] DryRun run_dry(const TransferArguments& arguments, const Errands& errands,
                             const wire::Selection& selection, Environment& environment);

}  // namespace wormhole::cli
