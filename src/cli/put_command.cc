#include <array>

#include "base/bytes.h"
#include "cli/commands.h"
#include "cli/confined.h"
#include "cli/deleting.h"
#include "cli/errands.h"
#include "cli/plan_report.h"
#include "cli/put_items.h"
#include "cli/spool.h"
#include "cli/transfer_run.h"

namespace wormhole::cli {
namespace {

// The attempts of a command belong together.
std::uint64_t random_number() {
  std::array<std::byte, sizeof(std::uint64_t)> bytes;
  platform::SystemRandom().fill(bytes);
  return load_le<std::uint64_t>(bytes.data());
}

std::string shown(const Target& host, const std::string& root) {
  return host.host + "/" + (root == "." ? "" : root);
}

// As the host takes it, but for what it is.
wire::Put put_of(const TransferArguments& arguments, const wire::Selection& selection,
                 std::uint64_t run) {
  return {.selection = selection,
          .overwrite = arguments.overwrite,
          .leaves = arguments.leaves,
          .checksum = arguments.checksum,
          .reuse = arguments.reuse,
          .sync = arguments.sync,
          .may_delete = arguments.may_delete,
          .dry_run = arguments.dry_run,
          .run = run,
          .keeps = arguments.keeps,
          .as_shown = arguments.shown.has_value()};
}

// One of several things, or the only one.
void set_item(wire::Put& put, const PutItems& items, const transfer::Shares& shares,
              std::size_t item) {
  put.name = shares.all()[item].name;
  put.source = shares.all().size() > 1 ? put.name : "";
  put.path = items.path_for(put.name);
}

class PutRun final : public TransferRun {
 public:
  PutRun(const TransferArguments& arguments, const PutItems& items, const transfer::Shares& shares,
         std::vector<std::string> own, wire::Put put, std::uint64_t rate_max_bytes,
         Environment& environment)
      : TransferRun(arguments, items.host, rate_max_bytes, "put", environment),
        items_(items),
        shares_(shares),
        own_(std::move(own)),
        put_(std::move(put)) {}

 private:
  [[nodiscard]] std::size_t items() const override { return shares_.all().size(); }
  [[nodiscard]] std::string name_of(std::size_t item) const override {
    return shares_.all()[item].name;
  }
  [[nodiscard]] std::string root() const override { return shown_root(items_.host.path); }
  [[nodiscard]] std::string shown_root(const std::string& root) const override {
    return shown(items_.host, root);
  }

  void confine() override { confine_to_asking(output_, own_); }
  // Names were looked up by now, which takes files of the system's.
  void before_joining() override { confine_to_giving(shares_, own_, output_); }
  void add_options(transfer::ClientOptions& options) const override { options.gives = &shares_; }

  void begin(std::size_t item) override { set_item(put_, items_, shares_, item); }
  Result<void> attempt(transfer::Client& client, transfer::TakerEvents& events,
                       transfer::TakenCounters& counters) override {
    return client.put(put_, events, counters);
  }
  void begin_again(const transfer::TakenCounters& /*last*/) override {}
  // What the host keeps of unfinished files it cannot tell once the link is gone.
  [[nodiscard]] std::uint64_t left_behind(const GetOutcome& /*so_far*/,
                                          const transfer::TakenCounters& last) const override {
    return last.bytes + last.resumed_bytes + last.reused_bytes + last.skipped_bytes;
  }

