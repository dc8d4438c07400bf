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

}  // namespace wormhole::cli
