// What a dry run says: an entry each, and what it would come to.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "cli/get_report.h"
#include "cli/output.h"
#include "wire/messages.h"

namespace wormhole::cli {

class PlanReport final : public transfer::TakerEvents {
 public:
  // `verb`: what would be done with what is new, "fetch" or "put".
  PlanReport(Output& output, std::string_view verb)
      : output_(output), verb_(verb), failures_(output) {}

  void on_planned(const wire::Planned& planned);
  // What could not be looked at.
  void on_failed(Error error);
  void on_failed(const std::string& /*path*/, const Error& error) override { on_failed(error); }
  void on_file(const std::string& /*path*/) override {}
  [[nodiscard]] std::uint64_t deletions() const { return deleted_; }
  // All was planned, or the error ended it: says so, and what it would come to.
  ExitCode finish(const Result<void>& result, GetOutcome outcome);

 private:
  struct Tally {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    void add(const wire::Planned& planned) {
      ++files;
      if (!planned.is_link) bytes += planned.size;
    }
  };

  void print(const wire::Planned& planned);
  void print_end(const GetOutcome& outcome);
  [[nodiscard]] std::string_view name_of(wire::Action action) const;

  Output& output_;
  const std::string_view verb_;
  GetReport failures_;
  Tally new_, replaced_, kept_, left_;
  std::uint64_t deleted_ = 0;  // entries
  std::uint64_t failed_ = 0;
  std::uint64_t specials_ = 0;
};

}  // namespace wormhole::cli