  const PutItems& items_;
  const transfer::Shares& shares_;
  const std::vector<std::string> own_;  // what is removed when all is over
  wire::Put put_;
};

// The host says what it would do.
DryRun plan_put(const TransferArguments& arguments, const PutItems& items,
                const transfer::Shares& shares, const std::vector<std::string>& own, wire::Put put,
                Environment& environment) {
  Output& output = environment.output;
  GetOutcome outcome;
  PlanReport report(output, "put");
  const SystemClock clock;
  platform::SystemRandom random;
  BlockPool pool;
  confine_to_asking(output, own);
  auto joined = join(arguments.code_file, items.host, environment, [&] {
    // The host's name was looked up. What is asked about first is looked up once more afterwards.
    if (arguments.dry_run) confine_to_giving(shares, own, output);
    return std::make_unique<transfer::Client>(clock, random, pool,
                                              transfer::ClientOptions{.gives = &shares});
  });
  if (!joined.has_value()) return {report.finish(fail(joined.error()), outcome)};
  transfer::Client& client = *joined->client;
  const auto on_planned = [&](const wire::Planned& planned) -> Result<void> {
    report.on_planned(planned);
    return {};
  };
  Result<void> result;
  {
    StopWatch watch(environment.stop, [&] { client.cancel(); }, [] {});
    for (std::size_t item = 0; result.has_value() && item < shares.all().size(); ++item) {
      set_item(put, items, shares, item);
      transfer::TakenCounters counters;
      result = client.put(put, report, counters, on_planned);
      const bool is_one = shares.all().size() == 1;
      outcome.root = shown(items.host, is_one ? client.shown_root() : items.host.path);
      if (is_one || result.has_value() || !is_of_one_path(result.error().code)) continue;
      report.on_failed(result.error());
      result = {};
    }
  }
  outcome.wire_bytes = client.wire_bytes();
  outcome.seconds = clock.now() - client.timeline().started;
  client.close();
  return {report.finish(result, outcome), report.deletions(),
          result.has_value() ? std::optional(joined->code) : std::nullopt};
}

}  // namespace

ExitCode run_put(const TransferArguments& arguments, Environment& environment) {
  const auto items = put_items_of(arguments.operands);
  if (!items.has_value()) return give_up(items.error(), environment);
  if (items->is_standard_input() && reads_rules_from_standard_input(arguments.selection)) {
    return give_up({.code = Code::kUsage,
                    .operation = "put standard input",
                    .detail = "--exclude-from - reads patterns from it",
                    .advice = "give the patterns by a file"},
                   environment);
  }
  const auto selection = selection_of(arguments.selection);
  if (!selection.has_value()) return give_up(selection.error(), environment);
  const auto rate = rate_of(arguments.rate_limit);
  if (!rate.has_value()) return give_up(rate.error(), environment);
  if (const auto checked = check_deleting(arguments, environment.output); !checked.has_value()) {
    return give_up(checked.error(), environment);
  }
  std::optional<Spool> spool;
  std::vector<std::string> own;
  std::vector<std::string> paths = items->paths;
  if (items->is_standard_input()) {
    auto read = Spool::read(items->host.last_part(), environment.stop.descriptor());
    if (!read.has_value()) return give_up(read.error(), environment);
    spool.emplace(std::move(*read));
    own = {*Spool::place()};
    paths = {spool->path()};
  }
  auto shares = transfer::Shares::open(paths);
  if (!shares.has_value()) {
    Error error = shares.error();
    error.operation = "put";
    // What cannot be read is this machine's matter here, not the other side's.
    if (error.code == Code::kNotFound || error.code == Code::kSkippedSpecial) {
      error.code = Code::kLocalIo;
    }
    return give_up(error, environment);
  }
  if (arguments.may_delete && !shares->is_all_directories()) {
    return give_up({.code = Code::kUsage,
                    .operation = "mirror with --delete",
                    .detail = "only directories can be mirrored",
                    .advice = "leave out --delete"},
                   environment);
  }
  // The host remembers what its plan showed.
  const std::uint64_t run = random_number();
  const auto plan = [&] {
    wire::Put put = put_of(arguments, *selection, run);
    put.dry_run = true;
    return plan_put(arguments, *items, *shares, own, std::move(put), environment);
  };
  return run_or_plan(arguments, environment, plan,
                     [&](const TransferArguments& as_asked, Environment& surroundings) {
                       return PutRun(as_asked, *items, *shares, own,
                                     put_of(as_asked, *selection, run), *rate, surroundings)
                           .run();
                     });
}

}  // namespace wormhole::cli
