#include "cli/transfer_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/limits.h"
#include "cli/errands.h"
#include "cli/get_progress.h"
#include "cli/human.h"
#include "cli/retries.h"
#include "cli/size.h"
#include "cli/user_secret.h"

namespace wormhole::cli {
namespace {

using Seconds = std::chrono::duration<double>;

// One stream a core is what it takes to fill a local link. On longer paths the client finds the
// number itself.
constexpr unsigned kStreamsByDefault = 4;

constexpr int kStandardErrorFd = 2;

// Further streams for what the user asked for. With one, the first connection carries the data
// itself.
unsigned further_streams(const TransferArguments& arguments) {
  const unsigned cores = platform::processor_count();
  const unsigned wanted = arguments.streams.value_or(std::min(cores, kStreamsByDefault));
  if (wanted <= 1) return 0;
  return std::min<unsigned>(wanted, kStreamsMax - 1);
}

ProgressSnapshot snapshot(const transfer::TakenCounters& counters, std::string current) {
  return {.bytes_done = counters.bytes + counters.skipped_bytes + counters.left_bytes +
                        counters.resumed_bytes + counters.reused_bytes + counters.hole_bytes +
                        counters.refused_bytes,
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

}  // namespace

TransferRun::TransferRun(const TransferArguments& arguments, const Target& host,
                         std::uint64_t rate_max_bytes, std::string_view operation,
                         Environment& environment)
    : arguments_(arguments),
      environment_(environment),
      output_(environment.output),
      host_(host),
      rate_max_bytes_(rate_max_bytes),
      operation_(operation) {}

ExitCode TransferRun::run() {
  const Result<void> result = run_all();
  if (arguments_.unencrypted && result.has_value() && total_.encrypted) {
    output_.say("the host does not allow unencrypted data: it was encrypted");
  }
  report_.list_failures();
  if (!result.has_value()) {
    output_.error(result.error());
    total_.exit = exit_code_for(result.error());
  } else if (total_.failed > 0) {
    total_.exit = ExitCode::kPartial;
  }
  print_summary(output_, total_, arguments_.stats);
  return total_.exit;
}

Result<void> TransferRun::run_all() {
  secret_ = user_secret(output_, random_);
  confine();
  WH_ASSIGN(joined_, join(arguments_.code_file, host_, environment_, maker()));
  after_joining();
  begun_ = joined_->client->timeline().started;
  for (std::size_t item = 0; item < items(); ++item) {
    auto done = run_item(item);
    total_.add(outcome_);
    total_.root = items() > 1 ? root() : outcome_.root;
    if (done.has_value()) continue;
    if (items() == 1 || !is_of_one_path(done.error().code)) return done;
    report_.on_failed(name_of(item), done.error());
    ++total_.failed;
    if (item + 1 < items() && !joined_->client->is_open()) WH_TRY(join_once_more());
  }
  joined_->client->close();
  return {};
}

ClientMaker TransferRun::maker() {
  return [this] {
    if (!std::exchange(is_joining_, true)) before_joining();
    transfer::ClientOptions options{.streams = further_streams(arguments_),
                                    .finds_streams = !arguments_.streams.has_value(),
                                    .unencrypted = arguments_.unencrypted,
                                    .compression = arguments_.compression,
                                    .finds_copies = arguments_.reuse,
                                    .rate_max_bytes = rate_max_bytes_,
                                    .secret = secret_};
    add_options(options);
    return std::make_unique<transfer::Client>(clock_, random_, pool_, options);
  };
}

Result<void> TransferRun::run_item(std::size_t item) {
  outcome_ = {};
  left_behind_ = 0;
  progressed_ = false;
  begin(item);
  const std::size_t failures_before = report_.failures();
  Retries retries(clock_);
  transfer::TakenCounters first;
  Result<void> result = watched_attempt(first);
  if (!result.has_value()) begin_again(first);
  Result<void> last = result;  // of an attempt, or of coming back
  while (!last.has_value()) {
    if (last.error().code == Code::kInterrupted) return last;
    const auto wait = retries.after(last.error(), progressed_);
    if (!wait.has_value()) return result;
    if (!stays_patient(last.error(), *wait)) return interrupted();
    progressed_ = false;
    last = join_once_more();
    if (!last.has_value()) continue;
    report_.forget_failures_but(failures_before);
    transfer::TakenCounters counters;
    last = result = watched_attempt(counters);
    if (!last.has_value()) begin_again(counters);
  }
  return result;
}

Result<void> TransferRun::join_once_more() {
  wire_bytes_before_ = 0;
  return join_again(*joined_, environment_, maker());
}

Result<void> TransferRun::watched_attempt(transfer::TakenCounters& counters) {
  transfer::Client& client = *joined_->client;
  Result<void> result;
  {
    ProgressLine line(clock_.now() - begun_);
    const bool live = output_.shows_progress();
    StopWatch watch(
        environment_.stop, [&] { client.cancel(); },
        [&] {
          if (!live) return;
          output_.live(line.render(snapshot(counters, report_.current()), clock_.now() - begun_,
                                   platform::terminal_columns(kStandardErrorFd)));
        });
    result = attempt(client, report_, counters);
  }
  output_.live("");
  outcome_.seconds = clock_.now() - begun_;
  // The goodbye of the last one counts too.
  if (items() == 1) client.close();
  const std::uint64_t wire = client.wire_bytes();
  outcome_.add(counters, client, wire - std::exchange(wire_bytes_before_, wire), begun_);
  if (!client.shown_root().empty()) outcome_.root = shown_root(client.shown_root());
  const std::uint64_t now = left_behind(outcome_, counters);
  progressed_ = now > left_behind_;
  left_behind_ = std::max(left_behind_, now);
  return result;
}

bool TransferRun::stays_patient(Error why, Duration wait) {
  const Seconds seconds = wait;
  why.advice.clear();  // it is what is done here
  output_.event({{"event", "retrying"},
                 {"code", code_name(why.code)},
                 {"reason", to_sentence(why)},
                 {"seconds", seconds.count()}});
  output_.say(fmt::format("{}: trying again in {}", to_sentence(why), human_time(seconds)));
  std::array<platform::Watch, 1> watches;
  watches[0].descriptor = environment_.stop.descriptor();
  return platform::wait_ready(watches, wait).has_value() && environment_.stop.arrived() == 0;
}

Result<void> TransferRun::interrupted() const {
  return fail({.code = Code::kInterrupted, .operation = operation_, .detail = "interrupted"});
}

Result<std::uint64_t> rate_of(const std::optional<std::string>& text) {
  if (!text.has_value()) return UINT64_MAX;
  WH_ASSIGN(const std::uint64_t rate, parse_size("--bwlimit", *text, kKiB));
  return rate == 0 ? UINT64_MAX : rate;  // as rsync has it
}

ExitCode give_up(const Error& error, Environment& environment) {
  environment.output.error(error);
  GetOutcome outcome;
  outcome.exit = exit_code_for(error);
  print_summary(environment.output, outcome, /*stats=*/false);
  return outcome.exit;
}

}  // namespace wormhole::cli
