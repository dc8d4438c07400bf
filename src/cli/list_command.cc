#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/confined.h"
#include "cli/entry_type.h"
#include "cli/joining.h"
#include "transfer/client.h"

namespace wormhole::cli {
namespace {

using nlohmann::json;
using transfer::Client;
using wire::EntryType;

// "drwxr-xr-x", as ls -l writes it.
std::string mode_text(const wire::Entry& entry) {
  std::string text = entry.type == EntryType::kDirectory ? "d"
                     : entry.type == EntryType::kSymlink ? "l"
                                                         : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const unsigned bits = entry.mode >> shift & 7u;
    text += (bits & 4u) != 0 ? 'r' : '-';
    text += (bits & 2u) != 0 ? 'w' : '-';
    text += (bits & 1u) != 0 ? 'x' : '-';
  }
  return text;
}

void print_entry(Output& output, const transfer::Listing& listing, const std::string& path,
                 bool long_form) {
  const wire::Entry& entry = listing.entry;
  if (output.is_json()) {
    json object = {{"event", "entry"},
                   {"type", type_name(entry.type)},
                   {"size", entry.size},
                   {"mode", entry.mode},
                   {"mtime", entry.mtime_seconds},
                   {"mtime_ns", entry.mtime_nanoseconds}};
    set_bytes(object, "path", path);
    if (entry.type == EntryType::kSymlink) set_bytes(object, "target", entry.target);
    output.event(object);
    return;
  }
  std::string line = escape(path);
  if (entry.type == EntryType::kDirectory) line += '/';
  if (long_form) {
    const auto seconds = static_cast<std::time_t>(entry.mtime_seconds);
    std::tm time{};
    localtime_r(&seconds, &time);
    line =
        fmt::format("{} {:>14} {:%Y-%m-%d %H:%M:%S} {}", mode_text(entry), entry.size, time, line);
    if (entry.type == EntryType::kSymlink) line += " -> " + escape(entry.target);
  }
  output.result(line);
}

struct Outcome {
  std::uint64_t entries = 0;
  std::uint64_t failed = 0;
  std::uint64_t wire_bytes = 0;
  std::chrono::duration<double> seconds{0};
};

void print_summary(Output& output, const Outcome& outcome, ExitCode exit) {
  const platform::Usage usage = platform::usage();
  output.event({{"event", "summary"},
                {"bytes", 0},
                {"files", 0},
                {"entries", outcome.entries},
                {"failed", outcome.failed},
                {"wire_bytes", outcome.wire_bytes},
                {"seconds", outcome.seconds.count()},
                {"first_byte_ms", nullptr},
                {"streams", 0},
                {"cpu_seconds", usage.cpu_seconds},
                {"peak_rss_bytes", usage.peak_rss_bytes},
                {"exit", static_cast<int>(exit)}});
}

}  // namespace

ExitCode run_list(const ListArguments& arguments, Environment& environment) {
  Output& output = environment.output;
  Outcome outcome;
  const auto end = [&](const Error& error) {
    output.error(error);
    const ExitCode exit = exit_code_for(error);
    print_summary(output, outcome, exit);
    return exit;
  };
  const auto target = parse_target(arguments.target);
  if (!target.has_value()) return end(target.error());
  const SystemClock clock;
  platform::SystemRandom random;
  BlockPool pool;
  confine_to_asking(output);
  auto joined = join(arguments.code_file, *target, environment, [&] {
    return std::make_unique<Client>(clock, random, pool, transfer::ClientOptions{});
  });
  if (!joined.has_value()) return end(joined.error());
  Client& client = *joined->client;

  Result<void> result;
  {
    StopWatch watch(environment.stop, [&] { client.cancel(); }, [] {});
    result = client.list(
        target->path, arguments.recursive, /*selection=*/{},
        [&](const transfer::Listing& listing) {
          // The root directory is what was asked for; its entries are the answer.
          const bool is_root = listing.path.empty();
          if (is_root && listing.entry.type == EntryType::kDirectory) return Result<void>();
          ++outcome.entries;
          print_entry(output, listing, is_root ? listing.entry.name : listing.path,
                      arguments.long_form);
          return Result<void>();
        },
        [&](Error error) {
          error.operation = "list";
          error.object = transfer::shown_unlisted(std::move(error.object));
          const bool is_special = error.code == Code::kSkippedSpecial;
          if (!is_special) ++outcome.failed;
          if (output.is_json()) {
            json object = {{"event", is_special ? "skipped_special" : "failed"},
                           {"code", code_name(error.code)}};
            set_bytes(object, "path", error.object);
            set_bytes(object, "reason", to_sentence(error));
            output.event(object);
          } else if (is_special) {
            output.say("skipped: " + to_sentence(error));
          } else {
            output.failure(to_sentence(error));
          }
        });
  }
  outcome.wire_bytes = client.wire_bytes();
  outcome.seconds = clock.now() - client.timeline().started;
  client.close();
  if (!result.has_value()) {
    Error error = result.error();
    if (error.is_peers) error.operation = "list";
    return end(error);
  }
  const ExitCode exit = outcome.failed > 0 ? ExitCode::kPartial : ExitCode::kSuccess;
  print_summary(output, outcome, exit);
  return exit;
}

}  // namespace wormhole::cli
