#include "transfer/failure.h"

#include <cerrno>
#include <system_error>

#include "base/limits.h"

namespace wormhole::transfer {

wire::FailureCode failure_code(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return wire::FailureCode::kNotFound;
    case Code::kChanged:
      return wire::FailureCode::kChanged;
    case Code::kSkippedSpecial:
      return wire::FailureCode::kSpecial;
    case Code::kLimit:
      return wire::FailureCode::kLimit;
    case Code::kUnsafeName:
      return wire::FailureCode::kUnsafeName;
    case Code::kExists:
      return wire::FailureCode::kExists;
    case Code::kRefused:
      return wire::FailureCode::kNotAllowed;
    default:
      return wire::FailureCode::kIo;
  }
}

std::string failure_reason(const Error& error) {
  std::string reason = error.detail;
  if (reason.empty() && error.os_errno != 0) {
    reason = std::generic_category().message(error.os_errno);
  }
  if (reason.empty()) reason = std::string(code_name(error.code));
  if (reason.size() > wire::kReasonMaxBytes) reason.resize(wire::kReasonMaxBytes);
  return reason;
}

std::string failure_name(std::string name) {
  if (name.size() > kNameMaxBytes) name.resize(kNameMaxBytes);
  return name;
}

Error remote_failure(wire::FailureCode code, std::string path, std::string reason) {
  Error error{.code = Code::kRemoteIo,
              .operation = "fetch",
              .object = std::move(path),
              .detail = std::move(reason),
              .is_peers = true};
  switch (code) {
    case wire::FailureCode::kIo:
      break;
    case wire::FailureCode::kNotFound:
      error.code = Code::kNotFound;
      break;
    case wire::FailureCode::kChanged:
      error.code = Code::kChanged;
      error.advice = "run the same command again";
      error.retryable = true;
      break;
    case wire::FailureCode::kSpecial:
      error.code = Code::kSkippedSpecial;
      break;
    case wire::FailureCode::kLimit:
      error.code = Code::kLimit;
      break;
    case wire::FailureCode::kUnsafeName:
      error.code = Code::kUnsafeName;
      break;
    case wire::FailureCode::kExists:
      error.code = Code::kExists;
      break;
    case wire::FailureCode::kNotAllowed:
      break;
  }
  return error;
}

Error of_announced(Error error, std::string path) {
  error.object = std::move(path);
  if (error.code != Code::kSkippedSpecial) return error;
  error.code = Code::kChanged;
  error.detail = "something that is no regular file took its place meanwhile";
  error.advice = "run the same command again";
  return error;
}

bool ends_session(const Error& error) {
  switch (error.code) {
    case Code::kProtocol:
    case Code::kNoSpace:
    case Code::kCrypto:
      return true;
    case Code::kLocalIo:
      return error.os_errno == EIO || error.os_errno == EROFS || error.os_errno == EMFILE ||
             error.os_errno == ENFILE;
    default:
      return false;
  }
}

}  // namespace wormhole::transfer
