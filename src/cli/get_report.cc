#include "cli/get_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/escape.h"
#include "cli/human.h"
#include "platform/process.h"

namespace wormhole::cli {
namespace {

using nlohmann::json;

std::uint64_t less(std::uint64_t value, std::uint64_t other) {
  return value - std::min(value, other);
}

void print_stats(Output& output, const GetOutcome& outcome, const platform::Usage& usage) {
  const auto line = [&](std::string_view what, const std::string& text) {
    output.result(fmt::format("  {:<14} {}", what, text));
  };
  line("files", fmt::format("{} came, {} were there, {} left as they are, {} failed",
                            human_count(outcome.files), human_count(outcome.skipped_files),
                            human_count(outcome.left_files), human_count(outcome.failed)));
  line("besides",
       fmt::format("{}, {}, {}, {}", counted(outcome.directories, "directory", "directories"),
                   counted(outcome.links, "symlink", "symlinks"),
                   counted(outcome.hard_links, "hard link", "hard links"),
                   counted(outcome.specials, "special file", "special files")));
  line("bytes", fmt::format("{} came, {} were there in equal files", human_count(outcome.bytes),
                            human_count(outcome.skipped_bytes)));
  line("not again",
       fmt::format("{} copied from what is here, {} from an earlier run",
                   human_count(outcome.reused_bytes), human_count(outcome.resumed_bytes)));
  line("on the wire", fmt::format("{} in both directions, on {}{}", human_count(outcome.wire_bytes),
                                  counted(outcome.streams, "stream", "streams"),
                                  outcome.encrypted ? "" : ", unencrypted"));
  line("time", fmt::format("{:.3f} s, {}; first byte after {}", outcome.seconds.count(),
                           human_rate(outcome.bytes, outcome.seconds),
                           outcome.first_byte_ms.has_value()
                               ? fmt::format("{:.1f} ms", *outcome.first_byte_ms)
                               : "-"));
  line("this process", fmt::format("{:.2f} s of CPU, {} of memory at most", usage.cpu_seconds,
                                   human_bytes(usage.peak_rss_bytes)));
}

// What --archive could not keep of what is in place.
void say_what_was_lost(Output& output, const GetOutcome& outcome) {
  const auto say = [&](std::uint64_t count, std::string_view one, std::string_view many,
                       std::string_view why) {
    if (count == 0) return;
    output.say(fmt::format("{} could not be kept: {}", counted(count, one, many), why));
  };
  say(outcome.owners_lost, "owner of a file or directory", "owners of files and directories",
      "that takes root, and a file system that has owners");
  say(outcome.groups_lost, "group of a file or directory", "groups of files and directories",
      "that takes root or being in the group, and a file system that has groups");
  say(outcome.xattrs_lost, "extended attribute", "extended attributes",
      "the file system there does not take them, or they could not be read");
  say(outcome.acls_lost, "ACL", "ACLs", "the file system there does not take them");
  if (outcome.capabilities_lost > 0) {
    output.say(fmt::format("the capabilities of {} were dropped, as set-user-ID is",
                           counted(outcome.capabilities_lost, "file", "files")));
  }
}

}  // namespace

void GetReport::on_failed(const std::string& path, const Error& error) {
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
    fail_with("failed: " + to_sentence(error));
  }
}

// What is said at once has left the screen an hour later, when all is over.
void GetReport::fail_with(const std::string& sentence) {
  {
    std::scoped_lock lock(mutex_);
    if (failures_.size() < kFailuresListedMax) {
      failures_.push_back(sentence);
      return;
    }
  }
  output_.failure(sentence);
}

void GetReport::list_failures() {
  std::vector<std::string> failures;
  {
    std::scoped_lock lock(mutex_);
    failures = std::exchange(failures_, {});
  }
  for (const std::string& failure : failures) output_.failure(failure);
}

std::size_t GetReport::failures() const {
  std::scoped_lock lock(mutex_);
  return failures_.size();
}

void GetReport::forget_failures_but(std::size_t first) {
  std::scoped_lock lock(mutex_);
  failures_.resize(std::min(first, failures_.size()));
}

void GetReport::on_file(const std::string& path) {
  {
    std::scoped_lock lock(mutex_);
    current_ = path;
  }
  if (output_.is_verbose()) output_.say(escape(path));
}

void GetReport::on_not_kept(const std::string& /*path*/, const Error& error) {
  if (output_.is_verbose()) output_.say(to_sentence(error));
}

std::string GetReport::current() const {
  std::scoped_lock lock(mutex_);
  return current_;
}

