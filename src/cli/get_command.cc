#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/confined.h"
#include "cli/get_progress.h"
#include "cli/human.h"
#include "cli/index_file.h"
#include "cli/joining.h"
#include "cli/retries.h"
#include "cli/user_secret.h"
#include "transfer/client.h"

namespace wormhole::cli {
namespace {

using nlohmann::json;
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

class GetReport final : public transfer::TakerEvents {
 public:
  explicit GetReport(Output& output) : output_(output) {}

  void on_failed(const std::string& path, const Error& error) override {
    const bool special = error.code == Code::kSkippedSpecial;
    if (output_.is_json()) {
      json object = {{"event", special ? "skipped_special" : "failed"},
                     {"code", code_name(error.code)}};
      set_bytes(object, "path", path);
      set_bytes(object, "reason", to_sentence(error));
      output_.event(object);
      return;
    }
    if (special) {
      output_.say("skipped: " + to_sentence(error));
    } else {
      output_.failure("failed: " + to_sentence(error));
    }
  }

  void on_file(const std::string& path) override {
    {
      std::scoped_lock lock(mutex_);
      current_ = path;
    }
    if (output_.is_verbose()) output_.say(escape(path));
  }

  [[nodiscard]] std::string current() const {
    std::scoped_lock lock(mutex_);
    return current_;
  }

 private:
  Output& output_;
  mutable std::mutex mutex_;
  std::string current_;
};

ProgressSnapshot snapshot(const transfer::TakenCounters& counters, std::string current) {
  return {.bytes_done = counters.bytes + counters.skipped_bytes + counters.resumed_bytes +
                        counters.reused_bytes,
          .bytes_known = counters.announced_bytes,
          .all_known = counters.all_announced,
          .files_done = counters.files + counters.skipped_files,
          .files_known = counters.announced_files,
          .current = std::move(current)};
}

// What all attempts came to: where a link was lost, the next one went on with what was there.
struct Outcome {
  Seconds seconds{0};
  std::optional<double> first_byte_ms;
  std::uint64_t wire_bytes = 0;
  unsigned streams = 0;
  std::string root;
  bool encrypted = true;
  ExitCode exit = ExitCode::kSuccess;

  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t resumed_bytes = 0;  // of the first attempt: later ones found what this run left
  std::uint64_t reused_bytes = 0;
  // As the last attempt found them.
  std::uint64_t directories = 0;
  std::uint64_t links = 0;
  std::uint64_t skipped_files = 0;
  std::uint64_t skipped_bytes = 0;
  std::uint64_t kept_bytes = 0;
  std::uint64_t specials = 0;
  std::uint64_t failed = 0;

  void add(const transfer::TakenCounters& counters, transfer::Client& client, TimePoint begun);
};

std::uint64_t less(std::uint64_t value, std::uint64_t other) {
  return value - std::min(value, other);
}

void Outcome::add(const transfer::TakenCounters& counters, transfer::Client& client,
                  TimePoint begun) {
  const bool is_first = wire_bytes == 0;
  if (const auto first = client.first_byte(); first.has_value() && !first_byte_ms.has_value()) {
    first_byte_ms = Seconds(*first - begun).count() * 1000;
  }
  wire_bytes += client.wire_bytes();
  streams = std::max(streams, client.streams());
  if (!client.shown_root().empty()) root = client.shown_root();
  encrypted = !client.is_plain();
  if (is_first) resumed_bytes = counters.resumed_bytes;
  directories = counters.directories;
  links = counters.links;
  // What earlier attempts put in place was not there before.
  skipped_files = less(counters.skipped_files, files);
  skipped_bytes = less(counters.skipped_bytes, file_bytes);
  kept_bytes = counters.kept_bytes;
  specials = counters.specials;
  failed = counters.failed;
  bytes += counters.bytes;
  reused_bytes += counters.reused_bytes;
  files += counters.files;
  file_bytes += counters.file_bytes;
}

void print_summary(Output& output, const Outcome& outcome) {
  const platform::Usage usage = platform::usage();
  json object = {{"event", "summary"},
                 {"bytes", outcome.bytes},
                 {"files", outcome.files},
                 {"directories", outcome.directories},
                 {"links", outcome.links},
                 {"skipped", outcome.skipped_files},
                 {"skipped_bytes", outcome.skipped_bytes},
                 {"resumed_bytes", outcome.resumed_bytes},
                 {"reused_bytes", outcome.reused_bytes},
                 {"kept_bytes", outcome.kept_bytes},
                 {"specials", outcome.specials},
                 {"failed", outcome.failed},
                 {"wire_bytes", outcome.wire_bytes},
                 {"seconds", outcome.seconds.count()},
                 {"first_byte_ms", nullptr},
                 {"streams", outcome.streams},
                 {"encrypted", outcome.encrypted},
                 {"cpu_seconds", usage.cpu_seconds},
                 {"peak_rss_bytes", usage.peak_rss_bytes},
                 {"exit", static_cast<int>(outcome.exit)}};
  if (outcome.first_byte_ms.has_value()) object["first_byte_ms"] = *outcome.first_byte_ms;
  set_bytes(object, "destination", outcome.root);
  output.event(object);
  if (output.is_quiet() || outcome.root.empty()) return;

  std::string line =
      fmt::format("{} {} ({}) in {}, {}", human_count(outcome.files),
                  outcome.files == 1 ? "file" : "files", human_bytes(outcome.bytes),
                  human_time(outcome.seconds), human_rate(outcome.bytes, outcome.seconds));
  if (outcome.reused_bytes > 0) {
    line += fmt::format("; {} was there already", human_bytes(outcome.reused_bytes));
  }
  if (outcome.resumed_bytes > 0) {
    line += fmt::format("; {} from an earlier run", human_bytes(outcome.resumed_bytes));
  }
  if (outcome.skipped_files > 0) {
    line += fmt::format("; {} already there", human_count(outcome.skipped_files));
  }
  if (outcome.failed > 0) line += fmt::format("; {} failed", human_count(outcome.failed));
  line += fmt::format("; in '{}'", escape(outcome.root));
  if (!outcome.encrypted) line += " (unencrypted)";
  output.result(line);
  if (outcome.kept_bytes > 0) {
    output.say(fmt::format("{} of unfinished files are kept: run the same command again to go on",
                           human_bytes(outcome.kept_bytes)));
  }
}

// One command from its first attempt to its last.
class Fetch {
 public:
  Fetch(const GetArguments& arguments, Environment& environment)
      : arguments_(arguments), environment_(environment), output_(environment.output) {}

