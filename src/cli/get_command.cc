#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/confined.h"
#include "cli/dry_run.h"
#include "cli/errands.h"
#include "cli/get_progress.h"
#include "cli/get_report.h"
#include "cli/human.h"
#include "cli/index_file.h"
#include "cli/joining.h"
#include "cli/pipe_out.h"
#include "cli/retries.h"
#include "cli/size.h"
#include "cli/user_secret.h"
#include "transfer/client.h"

namespace wormhole::cli {
namespace {

using Seconds = std::chrono::duration<double>;

// One stream a core is what it takes to fill a local link. On longer paths the client finds the
// number itself.
constexpr unsigned kStreamsByDefault = 4;

constexpr int kStandardErrorFd = 2;

// Further streams for what the user asked for. With one, the first connection carries the data
// itself.
unsigned further_streams(const GetArguments& arguments) {
  const unsigned cores = platform::processor_count();
  const unsigned wanted = arguments.streams.value_or(std::min(cores, kStreamsByDefault));
  if (wanted <= 1) return 0;
  return std::min<unsigned>(wanted, kStreamsMax - 1);
}

ProgressSnapshot snapshot(const transfer::TakenCounters& counters, std::string current) {
  return {.bytes_done = counters.bytes + counters.skipped_bytes + counters.left_bytes +
                        counters.resumed_bytes + counters.reused_bytes,
          .bytes_moved = counters.bytes + counters.reused_bytes,
          .bytes_known = counters.announced_bytes,
          .all_known = counters.all_announced,
          .files_done = counters.files + counters.skipped_files + counters.left_files,
          .files_known = counters.announced_files,
          .files_there = counters.skipped_files + counters.left_files,
          .bytes_reused = counters.reused_bytes,
          .failed = counters.failed,
          .current = std::move(current)};
}

// One command from its first attempt to its last.
class Fetch {
 public:
  Fetch(const GetArguments& arguments, const Errands& errands, const wire::Selection& selection,
        std::uint64_t rate_max_bytes, Environment& environment)
      : arguments_(arguments),
        errands_(errands),
        selection_(selection),
        rate_max_bytes_(rate_max_bytes),
        environment_(environment),
        output_(environment.output) {}

  ExitCode run() {
    const Result<void> result = fetch_all();
    if (arguments_.unencrypted && result.has_value() && total_.encrypted) {
      output_.say("the host does not allow unencrypted data: it came encrypted");
    }
    report_.list_failures();
    if (!result.has_value()) {
      output_.error(result.error());
      total_.exit = exit_code_for(result.error().code);
    } else if (total_.failed > 0) {
      total_.exit = ExitCode::kPartial;
    }
    print_summary(output_, total_, arguments_.stats);
    return total_.exit;
  }

 private:
  Result<void> fetch_all() {
    secret_ = user_secret(output_, random_);
    confine_to(errands_.destination, output_);
    WH_ASSIGN(joined_, join(arguments_.code_file, errands_.host, environment_, maker()));
    index_ = opening_index_->take();
    begun_ = joined_->client->timeline().started;
    started_ = platform::stamp_now();
    for (const Errand& errand : errands_.all) {
      auto fetched = fetch(errand);
      total_.add(outcome_);
      total_.root = errands_.all.size() > 1 ? *errands_.destination.path : outcome_.root;
      if (fetched.has_value()) continue;
      if (errands_.all.size() == 1 || !is_of_one_path(fetched.error().code)) return fetched;
      report_.on_failed(errand.path, fetched.error());
      ++total_.failed;
      const bool is_last = &errand == &errands_.all.back();
      if (!is_last && !joined_->client->is_open()) WH_TRY(join_once_more());
    }
    joined_->client->close();
    return {};
  }

  ClientMaker maker() {
    return [this] {
      // The code is there: what follows is waited for.
      if (!opening_index_.has_value()) opening_index_.emplace(output_);
      return std::make_unique<transfer::Client>(
          clock_, random_, pool_,
          transfer::ClientOptions{.streams = further_streams(arguments_),
                                  .finds_streams = !arguments_.streams.has_value(),
                                  .unencrypted = arguments_.unencrypted,
                                  .compression = arguments_.compression,
                                  .finds_copies = arguments_.reuse,
                                  .rate_max_bytes = rate_max_bytes_,
                                  .secret = secret_});
    };
  }

  Result<void> fetch(const Errand& errand) {
    outcome_ = {};
    left_behind_ = 0;
    progressed_ = false;
    transfer::TakeOptions take = take_options(arguments_, errand, selection_);
    take.started = started_;
    take.former = former_;
    take.index = index_.get();
    if (take.reuse && index_ != nullptr && !index_->was_empty()) take.may_have = true;
    const std::size_t failures_before = report_.failures();
    Result<void> result = attempt(*joined_->client, errand.path, take);
    Retries retries(clock_);
    Result<void> last = result;  // of an attempt, or of coming back
    while (!last.has_value()) {
      if (last.error().code == Code::kInterrupted) return last;
      const auto wait = retries.after(last.error(), progressed_);
      if (!wait.has_value()) return result;
      if (!stays_patient(last.error(), *wait)) return interrupted();
      progressed_ = false;
      last = join_once_more();
      if (!last.has_value()) continue;
      take.may_have = true;
      report_.forget_failures_but(failures_before);
      last = result = attempt(*joined_->client, errand.path, take);
    }
    return result;
  }

