#include "cli/errands.h"

#include <set>
#include <span>

#include "base/limits.h"
#include "platform/process.h"

namespace wormhole::cli {
namespace {

Error unusable(std::string_view text, std::string_view why, std::string_view advice) {
  return {.code = Code::kUsage,
          .operation = "fetch",
          .object = std::string(text),
          .detail = std::string(why),
          .advice = std::string(advice)};
}

std::string_view host_part(std::string_view operand) {
  return operand.substr(0, operand.find('/'));
}

}  // namespace

Result<Errands> errands_of(const std::vector<std::string>& operands) {
  std::span<const std::string> targets = operands;
  Errands errands;
  if (operands.size() > 1) {
    const std::string& last = operands.back();
    if (last.empty()) {
      return fail(unusable("", "the destination is empty", "leave it out, or name one"));
    }
    // cp(1) would make a directory of that name.
    if (host_part(last) == host_part(operands.front()) && last.contains('/')) {
      return fail(unusable(last, "the last argument is where to, and this names the host again",
                           "put a directory behind it, '.' for here"));
    }
    errands.destination.path = last;
    targets = targets.first(operands.size() - 1);
  }
  std::set<std::string> names;
  for (const std::string& text : targets) {
    WH_ASSIGN(Target target, parse_target(text));
    if (errands.all.empty()) errands.host = target;
    if (target.host != errands.host.host || target.port != errands.host.port) {
      return fail(
          unusable(text, "it is of another host than the first", "fetch from one host at a time"));
    }
    transfer::Destination destination = errands.destination;
    if (targets.size() > 1) {
      const std::string name = target.last_part();
      if (name.empty()) {
        return fail(unusable(text, "of several, each needs a name to be put under",
                             "name what you want of that host, or fetch all of it alone"));
      }
      if (!names.insert(name).second) {
        return fail(unusable(text, "two of them have one last name",
                             "fetch one of them into another directory"));
      }
      destination.name = name;
    }
    errands.all.push_back({.path = target.path, .destination = std::move(destination)});
  }
  return errands;
}

bool is_of_one_path(Code code) {
  return code == Code::kNotFound || code == Code::kRemoteIo || code == Code::kSkippedSpecial ||
         code == Code::kExists || code == Code::kUnsafeName;
}

transfer::TakeOptions take_options(const TransferArguments& arguments, const Errand& errand,
                                   const wire::Selection& selection) {
  return {.destination = errand.destination,
          .overwrite = arguments.overwrite,
          .leaves = arguments.leaves,
          .sync = arguments.sync,
          .may_have = transfer::may_have(errand.destination, errand.last_part()),
          .checksum = arguments.checksum,
          .may_delete = arguments.may_delete,
          .shown_deletions = arguments.shown.has_value() ? arguments.shown->deletions : nullptr,
          .shown_place = errand.path,
          .reuse = arguments.reuse,
          .selection = selection,
          .keeps = arguments.keeps,
          .cached_file_max_bytes = platform::memory_bytes() / kCachedPartOfMemory};
}

}  // namespace wormhole::cli
