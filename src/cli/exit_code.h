// The exit status of every command: a contract, described in docs/exit-codes.md.
#pragma once

#include "base/error.h"

namespace wormhole::cli {

enum class ExitCode : int {
  kSuccess = 0,
  kInternal = 1,   // a failure of ours: cipher library, out of descriptors
  kUsage = 2,      // the command line is wrong
  kConnect = 3,    // no connection, or it was lost
  kWrongCode = 4,  // the host does not hold this code
  kPartial = 5,    // some files failed; the rest arrived
  kLocalIo = 6,    // this machine's file system said no
  kRefused = 7,    // the other side broke the protocol or sent what is not safe
  kInterrupted = 130,
};

// For an error that ended the command.
[[nodiscard]] ExitCode exit_code_for(Code code);
[[nodiscard]] ExitCode exit_code_for(const Error& error);

}  // namespace wormhole::cli
