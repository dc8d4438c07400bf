#include "cli/code_source.h"

#include <string_view>

#include "platform/process.h"

namespace wormhole::cli {
namespace {

constexpr std::string_view kOption = "--code";
constexpr std::string_view kOptionWithValue = "--code=";

}  // namespace

Error about_own_file(Error error) {
  if (error.code == Code::kNotFound || error.code == Code::kUnsafeName ||
      error.code == Code::kLimit) {
    error.code = Code::kLocalIo;
  }
  return error;
}

GivenCode take_given_code(int argc, char** argv, std::vector<std::string>& arguments) {
  GivenCode given;
  given.environment = platform::take_environment_secret("WORMHOLE_CODE");
  bool only_operands = false;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") only_operands = true;
    if (!only_operands && i > 0 && argument.starts_with(kOptionWithValue)) {
      given.argument = std::string(argument.substr(kOptionWithValue.size()));
      platform::overwrite_argument(argv, i, kOptionWithValue.size());
    } else if (!only_operands && i > 0 && argument == kOption && i + 1 < argc) {
      given.argument = std::string(argv[i + 1]);
      platform::overwrite_argument(argv, i + 1, 0);
      ++i;
    } else {
      arguments.emplace_back(argument);
    }
  }
  return given;
}

bool comes_from_prompt(const GivenCode& given, const std::optional<std::string>& file) {
  return !given.argument.has_value() && !file.has_value() && !given.environment.has_value();
}

Result<session::JoinCode> code_for_joining(const GivenCode& given,
                                           const std::optional<std::string>& file) {
  if (given.argument.has_value()) return session::JoinCode::parse(*given.argument);
  if (file.has_value()) {
    const auto secret = platform::read_secret_file(*file);
    if (!secret.has_value()) return fail(about_own_file(secret.error()));
    return session::JoinCode::parse(*secret);
  }
  if (given.environment.has_value()) return session::JoinCode::parse(*given.environment);
  auto typed = platform::read_secret_line("Code: ");
  if (!typed.has_value()) {
    if (typed.error().code != Code::kUsage) return fail(typed.error());
    return fail({.code = Code::kUsage,
                 .operation = "join",
                 .detail = "there is no code, and no terminal to ask for it",
                 .advice = "set WORMHOLE_CODE or use --code-file FILE"});
  }
  return session::JoinCode::parse(*typed);
}

Result<std::optional<session::JoinCode>> code_for_sharing(const GivenCode& given,
                                                          const std::optional<std::string>& file) {
  const auto parsed = [](std::string_view text) -> Result<std::optional<session::JoinCode>> {
    WH_ASSIGN(auto code, session::JoinCode::parse(text));
    return std::optional<session::JoinCode>(std::move(code));
  };
  if (given.argument.has_value()) return parsed(*given.argument);
  if (file.has_value()) {
    const auto secret = platform::read_secret_file(*file);
    if (secret.has_value()) return parsed(*secret);
    if (secret.error().code != Code::kNotFound) return fail(about_own_file(secret.error()));
  }
  if (given.environment.has_value()) return parsed(*given.environment);
  return std::optional<session::JoinCode>();
}

}  // namespace wormhole::cli
