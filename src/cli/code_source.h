// Where the join code comes from: --code, --code-file, WORMHOLE_CODE, or a prompt.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "session/join_code.h"

namespace wormhole::cli {

// What argv and the environment said; taken out of both first thing in main.
struct GivenCode {
  std::optional<std::string> argument;
  std::optional<std::string> environment;
};

// "Not found", "unsafe" and "too long" are said of what the other side has; a code file is this
// machine's.
[[nodiscard]] Error about_own_file(Error error);

// Takes --code VALUE, --code=VALUE out of argv's memory and WORMHOLE_CODE out of the
// environment's, overwriting both in place; the arguments without the code are returned in
// `arguments` (program name first).
[[nodiscard]] GivenCode take_given_code(int argc, char** argv, std::vector<std::string>& arguments);

// The joining side. `file` is --code-file. kUsage when there is none and nobody to ask.
[[nodiscard]] Result<session::JoinCode> code_for_joining(const GivenCode& given,
                                                         const std::optional<std::string>& file);
// True when a wrong code can be asked for again (it came from a prompt).
[[nodiscard]] bool comes_from_prompt(const GivenCode& given,
                                     const std::optional<std::string>& file);

// The sharing side: nullopt when a code is to be made. An existing `file` is read; one that is
// not there is for the caller to write once the code is known.
[[nodiscard]] Result<std::optional<session::JoinCode>> code_for_sharing(
    const GivenCode& given, const std::optional<std::string>& file);

}  // namespace wormhole::cli
