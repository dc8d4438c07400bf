#include "cli/deleting.h"

#include <fmt/format.h>

#include <array>
#include <iostream>

#include "cli/human.h"
#include "cli/transfer_run.h"
#include "cli/user_secret.h"
#include "platform/readiness.h"

namespace wormhole::cli {
namespace {

constexpr int kStandardInput = 0;
constexpr int kStandardOutput = 1;

Error unusable(std::string_view why, std::string_view advice) {
  return {.code = Code::kUsage,
          .operation = "mirror with --delete",
          .detail = std::string(why),
          .advice = std::string(advice)};
}

// Whether what would be done is to be shown first.
bool asks_before_deleting(const TransferArguments& arguments) {
  return arguments.may_delete && !arguments.sure && !arguments.dry_run;
}

// kInterrupted: no.
Result<void> confirm_deleting(const DryRun& shown, Environment& environment) {
  if (shown.deletions == 0) return {};
  // A line that was typed before this was to be read is no answer to it.
  platform::drop_typed_ahead(kStandardInput);
  environment.output.result(fmt::format("Delete {} as shown? [y/N]", human_count(shown.deletions)));
  std::array<platform::Watch, 2> watches;
  watches[0].descriptor = kStandardInput;
  watches[1].descriptor = environment.stop.descriptor();
  std::string line;
  const bool waited =
      platform::wait_ready(watches, std::chrono::hours(24)).has_value() && watches[0].ready;
  if (waited && environment.stop.arrived() == 0) std::getline(std::cin, line);
  if (line == "y" || line == "Y" || line == "yes") return {};
  return fail({.code = Code::kInterrupted,
               .operation = "mirror",
               .detail = "it was not wanted: nothing was changed"});
}
}  // namespace

Result<void> check_deleting(const TransferArguments& arguments, Output& output) {
  if (!arguments.may_delete) return {};
  if (arguments.selection.gitignore || arguments.selection.max_size.has_value()) {
    return fail(unusable("what --gitignore and --max-size pass over looks as if it were gone",
                         "say what stays with --exclude"));
  }
  // What would go is shown on standard output, and the question after it.
  const bool can_ask = platform::is_terminal(kStandardInput) &&
                       platform::is_terminal(kStandardOutput) && !output.is_json() &&
                       !reads_rules_from_standard_input(arguments.selection);
  if (!asks_before_deleting(arguments) || can_ask) return {};
  return fail(unusable("nobody is here to be asked", "look at it with --dry-run, then say --yes"));
}

ExitCode run_or_plan(const TransferArguments& arguments, Environment& environment,
                     const PlanIt& plan, const RunIt& run) {
  if (arguments.dry_run) return plan().exit;
  if (!asks_before_deleting(arguments)) return run(arguments, environment);
  make_user_secret(environment.output);
  const platform::Timestamp started = platform::stamp_now();
  const DryRun shown = plan();
  if (!shown.code.has_value()) return shown.exit;
  const auto confirmed = confirm_deleting(shown, environment);
  if (!confirmed.has_value()) return give_up(confirmed.error(), environment);
  const GivenCode code{.argument = shown.code->text(), .environment = std::nullopt};
  Environment again{environment.output, code, environment.stop};
  TransferArguments as_shown = arguments;
  as_shown.shown = ShownMirror{started, shown.shown};
  return run(as_shown, again);
}

}  // namespace wormhole::cli
