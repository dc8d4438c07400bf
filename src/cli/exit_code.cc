#include "cli/exit_code.h"

namespace wormhole::cli {

ExitCode exit_code_for(Code code) {
  switch (code) {
    case Code::kUsage:
      return ExitCode::kUsage;
    case Code::kConnect:
    case Code::kLost:
    case Code::kTimeout:
    case Code::kRefused:
    case Code::kVersion:
      return ExitCode::kConnect;
    case Code::kWrongCode:
      return ExitCode::kWrongCode;
    case Code::kProtocol:
    case Code::kUnsafeName:
      return ExitCode::kRefused;
    case Code::kNotFound:
    case Code::kChanged:
    case Code::kSkippedSpecial:
    case Code::kRemoteIo:
      return ExitCode::kPartial;
    case Code::kExists:
    case Code::kLocalIo:
    case Code::kNoSpace:
      return ExitCode::kLocalIo;
    case Code::kInterrupted:
      return ExitCode::kInterrupted;
    case Code::kLimit:
    case Code::kCrypto:
      break;
  }
  return ExitCode::kInternal;
}

ExitCode exit_code_for(const Error& error) {
  const ExitCode exit = exit_code_for(error.code);
  // Neither its disk is this machine's, nor a name that it does not take one that it sent.
  const bool is_of_one_name = exit == ExitCode::kLocalIo || error.code == Code::kUnsafeName;
  return error.is_peers && is_of_one_name ? ExitCode::kPartial : exit;
}

}  // namespace wormhole::cli
