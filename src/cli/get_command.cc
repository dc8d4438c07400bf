#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/get_progress.h"
#include "cli/human.h"
#include "cli/joining.h"
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
  return {.bytes_done = counters.bytes + counters.skipped_bytes + counters.resumed_bytes,
          .bytes_known = counters.announced_bytes,
          .all_known = counters.all_announced,
          .files_done = counters.files + counters.skipped_files,
          .files_known = counters.announced_files,
          .current = std::move(current)};
}

struct Outcome {
  Seconds seconds{0};
  std::optional<double> first_byte_ms;
  std::uint64_t wire_bytes = 0;
  unsigned streams = 0;
  std::string root;
  bool encrypted = true;
  ExitCode exit = ExitCode::kSuccess;
};

void print_summary(Output& output, const transfer::TakenCounters& counters,
                   const Outcome& outcome) {
  const platform::Usage usage = platform::usage();
  json object = {{"event", "summary"},
                 {"bytes", counters.bytes.load()},
                 {"files", counters.files.load()},
                 {"directories", counters.directories.load()},
                 {"links", counters.links.load()},
                 {"skipped", counters.skipped_files.load()},
                 {"skipped_bytes", counters.skipped_bytes.load()},
                 {"resumed_bytes", counters.resumed_bytes.load()},
                 {"kept_bytes", counters.kept_bytes.load()},
                 {"specials", counters.specials.load()},
                 {"failed", counters.failed.load()},
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
      fmt::format("{} {} ({}) in {}, {}", human_count(counters.files),
                  counters.files == 1 ? "file" : "files", human_bytes(counters.bytes),
                  human_time(outcome.seconds), human_rate(counters.bytes, outcome.seconds));
  if (counters.skipped_files > 0) {
    line += fmt::format("; {} already there", human_count(counters.skipped_files));
  }
  if (counters.resumed_bytes > 0) {
    line += fmt::format("; {} from an earlier run", human_bytes(counters.resumed_bytes));
  }
  if (counters.failed > 0) line += fmt::format("; {} failed", human_count(counters.failed));
  line += fmt::format("; in '{}'", escape(outcome.root));
  if (!outcome.encrypted) line += " (unencrypted)";
  output.result(line);
  if (counters.kept_bytes > 0) {
    output.say(fmt::format("{} of unfinished files are kept: run the same command again to go on",
                           human_bytes(counters.kept_bytes)));
  }
}

}  // namespace

ExitCode run_get(const GetArguments& arguments, Environment& environment) {
  Output& output = environment.output;
  transfer::TakenCounters counters;
  const auto give_up = [&](const Error& error) {
    output.error(error);
    Outcome outcome;
    outcome.exit = exit_code_for(error.code);
    print_summary(output, counters, outcome);
    return outcome.exit;
  };
  const auto target = parse_target(arguments.join.target);
  if (!target.has_value()) return give_up(target.error());
  if (arguments.destination.has_value() && arguments.destination->empty()) {
    return give_up({.code = Code::kUsage,
                    .operation = "fetch",
                    .detail = "the destination is empty",
                    .advice = "leave it out, or name one"});
  }

  const SystemClock clock;
  platform::SystemRandom random;
  BlockPool pool;
  const transfer::ClientOptions options{.streams = further_streams(arguments),
                                        .finds_streams = !arguments.streams.has_value(),
                                        .unencrypted = arguments.unencrypted,
                                        .compression = arguments.compression};
  auto joined = join(arguments.join, *target, environment, [&] {
    return std::make_unique<transfer::Client>(clock, random, pool, options);
  });
  if (!joined.has_value()) return give_up(joined.error());
  transfer::Client& client = **joined;

  GetReport report(output);
  transfer::TakeOptions take{
      .destination = {arguments.destination},
      .overwrite = arguments.overwrite,
      .sync = arguments.sync,
      .may_have = false,
      .cached_file_max_bytes = platform::memory_bytes() / kCachedPartOfMemory};
  take.may_have = transfer::may_have(take.destination, target->last_part());

  const TimePoint begun = client.timeline().started;
  Result<void> result;
  {
    ProgressLine line;
    const bool live = output.shows_progress();
    StopWatch watch(
        environment.stop, [&] { client.cancel(); },
        [&] {
          if (!live) return;
          output.live(line.render(snapshot(counters, report.current()), clock.now() - begun,
                                  platform::terminal_columns(kStandardErrorFd)));
        });
    result = client.get(target->path, take, report, counters);
  }
  output.live("");

  Outcome outcome;
  outcome.seconds = clock.now() - begun;
  if (const auto first = client.first_byte()) {
    outcome.first_byte_ms = Seconds(*first - begun).count() * 1000;
  }
  outcome.wire_bytes = client.wire_bytes();
  outcome.streams = client.streams();
  outcome.root = client.shown_root();
  outcome.encrypted = !client.is_plain();
  client.close();

  if (arguments.unencrypted && result.has_value() && outcome.encrypted) {
    output.say("the host does not allow unencrypted data: it came encrypted");
  }
  if (!result.has_value()) {
    output.error(result.error());
    outcome.exit = exit_code_for(result.error().code);
  } else if (counters.failed > 0) {
    outcome.exit = ExitCode::kPartial;
  }
  print_summary(output, counters, outcome);
  return outcome.exit;
}

}  // namespace wormhole::cli