  Result<void> join_once_more() {
    wire_bytes_before_ = 0;
    return join_again(*joined_, environment_, maker());
  }

  Result<void> attempt(transfer::Client& client, const std::string& path,
                       transfer::TakeOptions& take) {
    transfer::TakenCounters counters;
    Result<void> result;
    {
      ProgressLine line;
      const bool live = output_.shows_progress();
      StopWatch watch(
          environment_.stop, [&] { client.cancel(); },
          [&] {
            if (!live) return;
            output_.live(line.render(snapshot(counters, report_.current()), clock_.now() - begun_,
                                     platform::terminal_columns(kStandardErrorFd)));
          });
      result = client.get(path, take, report_, counters);
    }
    take.owns_root = take.owns_root || counters.made_root;
    output_.live("");
    outcome_.seconds = clock_.now() - begun_;
    // The goodbye of the last one counts too.
    if (errands_.all.size() == 1) client.close();
    const std::uint64_t wire = client.wire_bytes();
    outcome_.add(counters, client, wire - std::exchange(wire_bytes_before_, wire), begun_);
    const std::uint64_t left_behind = outcome_.file_bytes + outcome_.kept_bytes;
    progressed_ = left_behind > left_behind_;
    left_behind_ = std::max(left_behind_, left_behind);
    return result;
  }

  // Says what happened and waits. False: the user does not want to.
  bool stays_patient(const Error& why, Duration wait) {
    const Seconds seconds = wait;
    output_.event({{"event", "retrying"},
                   {"code", code_name(why.code)},
                   {"reason", to_sentence(why)},
                   {"seconds", seconds.count()}});
    output_.say(fmt::format("{}: trying again in {}", to_sentence(why), human_time(seconds)));
    std::array<platform::Watch, 1> watches;
    watches[0].descriptor = environment_.stop.descriptor();
    return platform::wait_ready(watches, wait).has_value() && environment_.stop.arrived() == 0;
  }

  static Result<void> interrupted() {
    return fail({.code = Code::kInterrupted, .operation = "fetch", .detail = "interrupted"});
  }

  const GetArguments& arguments_;
  const Errands& errands_;
  const wire::Selection& selection_;
  const std::uint64_t rate_max_bytes_;
  Environment& environment_;
  Output& output_;
  const SystemClock clock_;
  platform::SystemRandom random_;
  BlockPool pool_;
  std::optional<store::UserSecret> secret_;
  GetReport report_{output_};
  std::optional<OpeningIndex> opening_index_;
  std::unique_ptr<store::Index> index_;
  std::optional<Joined> joined_;
  // Of all paths: what one put in place is not replaced by the next.
  platform::Timestamp started_;
  const std::shared_ptr<transfer::FormerNames> former_ = std::make_shared<transfer::FormerNames>();
  TimePoint begun_{};
  GetOutcome total_;
  GetOutcome outcome_;                   // of the path that is fetched
  std::uint64_t wire_bytes_before_ = 0;  // of its session, when its attempt began
  std::uint64_t left_behind_ = 0;        // in place, or kept of unfinished files
  bool progressed_ = false;              // in the last attempt
};

Result<std::uint64_t> rate_of(const std::optional<std::string>& text) {
  if (!text.has_value()) return UINT64_MAX;
  WH_ASSIGN(const std::uint64_t rate, parse_size("--bwlimit", *text, kKiB));
  return rate == 0 ? UINT64_MAX : rate;  // as rsync has it
}

}  // namespace

ExitCode run_get(const GetArguments& arguments, Environment& environment) {
  const auto give_up = [&](const Error& error) {
    environment.output.error(error);
    GetOutcome outcome;
    outcome.exit = exit_code_for(error.code);
    print_summary(environment.output, outcome, /*stats=*/false);
    return outcome.exit;
  };
  const auto errands = errands_of(arguments.operands);
  if (!errands.has_value()) return give_up(errands.error());
  const auto selection = selection_of(arguments.selection);
  if (!selection.has_value()) return give_up(selection.error());
  const auto rate = rate_of(arguments.rate_limit);
  if (!rate.has_value()) return give_up(rate.error());
  if (errands->destination.path == kStandardOutputName) {
    return run_pipe_out(arguments, *errands, *rate, environment);
  }
  if (arguments.dry_run) return run_dry(arguments, *errands, *selection, environment);
  return Fetch(arguments, *errands, *selection, *rate, environment).run();
}

}  // namespace wormhole::cli
