// get TARGET -: one file to standard output, as it comes.
#pragma once

#include "cli/commands.h"
#include "cli/errands.h"

namespace wormhole::cli {

// What DEST is then.
inline constexpr std::string_view kStandardOutputName = "-";

[[nodiscard]] ExitCode run_pipe_out(const TransferArguments& arguments, const Errands& errands,
                                    std::uint64_t rate_max_bytes, Environment& environment);

}  // namespace wormhole::cli