  ExitCode run() {
    const Result<void> result = fetch();
    if (arguments_.unencrypted && result.has_value() && outcome_.encrypted) {
      output_.say("the host does not allow unencrypted data: it came encrypted");
    }
    if (!result.has_value()) {
      output_.error(result.error());
      outcome_.exit = exit_code_for(result.error().code);
    } else if (outcome_.failed > 0) {
      outcome_.exit = ExitCode::kPartial;
    }
    print_summary(output_, outcome_);
    return outcome_.exit;
  }

 private:
  Result<void> fetch() {
    WH_ASSIGN(const auto target, parse_target(arguments_.join.target));
    if (arguments_.destination.has_value() && arguments_.destination->empty()) {
      return fail({.code = Code::kUsage,
                   .operation = "fetch",
                   .detail = "the destination is empty",
                   .advice = "leave it out, or name one"});
    }
    const auto secret = user_secret(output_, random_);
    confine_to(transfer::Destination{arguments_.destination}, output_);
    std::optional<OpeningIndex> opening_index;
    const auto make_client = [&] {
      // The code is there: what follows is waited for.
      if (!opening_index.has_value()) opening_index.emplace(output_);
      return std::make_unique<transfer::Client>(
          clock_, random_, pool_,
          transfer::ClientOptions{.streams = further_streams(arguments_),
                                  .finds_streams = !arguments_.streams.has_value(),
                                  .unencrypted = arguments_.unencrypted,
                                  .compression = arguments_.compression,
                                  .finds_copies = arguments_.reuse,
                                  .secret = secret});
    };
    WH_ASSIGN(auto joined, join(arguments_.join, target, environment_, make_client));
    transfer::TakeOptions take{
        .destination = {arguments_.destination},
        .overwrite = arguments_.overwrite,
        .sync = arguments_.sync,
        .may_have = false,
        .checksum = arguments_.checksum,
        .reuse = arguments_.reuse,
        .cached_file_max_bytes = platform::memory_bytes() / kCachedPartOfMemory};
    take.may_have = transfer::may_have(take.destination, target.last_part());
    const auto index = opening_index->take();
    take.index = index.get();
    if (take.reuse && index != nullptr && !index->was_empty()) take.may_have = true;

    begun_ = joined.client->timeline().started;
    Result<void> result = attempt(*joined.client, target.path, take);
    Retries retries(clock_);
    Result<void> last = result;  // of an attempt, or of coming back
    while (!last.has_value()) {
      if (last.error().code == Code::kInterrupted) return last;
      const auto wait = retries.after(last.error(), progressed_);
      if (!wait.has_value()) return result;
      if (!stays_patient(last.error(), *wait)) return interrupted();
      progressed_ = false;
      last = join_again(joined, environment_, make_client);
      if (!last.has_value()) continue;
      take.may_have = true;
      last = result = attempt(*joined.client, target.path, take);
    }
    return result;
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
    outcome_.add(counters, client, begun_);
    client.close();
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
  Environment& environment_;
  Output& output_;
  const SystemClock clock_;
  platform::SystemRandom random_;
  BlockPool pool_;
  GetReport report_{output_};
  TimePoint begun_{};
  Outcome outcome_;
  std::uint64_t left_behind_ = 0;  // in place, or kept of unfinished files
  bool progressed_ = false;        // in the last attempt
};

}  // namespace

ExitCode run_get(const GetArguments& arguments, Environment& environment) {
  return Fetch(arguments, environment).run();
}

}  // namespace wormhole::cli
