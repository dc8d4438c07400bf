#include "cli/plan_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "cli/entry_type.h"
#include "cli/human.h"
#include "transfer/lister.h"

namespace wormhole::cli {

using nlohmann::json;
using wire::Action;
using wire::EntryType;
using wire::Planned;

std::string_view PlanReport::name_of(Action action) const {
  switch (action) {
    case Action::kFetch:
      return verb_;
    case Action::kReplace:
      return "replace";
    case Action::kKeep:
      return "keep";
    case Action::kLeave:
      return "leave";
    case Action::kDelete:
      return "delete";
    case Action::kRefuse:
      break;
  }
  return "conflict";
}

void PlanReport::on_planned(const Planned& planned) {
  print(planned);
  if (planned.action == Action::kRefuse) ++failed_;
  if (planned.action == Action::kDelete) ++deleted_;
  if (planned.type == EntryType::kDirectory) return;
  if (planned.action == Action::kFetch) new_.add(planned);
  if (planned.action == Action::kReplace) replaced_.add(planned);
  if (planned.type == EntryType::kSymlink) return;  // in no count of a run that lets it be
  if (planned.action == Action::kKeep) kept_.add(planned);
  if (planned.action == Action::kLeave) left_.add(planned);
}

void PlanReport::on_failed(Error error) {
  ++(error.code == Code::kSkippedSpecial ? specials_ : failed_);
  error.object = transfer::shown_unlisted(std::move(error.object));
  failures_.on_failed(error.object, error);
}

ExitCode PlanReport::finish(const Result<void>& result, GetOutcome outcome) {
  failures_.list_failures();
  outcome.skipped_files = kept_.files;
  outcome.skipped_bytes = kept_.bytes;
  outcome.left_files = left_.files;
  outcome.failed = failed_;
  outcome.specials = specials_;
  if (!result.has_value()) {
    output_.error(result.error());
    outcome.exit = exit_code_for(result.error());
    print_summary_event(output_, outcome);
    return outcome.exit;
  }
  if (failed_ > 0) outcome.exit = ExitCode::kPartial;
  print_end(outcome);
  return outcome.exit;
}

void PlanReport::print(const Planned& planned) {
  const bool is_directory = planned.type == EntryType::kDirectory;
  if (output_.is_json()) {
    json object = {{"event", "planned"},
                   {"action", name_of(planned.action)},
                   {"type", type_name(planned.type)},
                   {"size", planned.size},
                   {"reason", planned.reason}};
    set_bytes(object, "path", planned.path);
    output_.event(object);
    return;
  }
  if (planned.action == Action::kKeep && !output_.is_verbose()) return;
  const std::string size = is_directory || planned.type == EntryType::kSymlink
                               ? std::string(type_name(planned.type))
                               : human_bytes(planned.size);
  output_.result(fmt::format("{:<8} {:>9}  {}{}  ({})", name_of(planned.action), size,
                             escape(planned.path), is_directory ? "/" : "",
                             escape(planned.reason)));
}

void PlanReport::print_end(const GetOutcome& outcome) {
  const std::string new_ones = fmt::format("would_{}", verb_);
  output_.event({{"event", "plan"},
                 {new_ones, new_.files},
                 {new_ones + "_bytes", new_.bytes},
                 {"would_replace", replaced_.files},
                 {"would_replace_bytes", replaced_.bytes},
                 {"would_delete", deleted_},
                 {"would_fail", outcome.failed}});
  print_summary_event(output_, outcome);
  if (output_.is_quiet() || outcome.root.empty()) return;
  const auto tally = [](const Tally& what) {
    return fmt::format("{} ({})", human_count(what.files), human_bytes(what.bytes));
  };
  std::string line = fmt::format("would {} {}, replace {}", verb_, tally(new_), tally(replaced_));
  if (left_.files > 0) line += ", leave " + tally(left_);
  if (deleted_ > 0) line += fmt::format(", delete {}", human_count(deleted_));
  if (kept_.files > 0) line += fmt::format("; {} already there", tally(kept_));
  if (outcome.failed > 0) line += fmt::format("; {} would fail", human_count(outcome.failed));
  output_.result(line + fmt::format("; in '{}'", escape(outcome.root)));
}

}  // namespace wormhole::cli