void GetOutcome::add(const transfer::TakenCounters& counters, const transfer::Client& client,
                     std::uint64_t wire, TimePoint begun) {
  const bool is_first = attempts++ == 0;
  if (const auto first = client.first_byte(); first.has_value() && !first_byte_ms.has_value()) {
    first_byte_ms = Seconds(*first - begun).count() * 1000;
  }
  wire_bytes += wire;
  streams = std::max(streams, client.streams());
  if (!client.shown_root().empty()) root = client.shown_root();
  encrypted = !client.is_plain();
  if (is_first) resumed_bytes = counters.resumed_bytes;
  directories = counters.directories;
  links = counters.links;
  hard_links += counters.hard_links;
  copied_links += counters.copied_links;
  owners_lost += counters.owners_lost;
  groups_lost += counters.groups_lost;
  xattrs_lost += counters.xattrs_lost;
  acls_lost += counters.acls_lost;
  capabilities_lost += counters.capabilities_lost;
  // What earlier attempts put in place was not there before.
  skipped_files = less(counters.skipped_files, files);
  skipped_bytes = less(counters.skipped_bytes, file_bytes);
  left_files = counters.left_files;
  kept_bytes = counters.kept_bytes;
  specials = counters.specials;
  failed = counters.failed;
  deleted += counters.deleted;
  bytes += counters.bytes;
  reused_bytes += counters.reused_bytes;
  files += counters.files;
  file_bytes += counters.file_bytes;
}

void GetOutcome::add(const GetOutcome& other) {
  if (!first_byte_ms.has_value()) first_byte_ms = other.first_byte_ms;
  seconds = std::max(seconds, other.seconds);
  wire_bytes += other.wire_bytes;
  streams = std::max(streams, other.streams);
  encrypted = encrypted && other.encrypted;
  bytes += other.bytes;
  files += other.files;
  file_bytes += other.file_bytes;
  resumed_bytes += other.resumed_bytes;
  reused_bytes += other.reused_bytes;
  directories += other.directories;
  links += other.links;
  hard_links += other.hard_links;
  copied_links += other.copied_links;
  owners_lost += other.owners_lost;
  groups_lost += other.groups_lost;
  xattrs_lost += other.xattrs_lost;
  acls_lost += other.acls_lost;
  capabilities_lost += other.capabilities_lost;
  skipped_files += other.skipped_files;
  skipped_bytes += other.skipped_bytes;
  left_files += other.left_files;
  kept_bytes += other.kept_bytes;
  specials += other.specials;
  failed += other.failed;
  deleted += other.deleted;
}

void print_summary_event(Output& output, const GetOutcome& outcome) {
  const platform::Usage usage = platform::usage();
  json object = {{"event", "summary"},
                 {"bytes", outcome.bytes},
                 {"files", outcome.files},
                 {"directories", outcome.directories},
                 {"links", outcome.links},
                 {"hard_links", outcome.hard_links},
                 {"copied_links", outcome.copied_links},
                 {"skipped", outcome.skipped_files},
                 {"skipped_bytes", outcome.skipped_bytes},
                 {"left", outcome.left_files},
                 {"resumed_bytes", outcome.resumed_bytes},
                 {"reused_bytes", outcome.reused_bytes},
                 {"kept_bytes", outcome.kept_bytes},
                 {"specials", outcome.specials},
                 {"failed", outcome.failed},
                 {"deleted", outcome.deleted},
                 {"owners_lost", outcome.owners_lost},
                 {"groups_lost", outcome.groups_lost},
                 {"xattrs_lost", outcome.xattrs_lost},
                 {"acls_lost", outcome.acls_lost},
                 {"capabilities_lost", outcome.capabilities_lost},
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
}

void print_summary(Output& output, const GetOutcome& outcome, bool stats) {
  print_summary_event(output, outcome);
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
  if (outcome.left_files > 0) {
    line += fmt::format("; {} left as {}", human_count(outcome.left_files),
                        outcome.left_files == 1 ? "it is" : "they are");
  }
  if (outcome.deleted > 0) line += fmt::format("; {} deleted", human_count(outcome.deleted));
  if (outcome.failed > 0) line += fmt::format("; {} failed", human_count(outcome.failed));
  line += fmt::format("; in '{}'", escape(outcome.root));
  if (!outcome.encrypted) line += " (unencrypted)";
  output.result(line);
  if (outcome.copied_links > 0) {
    output.say(fmt::format("{} copied, as none could be made there",
                           outcome.copied_links == 1
                               ? "one hard link was"
                               : human_count(outcome.copied_links) + " hard links were"));
  }
  say_what_was_lost(output, outcome);
  if (outcome.kept_bytes > 0) {
    output.say(fmt::format("{} of unfinished files are kept: run the same command again to go on",
                           human_bytes(outcome.kept_bytes)));
  }
  if (stats) print_stats(output, outcome, platform::usage());
}

}  // namespace wormhole::cli
