// --delete: what must be said with it, and the question before it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/commands.h"
#include "session/join_code.h"

namespace wormhole::cli {

// kUsage: with what is passed over by size or by .gitignore files, which cannot be told from what
// is gone; and where nobody said that he is sure, nor can be asked, nor only wants to see.
[[nodiscard]] Result<void> check_deleting(const TransferArguments& arguments, Output& output);
// Whether what would be done is to be shown first.
[[nodiscard]] inline bool asks_before_deleting(const TransferArguments& arguments) {
  return arguments.may_delete && !arguments.sure && !arguments.dry_run;
}

// What a dry run came to.
struct DryRun {
  ExitCode exit = ExitCode::kSuccess;
  std::uint64_t deletions = 0;
  std::optional<session::JoinCode> code = std::nullopt;  // that was right
};
// After it, on the terminal. kInterrupted: no.
[[nodiscard]] Result<void> confirm_deleting(const DryRun& shown, Environment& environment);

}  // namespace wormhole::cli
