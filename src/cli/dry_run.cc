#include "cli/dry_run.h"

#include "cli/confined.h"
#include "cli/joining.h"
#include "cli/plan_report.h"
#include "transfer/plan.h"

namespace wormhole::cli {

DryRun run_dry(const TransferArguments& arguments, const Errands& errands,
               const wire::Selection& selection, Environment& environment) {
  Output& output = environment.output;
  GetOutcome outcome;
  PlanReport report(output, "fetch");
  const SystemClock clock;
  platform::SystemRandom random;
  BlockPool pool;
  // What comes after it, in the same process, writes.
  if (arguments.dry_run) {
    confine_to_asking(output);
  } else {
    confine_to(errands.destination, output);
  }
  auto joined = join(arguments.code_file, errands.host, environment, [&] {
    return std::make_unique<transfer::Client>(clock, random, pool, transfer::ClientOptions{});
  });
  if (!joined.has_value()) return {report.finish(fail(joined.error()), outcome)};
  transfer::Client& client = *joined->client;

  const auto shown = std::make_shared<transfer::ShownDeletions>();
  const auto on_failed = [&](const Error& error) { report.on_failed(error); };
  const auto on_surplus = [&](const Errand& errand, transfer::Plan& plan) {
    for (const auto& surplus : plan.take_surplus()) {
      report.on_planned(surplus);
      if (surplus.action == wire::Action::kDelete) shown->add(errand.path, surplus.path);
    }
  };
  Result<void> result;
  {
    StopWatch watch(environment.stop, [&] { client.cancel(); }, [] {});
    for (const Errand& errand : errands.all) {
      transfer::Plan plan(take_options(arguments, errand, selection), errand.last_part());
      result = client.list(
          errand.path, /*recursive=*/true, selection,
          [&](const transfer::Listing& listing) -> Result<void> {
            WH_ASSIGN(const auto planned, plan.on_listing(listing));
            on_surplus(errand, plan);
            // The destination is no entry of itself.
            if (!planned.path.empty()) report.on_planned(planned);
            return {};
          },
          [&](const Error& error) {
            plan.on_unlisted(error.object);
            on_failed(error);
          });
      if (result.has_value()) plan.finish();
      on_surplus(errand, plan);
      outcome.root = errands.all.size() > 1 ? *errands.destination.path : plan.shown_root();
      if (result.has_value()) continue;
      const bool is_only_this = errands.all.size() > 1 && is_of_one_path(result.error().code);
      if (!is_only_this) break;
      on_failed(result.error());
      result = {};
    }
  }
  outcome.wire_bytes = client.wire_bytes();
  outcome.seconds = clock.now() - client.timeline().started;
  client.close();
  return {report.finish(result, outcome), report.deletions(),
          result.has_value() ? std::optional(joined->code) : std::nullopt, shown};
}

}  // namespace wormhole::cli
