#include "cli/arguments.h"

#include <utility>

namespace wormhole::cli {
namespace {

constexpr char kMark = '\x1f';

bool is_misread(const std::string& operand) {
  const bool is_bracketed = operand.starts_with('[') && operand.ends_with(']');
  return is_bracketed || operand == "++" || operand.starts_with(kMark);
}

}  // namespace

Result<std::vector<std::string>> prepare_arguments(
    const std::vector<std::string>& arguments,
    const std::function<bool(const std::string& option)>& takes_value) {
  std::vector<std::string> prepared;
  bool is_value = false;      // of the option before
  bool are_operands = false;  // behind "--"
  for (const std::string& argument : arguments) {
    if (are_operands) {
      prepared.push_back(kMark + argument);
    } else if (std::exchange(is_value, false)) {
      prepared.push_back(argument);
    } else if (argument == "--") {
      are_operands = true;
    } else if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      return fail({.code = Code::kUsage,
                   .operation = "use " + argument.substr(0, argument.size() - 1),
                   .detail = "its value is empty"});
    } else {
      is_value = argument.starts_with("-") && takes_value(argument);
      prepared.push_back(is_misread(argument) ? kMark + argument : argument);
    }
  }
  return prepared;
}

std::string unmarked(std::string operand) {
  if (operand.starts_with(kMark)) operand.erase(0, 1);
  return operand;
}

std::string without_marks(std::string message) {
  std::erase(message, kMark);
  return message;
}

}  // namespace wormhole::cli
