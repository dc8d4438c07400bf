// --delete: what must be said with it, and the question before it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "cli/commands.h"
#include "session/join_code.h"

namespace wormhole::cli {

// kUsage: with what is passed over by size or by .gitignore files, which cannot be told from what
// is gone; and where nobody said that he is sure, nor can be asked, nor only wants to see.
[[nodiscard]] Result<void> check_deleting(const TransferArguments& arguments, Output& output);
// What a dry run came to.
struct DryRun {
  ExitCode exit = ExitCode::kSuccess;
  std::uint64_t deletions = 0;
  std::optional<session::JoinCode> code = std::nullopt;  // that was right; none: it did not end
  std::shared_ptr<transfer::ShownDeletions> shown = nullptr;
};
using PlanIt = std::function<DryRun()>;
using RunIt = std::function<ExitCode(const TransferArguments& arguments, Environment& environment)>;
// Plans it, or runs it, or where it must be asked first plans it, asks on the terminal, and runs it
// with the code that was right and no other deletions than were shown.
[[nodiscard]] ExitCode run_or_plan(const TransferArguments& arguments, Environment& environment,
                                   const PlanIt& plan, const RunIt& run);

}  // namespace wormhole::cli
