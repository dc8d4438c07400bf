#include "cli/put_items.h"

#include <utility>

namespace wormhole::cli {

std::string PutItems::path_for(const std::string& name) const {
  if (paths.size() == 1 || host.path.empty()) return host.path;
  return host.path + (host.path.ends_with('/') ? "" : "/") + name;
}

Result<PutItems> put_items_of(const std::vector<std::string>& operands) {
  if (operands.size() < 2) {
    return fail({.code = Code::kUsage,
                 .operation = "put",
                 .object = operands.empty() ? "" : operands.front(),
                 .detail = "it takes what to put and where to",
                 .advice = "say 'wormhole put PATH... HOST[/DIR]'"});
  }
  PutItems items;
  items.paths.assign(operands.begin(), operands.end() - 1);
  WH_ASSIGN(items.host, parse_target(operands.back()));
  if (!items.is_standard_input()) return items;
  if (items.paths.size() > 1 || items.host.path.ends_with('/') || items.host.last_part().empty()) {
    return fail({.code = Code::kUsage,
                 .operation = "put",
                 .object = "-",
                 .detail = "standard input has no name, and goes alone",
                 .advice = "say 'wormhole put - HOST/FILE'; for a file of that name, './-'"});
  }
  return items;
}

}  // namespace wormhole::cli
