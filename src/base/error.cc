#include "base/error.h"

#include <cerrno>
#include <cstddef>
#include <system_error>

#include "base/check.h"
#include "base/escape.h"

namespace wormhole {
namespace {

// What to say when nobody knows more than the code.
std::string_view plain_reason(Code code) {
  switch (code) {
    case Code::kUsage:
      return "the command line is wrong";
    case Code::kConnect:
      return "no connection";
    case Code::kWrongCode:
      return "the code is wrong";
    case Code::kRefused:
      return "the other side takes no one just now";
    case Code::kVersion:
      return "the other side speaks another version";
    case Code::kProtocol:
      return "the other side broke the protocol";
    case Code::kLost:
      return "the connection was lost";
    case Code::kTimeout:
      return "it took too long";
    case Code::kNotFound:
      return "not found";
    case Code::kExists:
      return "something of that name exists";
    case Code::kUnsafeName:
      return "the name is not safe";
    case Code::kChanged:
      return "it changed while it was read";
    case Code::kSkippedSpecial:
      return "not a regular file";
    case Code::kLocalIo:
      return "input/output error";
    case Code::kRemoteIo:
      return "input/output error on the other side";
    case Code::kNoSpace:
      return "no space left";
    case Code::kLimit:
      return "a limit was exceeded";
    case Code::kInterrupted:
      return "interrupted";
    case Code::kCrypto:
      return "the cipher failed";
  }
  check_failed("code is one of Code", __FILE__, __LINE__);
}

// "Permission denied" reads "permission denied" inside a sentence; "RPC ..." stays as it is.
std::string reason_of(int os_errno) {
  std::string text = std::generic_category().message(os_errno);
  const auto is_upper = [&](std::size_t at) {
    return at < text.size() && text[at] >= 'A' && text[at] <= 'Z';
  };
  if (is_upper(0) && !is_upper(1)) text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

bool may_pass(int os_errno) {
  switch (os_errno) {
    case EAGAIN:
    case EINTR:
    case EBUSY:
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kUsage:
      return "usage";
    case Code::kConnect:
      return "connect";
    case Code::kWrongCode:
      return "wrong_code";
    case Code::kRefused:
      return "refused";
    case Code::kVersion:
      return "version";
    case Code::kProtocol:
      return "protocol";
    case Code::kLost:
      return "lost";
    case Code::kTimeout:
      return "timeout";
    case Code::kNotFound:
      return "not_found";
    case Code::kExists:
      return "exists";
    case Code::kUnsafeName:
      return "unsafe_name";
    case Code::kChanged:
      return "changed";
    case Code::kSkippedSpecial:
      return "skipped_special";
    case Code::kLocalIo:
      return "local_io";
    case Code::kRemoteIo:
      return "remote_io";
    case Code::kNoSpace:
      return "no_space";
    case Code::kLimit:
      return "limit";
    case Code::kInterrupted:
      return "interrupted";
    case Code::kCrypto:
      return "crypto";
  }
  check_failed("code is one of Code", __FILE__, __LINE__);
}

Error os_error(int os_errno, std::string_view operation, std::string_view object, Code otherwise) {
  Code code = otherwise;
  if (os_errno == ENOSPC || os_errno == EDQUOT) code = Code::kNoSpace;
  if (os_errno == ENOENT) code = Code::kNotFound;
  return {.code = code,
          .operation = std::string(operation),
          .object = std::string(object),
          .detail = reason_of(os_errno),
          .os_errno = os_errno,
          .retryable = may_pass(os_errno)};
}

std::string to_sentence(const Error& error) {
  std::string sentence = "cannot " + escape(error.operation);
  if (!error.object.empty()) sentence += " '" + escape(error.object) + "'";
  sentence += error.is_peers ? ": the host says: " : ": ";
  if (!error.detail.empty()) {
    sentence += escape(error.detail);
  } else if (error.os_errno != 0) {
    sentence += reason_of(error.os_errno);
  } else {
    sentence += plain_reason(error.code);
  }
  if (!error.advice.empty()) sentence += "; " + escape(error.advice);
  return sentence;
}

}  // namespace wormhole
