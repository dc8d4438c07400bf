#include "base/limits.h"
#include "cli/commands.h"
#include "cli/confined.h"
#include "cli/deleting.h"
#include "cli/dry_run.h"
#include "cli/errands.h"
#include "cli/index_file.h"
#include "cli/pipe_out.h"
#include "cli/transfer_run.h"

namespace wormhole::cli {
namespace {

class Fetch final : public TransferRun {
 public:
  Fetch(const TransferArguments& arguments, const Errands& errands,
        const wire::Selection& selection, std::uint64_t rate_max_bytes, Environment& environment)
      : TransferRun(arguments, errands.host, rate_max_bytes, "fetch", environment),
        errands_(errands),
        selection_(selection) {}

 private:
  [[nodiscard]] std::size_t items() const override { return errands_.all.size(); }
  [[nodiscard]] std::string name_of(std::size_t item) const override {
    return errands_.all[item].path;
  }
  [[nodiscard]] std::string root() const override { return *errands_.destination.path; }

  void confine() override { confine_to(errands_.destination, output_); }
  void before_joining() override { opening_index_.emplace(output_); }
  void after_joining() override {
    index_ = opening_index_->take();
    started_ = arguments_.shown.has_value() ? arguments_.shown->started : platform::stamp_now();
  }
  void add_options(transfer::ClientOptions& /*options*/) const override {}

  void begin(std::size_t item) override {
    path_ = errands_.all[item].path;
    take_ = take_options(arguments_, errands_.all[item], selection_);
    take_.started = started_;
    take_.former = former_;
    take_.index = index_.get();
    if (take_.reuse && index_ != nullptr && !index_->was_empty()) take_.may_have = true;
  }
  Result<void> attempt(transfer::Client& client, transfer::TakerEvents& events,
                       transfer::TakenCounters& counters) override {
    return client.get(path_, take_, events, counters);
  }
  void begin_again(const transfer::TakenCounters& last) override {
    take_.owns_root = take_.owns_root || last.made_root;
    take_.may_have = true;
  }

  const Errands& errands_;
  const wire::Selection& selection_;
  std::optional<OpeningIndex> opening_index_;
  std::unique_ptr<store::Index> index_;
  // Of all paths: what one put in place is not replaced by the next.
  platform::Timestamp started_;
  const std::shared_ptr<transfer::FormerNames> former_ = std::make_shared<transfer::FormerNames>();
  std::string path_;  // that is fetched
  transfer::TakeOptions take_;
};

}  // namespace

ExitCode run_get(const TransferArguments& arguments, Environment& environment) {
  const auto errands = errands_of(arguments.operands);
  if (!errands.has_value()) return give_up(errands.error(), environment);
  const auto selection = selection_of(arguments.selection);
  if (!selection.has_value()) return give_up(selection.error(), environment);
  const auto rate = rate_of(arguments.rate_limit);
  if (!rate.has_value()) return give_up(rate.error(), environment);
  if (errands->destination.path == kStandardOutputName) {
    return run_pipe_out(arguments, *errands, *rate, environment);
  }
  if (const auto checked = check_deleting(arguments, environment.output); !checked.has_value()) {
    return give_up(checked.error(), environment);
  }
  if (arguments.may_delete && !errands->destination.path.has_value()) {
    return give_up({.code = Code::kUsage,
                    .operation = "mirror with --delete",
                    .detail = "the host would choose what is mirrored here",
                    .advice = "name a destination"},
                   environment);
  }
  return run_or_plan(
      arguments, environment, [&] { return run_dry(arguments, *errands, *selection, environment); },
      [&](const TransferArguments& as_asked, Environment& surroundings) {
        return Fetch(as_asked, *errands, *selection, *rate, surroundings).run();
      });
}

}  // namespace wormhole::cli
