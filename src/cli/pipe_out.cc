#include "cli/pipe_out.h"

#include <fmt/format.h>

#include "cli/confined.h"
#include "cli/get_report.h"
#include "cli/human.h"
#include "cli/joining.h"

namespace wormhole::cli {
namespace {

Error usage(std::string_view why) {
  return {.code = Code::kUsage,
          .operation = "fetch to standard output",
          .detail = std::string(why),
          .advice = "name a destination"};
}

Result<void> fetch(const TransferArguments& arguments, const Errands& errands,
                   std::uint64_t rate_max_bytes, Environment& environment) {
  if (environment.output.is_json()) return fail(usage("--json prints there"));
  if (arguments.dry_run) return fail(usage("--dry-run prints there"));
  if (errands.all.size() > 1) return fail(usage("one file can be written there, not several"));
  if (arguments.keeps.any()) return fail(usage("it has no owner, attributes or times to keep"));
  if (arguments.sync) return fail(usage("--fsync cannot tell when it is on a disk"));
  if (arguments.may_delete) return fail(usage("nothing can be deleted there"));
  const SelectionArguments& selection = arguments.selection;
  if (!selection.rules.empty() || selection.gitignore || selection.max_size.has_value()) {
    return fail(usage("of one file that is asked for, nothing can be passed over"));
  }
  if (arguments.unencrypted) return fail(usage("what comes unencrypted is checked behind its use"));
  const SystemClock clock;
  platform::SystemRandom random;
  BlockPool pool;
  confine_to_asking(environment.output);
  WH_ASSIGN(auto joined, join(arguments.code_file, errands.host, environment, [&] {
              // On the first connection alone, where a file comes in its order.
              return std::make_unique<transfer::Client>(
                  clock, random, pool,
                  transfer::ClientOptions{.streams = 0,
                                          .compression = arguments.compression,
                                          .finds_copies = false,
                                          .rate_max_bytes = rate_max_bytes});
            }));
  transfer::Client& client = *joined.client;
  GetOutcome outcome;
  outcome.root = "standard output";
  Result<void> result;
  {
    StopWatch watch(environment.stop, [&] { client.cancel(); }, [] {});
    const int stop = environment.stop.descriptor();
    result = client.read(errands.all.front().path, [&](Bytes data) {
      outcome.bytes += data.size();
      return platform::write_standard_output(data, stop);
    });
  }
  outcome.seconds = clock.now() - client.timeline().started;
  client.close();
  if (!result.has_value() && outcome.bytes > 0) {
    // Nothing can be gone on with there.
    Error error = result.error();
    error.advice = fmt::format("what was written ({}) is not the whole file: begin anew",
                               human_bytes(outcome.bytes));
    return fail(std::move(error));
  }
  WH_TRY(result);
  WH_TRY(platform::flush_standard_output());
  outcome.files = 1;
  outcome.wire_bytes = client.wire_bytes();
  outcome.streams = client.streams();
  if (const auto first = client.first_byte(); first.has_value()) {
    const std::chrono::duration<double, std::milli> after = *first - client.timeline().started;
    outcome.first_byte_ms = after.count();
  }
  print_summary(environment.output, outcome, arguments.stats);
  return {};
}

}  // namespace

ExitCode run_pipe_out(const TransferArguments& arguments, const Errands& errands,
                      std::uint64_t rate_max_bytes, Environment& environment) {
  environment.output.leave_standard_output();
  const auto result = fetch(arguments, errands, rate_max_bytes, environment);
  if (result.has_value()) return ExitCode::kSuccess;
  environment.output.error(result.error());
  return exit_code_for(result.error());
}

}  // namespace wormhole::cli
