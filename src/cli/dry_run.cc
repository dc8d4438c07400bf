#include "cli/dry_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "cli/confined.h"
#include "cli/entry_type.h"
#include "cli/get_report.h"
#include "cli/human.h"
#include "cli/joining.h"
#include "transfer/plan.h"

namespace wormhole::cli {
namespace {

using nlohmann::json;
using transfer::Action;
using transfer::Planned;
using wire::EntryType;

std::string_view name_of(Action action) {
  switch (action) {
    case Action::kFetch:
      return "fetch";
    case Action::kReplace:
      return "replace";
    case Action::kKeep:
      return "keep";
    case Action::kLeave:
      return "leave";
    case Action::kRefuse:
      break;
  }
  return "conflict";
}

struct Tally {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  void add(const wire::Entry& entry) {
    ++files;
    if (entry.link_of == 0) bytes += entry.size;
  }
};

struct Tallies {
  Tally fetched, replaced, kept, left;
  std::uint64_t refused = 0;

  void add(const Planned& planned) {
    if (planned.action == Action::kRefuse) ++refused;
    if (planned.entry.type == EntryType::kDirectory) return;
    if (planned.action == Action::kFetch) fetched.add(planned.entry);
    if (planned.action == Action::kReplace) replaced.add(planned.entry);
    if (planned.action == Action::kKeep) kept.add(planned.entry);
    if (planned.action == Action::kLeave) left.add(planned.entry);
  }
};

void print(Output& output, const Planned& planned) {
  const bool is_directory = planned.entry.type == EntryType::kDirectory;
  if (output.is_json()) {
    json object = {{"event", "planned"},
                   {"action", name_of(planned.action)},
                   {"type", type_name(planned.entry.type)},
                   {"size", planned.entry.size},
                   {"reason", planned.reason}};
    set_bytes(object, "path", planned.path);
    output.event(object);
    return;
  }
  if (planned.action == Action::kKeep && !output.is_verbose()) return;
  const std::string size = is_directory || planned.entry.type == EntryType::kSymlink
                               ? std::string(type_name(planned.entry.type))
                               : human_bytes(planned.entry.size);
  output.result(fmt::format("{:<8} {:>9}  {}{}  ({})", name_of(planned.action), size,
                            escape(planned.path), is_directory ? "/" : "", planned.reason));
}

void print_end(Output& output, const Tallies& tallies, const GetOutcome& outcome) {
  output.event({{"event", "plan"},
                {"would_fetch", tallies.fetched.files},
                {"would_fetch_bytes", tallies.fetched.bytes},
                {"would_replace", tallies.replaced.files},
                {"would_replace_bytes", tallies.replaced.bytes},
                {"would_fail", outcome.failed}});
  print_summary_event(output, outcome);
  if (output.is_quiet() || outcome.root.empty()) return;
  const auto tally = [](const Tally& what) {
    return fmt::format("{} ({})", human_count(what.files), human_bytes(what.bytes));
  };
  std::string line =
      fmt::format("would fetch {}, replace {}", tally(tallies.fetched), tally(tallies.replaced));
  if (tallies.left.files > 0) line += ", leave " + tally(tallies.left);
  if (tallies.kept.files > 0) line += fmt::format("; {} already there", tally(tallies.kept));
  if (outcome.failed > 0) line += fmt::format("; {} would fail", human_count(outcome.failed));
  output.result(line + fmt::format("; in '{}'", escape(outcome.root)));
}

}  // namespace

ExitCode run_dry(const GetArguments& arguments, const Errands& errands,
                 const wire::Selection& selection, Environment& environment) {
  Output& output = environment.output;
  GetOutcome outcome;
  Tallies tallies;
  const auto end = [&](const Error& error) {
    output.error(error);
    outcome.exit = exit_code_for(error.code);
    print_end(output, tallies, outcome);
    return outcome.exit;
  };
  const SystemClock clock;
  platform::SystemRandom random;
  BlockPool pool;
  confine_to_asking(output);
  auto joined = join(arguments.code_file, errands.host, environment, [&] {
    return std::make_unique<transfer::Client>(clock, random, pool, transfer::ClientOptions{});
  });
  if (!joined.has_value()) return end(joined.error());
  transfer::Client& client = *joined->client;

  GetReport report(output);
  const auto on_failed = [&](const Error& error) {
    if (error.code != Code::kSkippedSpecial) ++outcome.failed;
    report.on_failed(error.object, error);
  };
  Result<void> result;
  {
    StopWatch watch(environment.stop, [&] { client.cancel(); }, [] {});
    for (const Errand& errand : errands.all) {
      transfer::Plan plan(take_options(arguments, errand, selection), errand.last_part());
      result = client.list(
          errand.path, /*recursive=*/true, selection,
          [&](const transfer::Client::Listing& listing) -> Result<void> {
            WH_ASSIGN(const auto planned, plan.on_listing(listing));
            if (planned.path.empty()) return {};  // the destination is no entry of itself
            tallies.add(planned);
            print(output, planned);
            return {};
          },
          on_failed);
      outcome.root = errands.all.size() > 1 ? *errands.destination.path : plan.shown_root();
      if (result.has_value()) continue;
      const bool is_only_this = errands.all.size() > 1 && is_of_one_path(result.error().code);
      if (!is_only_this) break;
      on_failed(result.error());
      result = {};
    }
  }
  report.list_failures();
  outcome.wire_bytes = client.wire_bytes();
  outcome.seconds = clock.now() - client.timeline().started;
  outcome.skipped_files = tallies.kept.files;
  outcome.skipped_bytes = tallies.kept.bytes;
  outcome.left_files = tallies.left.files;
  outcome.failed += tallies.refused;
  client.close();
  if (!result.has_value()) return end(result.error());
  if (outcome.failed > 0) outcome.exit = ExitCode::kPartial;
  print_end(output, tallies, outcome);
  return outcome.exit;
}

}  // namespace wormhole::cli
