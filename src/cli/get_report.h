// What a get says of itself: failures as they are, and what it came to.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "transfer/client.h"
#include "transfer/events.h"

namespace wormhole::cli {

// Failures that are kept for the list at the end; others are only said as they come.
inline constexpr std::size_t kFailuresListedMax = 1000;

// Any thread.
class GetReport final : public transfer::TakerEvents {
 public:
  explicit GetReport(Output& output) : output_(output) {}

  void on_failed(const std::string& path, const Error& error) override;
  void on_file(const std::string& path) override;
  void on_not_kept(const std::string& path, const Error& error) override;

  [[nodiscard]] std::string current() const;
  // For people, once all is over: what did not come, and why.
  void list_failures();
  // What another attempt will say again, if it is still so: all but the first ones.
  [[nodiscard]] std::size_t failures() const;
  void forget_failures_but(std::size_t first);

 private:
  void fail_with(const std::string& sentence);

  Output& output_;
  mutable std::mutex mutex_;
  std::string current_;
  std::vector<std::string> failures_;
};

// What all attempts for one path came to: where a link was lost, the next one went on with what was
// there.
struct GetOutcome {
  using Seconds = std::chrono::duration<double>;

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
  std::uint64_t hard_links = 0;
  std::uint64_t copied_links = 0;
  // Of files that came, in whichever attempt; of a directory, once an attempt that reached its end.
  std::uint64_t owners_lost = 0;
  std::uint64_t groups_lost = 0;
  std::uint64_t xattrs_lost = 0;
  std::uint64_t acls_lost = 0;
  std::uint64_t capabilities_lost = 0;
  // As the last attempt found them.
  std::uint64_t directories = 0;
  std::uint64_t links = 0;
  std::uint64_t skipped_files = 0;
  std::uint64_t skipped_bytes = 0;
  std::uint64_t left_files = 0;
  std::uint64_t kept_bytes = 0;
  std::uint64_t specials = 0;
  std::uint64_t failed = 0;
  std::uint64_t deleted = 0;

  unsigned attempts = 0;

  // After an attempt, for which its session carried so much.
  void add(const transfer::TakenCounters& counters, const transfer::Client& client,
           std::uint64_t wire, TimePoint begun);
  // After all attempts for another path of the same run.
  void add(const GetOutcome& other);
};

void print_summary_event(Output& output, const GetOutcome& outcome);
// The event, and the sentence; with `stats` all of it, a line each.
void print_summary(Output& output, const GetOutcome& outcome, bool stats);

}  // namespace wormhole::cli
