// What went wrong, in a form callers can branch on and users can read.
//
// Values, not exceptions: a function that can fail because of the world (peer, disk, kernel,
// user) returns Result<T> (base/result.h). A bug of ours is an assertion (base/check.h).
#pragma once

#include <string>
#include <string_view>

namespace wormhole {

// Callers branch on the code, never on text. The exit status of the program follows from it
// (cli/exit_code.h).
enum class Code {
  kUsage,           // the command line, or a value in it
  kConnect,         // no connection: unreachable, refused, timed out before the session stood
  kWrongCode,       // the key exchange ended without a common key
  kRefused,         // the host does not take joins just now (codes retired, no slot)
  kVersion,         // the peer speaks another version of the protocol
  kProtocol,        // the peer broke the protocol: hostile or broken, never retried
  kLost,            // an established session went away
  kTimeout,         // a deadline passed
  kNotFound,        // a path that is not there
  kExists,          // a different file stands where this one should go
  kUnsafeName,      // a name that could escape, collide or deceive
  kChanged,         // a source file changed while it was read
  kSkippedSpecial,  // a device, socket or pipe: not transferred
  kLocalIo,         // this machine's file system said no
  kRemoteIo,        // the other machine's file system said no
  kNoSpace,         // this machine's file system is full
  kLimit,           // a named limit was exceeded
  kInterrupted,     // the user stopped it
  kCrypto,          // a cipher or its library failed: never the peer's doing
};

[[nodiscard]] std::string_view code_name(Code code);

// One failure. `operation` is what was being done ("open", "read frame"), `object` on what
// (a path, an address, as raw bytes: escape before showing), `detail` why, `advice` what to do.
// `os_errno` is 0 where the kernel was not involved.
struct Error {
  Code code;
  std::string operation;
  std::string object = {};
  std::string detail = {};
  std::string advice = {};
  int os_errno = 0;
  // True where the same call may succeed later without anyone changing anything.
  bool retryable = false;
  // `detail` is what the other side said of something that went wrong there.
  bool is_peers = false;
};

// An Error from errno, with code kNoSpace, kNotFound or `otherwise` as fits.
[[nodiscard]] Error os_error(int os_errno, std::string_view operation, std::string_view object,
                             Code otherwise = Code::kLocalIo);

// One sentence for a person: "cannot open 'a/b': permission denied; check ...".
// Untrusted bytes are escaped (base/escape.h).
[[nodiscard]] std::string to_sentence(const Error& error);

}  // namespace wormhole
