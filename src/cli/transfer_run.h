// A get or a put from its first attempt to its last: joins, shows how it goes, comes back when the
// link is lost, and says what it came to. What is transferred, and how, its two kinds know.
//
// One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/block.h"
#include "base/clock.h"
#include "base/result.h"
#include "cli/commands.h"
#include "cli/get_report.h"
#include "cli/joining.h"
#include "platform/process.h"
#include "store/user_secret.h"
#include "transfer/client.h"

namespace wormhole::cli {

class TransferRun {
 public:
  TransferRun(const TransferArguments& arguments, const Target& host, std::uint64_t rate_max_bytes,
              std::string_view operation, Environment& environment);
  virtual ~TransferRun() = default;
  TransferRun(const TransferRun&) = delete;
  TransferRun& operator=(const TransferRun&) = delete;

  ExitCode run();

 protected:
  // Everything that is to be transferred, one after another.
  [[nodiscard]] virtual std::size_t items() const = 0;
  // For messages: what the user calls it.
  [[nodiscard]] virtual std::string name_of(std::size_t item) const = 0;
  // Where all of it is, where that is not what the only item says of itself.
  [[nodiscard]] virtual std::string root() const = 0;

  // As the user would say it.
  [[nodiscard]] virtual std::string shown_root(const std::string& root) const { return root; }

  // Before anything else, with no thread started yet.
  virtual void confine() = 0;
  // The code is known: what follows may go on while it is waited for.
  virtual void before_joining() {}
  virtual void after_joining() {}
  virtual void add_options(transfer::ClientOptions& options) const = 0;

  virtual void begin(std::size_t item) = 0;
  [[nodiscard]] virtual Result<void> attempt(transfer::Client& client,
                                             transfer::TakerEvents& events,
                                             transfer::TakenCounters& counters) = 0;
  // Another attempt is made for it: something may be there by now.
  virtual void begin_again(const transfer::TakenCounters& last) = 0;
  // Bytes that need not come again by all that was done so far, about.
  [[nodiscard]] virtual std::uint64_t left_behind(const GetOutcome& so_far,
                                                  const transfer::TakenCounters& /*last*/) const {
    return so_far.file_bytes + so_far.kept_bytes;
  }

  const TransferArguments& arguments_;
  Environment& environment_;
  Output& output_;
  std::optional<store::UserSecret> secret_;

 private:
  Result<void> run_all();
  Result<void> run_item(std::size_t item);
  Result<void> watched_attempt(transfer::TakenCounters& counters);
  Result<void> join_once_more();
  [[nodiscard]] ClientMaker maker();
  // Says what happened and waits. False: the user does not want to.
  bool stays_patient(Error why, Duration wait);
  [[nodiscard]] Result<void> interrupted() const;

  const Target& host_;
  const std::uint64_t rate_max_bytes_;
  const std::string operation_;
  const SystemClock clock_;
  platform::SystemRandom random_;
  BlockPool pool_;
  GetReport report_{output_};
  bool is_joining_ = false;
  std::optional<Joined> joined_;
  TimePoint begun_{};
  GetOutcome total_;
  GetOutcome outcome_;                   // of the item that is transferred
  std::uint64_t wire_bytes_before_ = 0;  // of its session, when its attempt began
  std::uint64_t left_behind_ = 0;        // in place, or kept of unfinished files
  bool progressed_ = false;              // in the last attempt
};

// --bwlimit: bytes a second.
[[nodiscard]] Result<std::uint64_t> rate_of(const std::optional<std::string>& text);
// Ends a command that did not come to anything.
[[nodiscard]] ExitCode give_up(const Error& error, Environment& environment);

}  // namespace wormhole::cli
