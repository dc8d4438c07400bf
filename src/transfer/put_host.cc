#include "transfer/put_host.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/start_thread.h"
#include "platform/process.h"
#include "store/hash.h"
#include "transfer/failure.h"
#include "transfer/lister.h"
#include "transfer/plan.h"
#include "transfer/taken_counts.h"

namespace wormhole::transfer {
namespace {

// How far it is, for a person who watches.
constexpr std::chrono::milliseconds kTellInterval{200};

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "take", .detail = std::string(why)};
}

Error not_allowed(std::string_view why) {
  return {.code = Code::kRefused, .operation = "take", .detail = std::string(why)};
}

}  // namespace

class PutHost::Run final : public TakerEvents {
 public:
  Run(PutHost& host, const wire::Put& put, TakeOptions options,
      std::shared_ptr<PutRuns::Memory> memory)
      : host_(host),
        request_(put.request),
        run_(put.run),
        place_(put.path + '\0' + put.name),
        memory_(std::move(memory)),
        options_(std::move(options)) {
    options_.started = memory_->started;
    options_.former = memory_->former;
    options_.owns_root = memory_->made_roots.contains(place_);
    options_.shown_place = place_;
    if (put.dry_run && put.may_delete) {
      options_.shown_deletions = host_.runs_.begin_shown(run_);
    } else if (put.as_shown) {
      options_.shown_deletions = host_.runs_.shown(run_);
    }
  }
  ~Run() override { wait(); }
  void wait() {
    if (thread_.joinable()) thread_.join();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void take(const wire::Put& put) {
    taker_ =
        std::make_shared<Taker>(request_, options_, *this, counters_, host_.control_, host_.clock_);
    taker_->allow_compressed(host_.codecs_);
    host_.slot_.put_in(request_, taker_);
    if (const auto started = start_thread(thread_, [this] { run_taker(); }); !started) {
      return cannot_run(started.error());
    }
    host_.control_.push(wire::Get{request_, put.source, options_.may_have, kOpenEntriesMax,
                                  put.selection, put.keeps});
  }

  void plan(const wire::Put& put) {
    plan_.emplace(options_, options_.requested_name);
    const auto on_listing = [this](const Listing& listing) -> Result<void> {
      WH_ASSIGN(auto planned, plan_->on_listing(listing));
      tell_surplus();
      if (planned.path.empty()) return {};  // the destination is no entry of itself
      planned.request = request_;
      static_cast<void>(host_.control_.push_waiting(std::move(planned)));
      return {};
    };
    lister_ =
        std::make_shared<Lister>(request_, host_.control_, on_listing, [this](const Error& error) {
          plan_->on_unlisted(error.object);
          on_failed(error.object, error);
        });
    host_.slot_.put_in(request_, lister_);
    if (const auto started = start_thread(thread_, [this] { run_plan(); }); !started) {
      return cannot_run(started.error());
    }
    host_.control_.push(
        wire::List{request_, put.source, /*recursive=*/true, kOpenEntriesMax, put.selection});
  }

  [[nodiscard]] bool is_done() const { return done_; }
  [[nodiscard]] const TakenCounters& counters() const { return counters_; }

  // Waits for the dialler to read what it is told: there may be a line for every file.
  void on_failed(const std::string& path, const Error& error) override {
    static_cast<void>(
        host_.control_.push_waiting(wire::NotTaken{.request = request_,
                                                   .path = path,
                                                   .code = failure_code(error),
                                                   .by_giver = error.is_peers,
                                                   .is_replaceable = is_replaceable(error),
                                                   .reason = failure_reason(error)}));
  }
  void on_file(const std::string& /*path*/) override {}

 private:
  [[nodiscard]] bool is_replaceable(const Error& error) const {
    return error.code == Code::kExists && !options_.overwrite && !options_.only_adds &&
           error.advice.find("--overwrite") != std::string::npos;
  }

  void cannot_run(const Error& why) {
    host_.slot_.fail_with(why);  // a stream may wait in it
    host_.slot_.take_out();
    host_.runs_.end(run_);
    finish(fail(why));
  }

  void run_taker() {
    std::optional<Result<void>> ended;
    while (!(ended = taker_->wait_for(kTellInterval)).has_value()) tell(/*last=*/false);
    host_.slot_.take_out();
    taker_->stop_local_work();
    if (!ended->has_value()) taker_->abandon();
    if (counters_.made_root && memory_->made_roots.size() < kMadeRootsMax) {
      memory_->made_roots.insert(place_);
    }
    host_.runs_.end(run_);
    finish(*ended);
  }

  void run_plan() {
    const auto ended = lister_->wait();
    host_.slot_.take_out();
    if (ended.has_value()) plan_->finish();
    tell_surplus();
    host_.runs_.end(run_);
    finish(ended);
  }

  void tell_surplus() {
    for (wire::Planned& planned : plan_->take_surplus()) {
      if (planned.action == wire::Action::kDelete) {
        options_.shown_deletions->add(place_, planned.path);
      }
      planned.request = request_;
      static_cast<void>(host_.control_.push_waiting(std::move(planned)));
    }
  }

  void finish(const Result<void>& ended) {
    host_.control_.push(wire::Cancel{request_});  // the giver forgets it
    done_ = true;                                 // before the dialler hears of it and puts more
    if (ended.has_value()) return tell(/*last=*/true);
    tell(/*last=*/false);
    host_.refuse(request_, ended.error());
  }

  void tell(bool last) {
    wire::Taken taken = to_wire(counters_);
    taken.request = request_;
    taken.last = last;
    taken.root = taker_ != nullptr ? taker_->shown_root() : plan_->shown_root();
    host_.control_.push(std::move(taken));
  }

  PutHost& host_;
  const std::uint32_t request_;
  const std::uint64_t run_;
  const std::string place_;
  const std::shared_ptr<PutRuns::Memory> memory_;
  TakeOptions options_;
  TakenCounters counters_;
  std::shared_ptr<Taker> taker_;
  std::optional<Plan> plan_;  // instead, with the next
  std::shared_ptr<Lister> lister_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

PutHost::PutHost(const Shares& shares, WriteAccess access, PutRuns& runs, ControlWriter& control,
                 Codecs& codecs, const Clock& clock, std::function<void()> end_session)
    : shares_(shares),
      access_(access),
      runs_(runs),
      control_(control),
      codecs_(codecs),
      clock_(clock),
      end_session_(std::move(end_session)) {}

PutHost::~PutHost() = default;

Result<void> PutHost::on_put(const wire::Put& put) {
  if (put.request <= request_) return fail(broken("request ids count up"));
  request_ = put.request;
  std::unique_ptr<Run> before;
  {
    std::scoped_lock lock(mutex_);
    if (run_ != nullptr && !run_->is_done()) return fail(broken("a second put at once"));
    before = std::move(run_);
    if (before != nullptr) {
      ended_bytes_ += before->counters().bytes;
      ended_files_ += before->counters().files;
    }
  }
  before.reset();
  auto options = options_of(put);
  if (!options.has_value()) {
    slot_.end(put.request);
    refuse(put.request, options.error());
    return {};
  }
  const auto is_over = [this] {
    std::scoped_lock lock(mutex_);
    return stopped_.has_value();
  };
  auto memory = runs_.begin(put.run, end_session_, is_over);
  if (memory == nullptr) return {};
  auto run = std::make_unique<Run>(*this, put, std::move(*options), std::move(memory));
  Run& begun = *run;
  {
    std::scoped_lock lock(mutex_);
    run_ = std::move(run);
  }
  if (put.dry_run) {
    begun.plan(put);
  } else {
    begun.take(put);
  }
  std::scoped_lock lock(mutex_);
  if (stopped_.has_value()) slot_.fail_with(*stopped_);  // before it had begun
  return {};
}

Result<TakeOptions> PutHost::options_of(const wire::Put& put) const {
  if (access_.writing == Writing::kNone) {
    return fail(not_allowed("it is shared read-only; 'wormhole share --writable' lets others put"));
  }
  const bool only_adds = access_.writing == Writing::kAdds;
  const bool wants_more = put.overwrite || put.may_delete || put.checksum || put.dry_run ||
                          put.keeps.archive || put.leaves != Leaves::kNone;
  if (only_adds && wants_more) {
    return fail(not_allowed(
        "this share takes new files and shows nothing of what is there: no --overwrite, --update, "
        "--ignore-existing, --delete, --checksum, --archive or --dry-run"));
  }
  WH_TRY(platform::check_name(put.name));
  WH_ASSIGN(auto destination, destination_of(put.path));
  WH_ASSIGN(const std::string share_path, destination.base->path());
  TakeOptions options{.destination = std::move(destination),
                      .overwrite = put.overwrite,
                      .leaves = put.leaves,
                      .sync = put.sync,
                      .requested_name = put.name,
                      .checksum = put.checksum,
                      .may_delete = put.may_delete,
                      .only_adds = only_adds,
                      .reuse = put.reuse && !only_adds,
                      .index = only_adds ? nullptr : access_.index,
                      .index_below = share_path + "/",
                      .selection = put.selection,
                      .keeps = put.keeps,
                      .cached_file_max_bytes = platform::memory_bytes() / kCachedPartOfMemory};
  if (options.index != nullptr) options.index->write_pending();
  const bool knows_some =
      options.reuse && options.index != nullptr && options.index->may_hold_any();
  // What is there is nothing to a client that may only add.
  options.may_have = only_adds || knows_some || may_have(options.destination, put.name);
  return options;
}

Result<Destination> PutHost::destination_of(const std::string& path) const {
  WH_ASSIGN(const auto place, shares_.locate(path));
  WH_ASSIGN(const auto root, place.share->tree->open(place.share->tree->root()));
  WH_ASSIGN(auto base, root->reopen());
  for (const std::string_view part : place.parts) {
    if (!store::is_partial_name(part)) continue;
    return fail({.code = Code::kUnsafeName,
                 .operation = "take",
                 .object = std::string(part),
                 .detail = "that name is kept for unfinished downloads"});
  }
  Destination destination{.path = std::nullopt,
                          .base = std::make_shared<const platform::Directory>(std::move(base))};
  if (path.empty()) return destination;
  std::string below;
  for (const std::string_view part : place.parts) {
    if (!below.empty()) below += '/';
    below += part;
  }
  if (below.empty()) {
    below.push_back('.');
  } else if (path.ends_with('/')) {
    below += '/';
  }
  destination.path = std::move(below);
  return destination;
}

void PutHost::refuse(std::uint32_t request, const Error& why) {
  control_.push(wire::Refused{request, failure_code(why), failure_reason(why), why.is_peers});
}

Result<bool> PutHost::on_message(wire::Message& message) {
  const bool is_failed = std::holds_alternative<wire::Failed>(message);
  if (is_failed && wire::request_of(message) != request_)
    return false;  // of a taker, for the giver
  const bool is_givers = is_failed || std::holds_alternative<wire::Entries>(message) ||
                         std::holds_alternative<wire::Listed>(message) ||
                         std::holds_alternative<wire::Chunks>(message) ||
                         std::holds_alternative<wire::FineChunks>(message) ||
                         std::holds_alternative<wire::Refused>(message);
  if (!is_givers) return false;
  if (auto* entries = std::get_if<wire::Entries>(&message)) {
    name_versions_of(version_names_, *entries);
  }
  WH_ASSIGN(const auto receiver, slot_.hold(wire::request_of(message)));
  if (receiver != nullptr) WH_TRY(absorb(receiver->on_message(message)));
  return true;
}

Result<void> PutHost::on_frame(const wire::FrameHeader& header, Block& block,
                               bool on_first_connection) {
  return absorb(slot_.on_frame(header, block, on_first_connection));
}

Result<void> PutHost::absorb(const Result<void>& result) {
  if (result.has_value() || result.error().code == Code::kProtocol) return result;
  slot_.fail_with(result.error());
  return {};
}

void PutHost::stop(const Error& why) {
  {
    std::scoped_lock lock(mutex_);
    stopped_ = why;
  }
  slot_.fail_with(why);
}

void PutHost::wait_for_end() {
  std::unique_ptr<Run> last;
  {
    std::scoped_lock lock(mutex_);
    last = std::move(run_);
    if (last == nullptr) return;
  }
  last->wait();
  std::scoped_lock lock(mutex_);
  ended_bytes_ += last->counters().bytes;
  ended_files_ += last->counters().files;
}

std::uint64_t PutHost::taken_bytes() const {
  std::scoped_lock lock(mutex_);
  return ended_bytes_ + (run_ == nullptr ? 0 : run_->counters().bytes.load());
}

std::uint64_t PutHost::taken_files() const {
  std::scoped_lock lock(mutex_);
  return ended_files_ + (run_ == nullptr ? 0 : run_->counters().files.load());
}

}  // namespace wormhole::transfer
