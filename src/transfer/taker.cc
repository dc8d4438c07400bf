#include "transfer/taker.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/limits.h"
#include "base/start_thread.h"
#include "transfer/failure.h"
#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

// Credit goes back in portions: few messages, and the giver never runs dry.
constexpr std::uint32_t kCreditPortion = kOpenEntriesMax / 8;

// Ranges of a changed file are asked for when there are so many, or nothing else is to be done.
constexpr std::size_t kAskedTogetherMax = 8;
static_assert(kAskedTogetherMax <= wire::kRangesPerMessageMax);

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

}  // namespace

Taker::Taker(std::uint32_t request, const TakeOptions& options, TakerEvents& events,
             TakenCounters& counters, ControlWriter& control, const Clock& clock)
    : request_(request),
      tree_(options, events, counters, clock),
      counters_(counters),
      control_(control),
      clock_(clock),
      may_have_(options.may_have) {}

Taker::~Taker() { stop_local_work(); }

Result<void> Taker::on_message(const wire::Message& message) {
  if (const auto* entries = std::get_if<wire::Entries>(&message)) {
    if (entries->request != request_) return fail(broken("entries of no request"));
    TreeBuilder::Wanted wanted;
    WH_TRY(tree_.on_entries(*entries, wanted));
    // Before the word that nothing else of these is wanted.
    for (wire::WantRanges& part : wanted.parts) {
      part.request = request_;
      control_.push(std::move(part));
    }
    if (may_have_) {
      control_.push(wire::Want{request_, std::move(wanted.whole),
                               entries->first_id + entries->entries.size()});
    }
    if (!wanted.chunks_of.empty()) {
      control_.push(wire::WantChunks{request_, std::move(wanted.chunks_of)});
    }
    for (LocalWork& work : wanted.local) tree_.begin_local_work(std::move(work));
    if (!local_work_.joinable() && !tree_.local_work().empty()) {
      WH_TRY(start_thread(local_work_, [this] { run_local_work(); }));
    }
  } else if (const auto* listed = std::get_if<wire::Listed>(&message)) {
    if (listed->request != request_) return fail(broken("a list of no request"));
    WH_TRY(tree_.on_listed(listed->entries));
  } else if (const auto* chunks = std::get_if<wire::Chunks>(&message)) {
    if (chunks->request != request_) return fail(broken("chunks of no request"));
    WH_TRY(tree_.on_chunks(*chunks));
  } else if (const auto* fine = std::get_if<wire::FineChunks>(&message)) {
    if (fine->request != request_) return fail(broken("chunks of no request"));
    WH_TRY(tree_.local_work().on_fine_chunks(*fine));
  } else if (const auto* failed = std::get_if<wire::Failed>(&message)) {
    if (failed->request != request_) return fail(broken("a failure of no request"));
    WH_TRY(tree_.on_failed(*failed, /*may_wait=*/false));
  } else if (const auto* refused = std::get_if<wire::Refused>(&message)) {
    if (refused->request != request_) return fail(broken("a refusal of no request"));
    was_refused_ = tree_.shown_root().empty();
    return fail(remote_failure(refused->code, "", refused->reason));
  } else {
    return fail(broken("unexpected message " + std::string(wire::message_name(message))));
  }
  after_progress();
  return {};
}

Result<void> Taker::on_frame(const wire::FrameHeader& received, Block& block,
                             bool on_first_connection) {
  wire::FrameHeader header = received;
  if (header.request != request_ && header.type != wire::FrameType::kControl) {
    return fail(broken("data of no request"));
  }
  if (header.type == wire::FrameType::kCompressed) {
    WH_ASSIGN(header, expanded(codecs_, header, block));
  }
  const Bytes payload = Bytes(block.payload()).first(header.payload_bytes);
  if (first_byte_ == 0 && header.type != wire::FrameType::kControl) {
    TimePoint::rep none = 0;
    first_byte_.compare_exchange_strong(none, clock_.now().time_since_epoch().count());
  }
  switch (header.type) {
    case wire::FrameType::kData:
    case wire::FrameType::kPlain: {
      WH_ASSIGN(const auto file, tree_.find(header.file, !on_first_connection));
      if (file != nullptr) WH_TRY(tree_.on_data(file, header.offset, payload));
      break;
    }
    case wire::FrameType::kPack:
      WH_TRY(on_pack(payload, on_first_connection));
      break;
    case wire::FrameType::kHole: {
      const std::uint64_t length = load_le<std::uint64_t>(payload.data());
      WH_ASSIGN(const auto file, tree_.find(header.file, !on_first_connection));
      if (file != nullptr) WH_TRY(tree_.on_hole(file, header.offset, length));
      break;
    }
    case wire::FrameType::kDamaged:
      WH_TRY(on_damaged(header, on_first_connection));
      break;
    case wire::FrameType::kControl: {
      // Beside data only one message makes sense: the file that this stream could not send.
      WH_ASSIGN(const auto message, wire::decode(payload));
      const auto* failed = std::get_if<wire::Failed>(&message);
      if (failed == nullptr || !failed->has_file || failed->request != request_) {
        return fail(broken("unexpected message on a data stream"));
      }
      WH_TRY(tree_.on_failed(*failed, !on_first_connection));
      break;
    }
    case wire::FrameType::kEndStream:
    case wire::FrameType::kCompressed:
      return fail(broken("unexpected frame"));
  }
  after_progress();
  return {};
}

Result<void> Taker::on_pack(Bytes payload, bool on_first_connection) {
  wire::PackReader pack(payload);
  while (true) {
    WH_ASSIGN(const auto record, pack.next());
    if (!record.has_value()) return {};
    WH_ASSIGN(const auto file, tree_.find(record->file, !on_first_connection));
    if (file == nullptr) continue;
    if (record->data.size() != file->size()) {
      return fail(broken("a packed file is not as long as announced"));
    }
    WH_TRY(tree_.on_data(file, 0, record->data));
  }
}

// Unencrypted data that was altered on its way: asked for once more.
Result<void> Taker::on_damaged(const wire::FrameHeader& header, bool on_first_connection) {
  WH_ASSIGN(const auto file, tree_.find(header.file, !on_first_connection));
  if (file == nullptr) return {};
  WH_TRY(file->claim(header.offset, header.payload_bytes));
  const auto again = file->unclaim(header.offset, header.payload_bytes);
  if (!again.has_value()) return tree_.absorb(file, again);
  control_.push(wire::Again{request_, header.file, header.offset, header.payload_bytes});
  return {};
}

void Taker::after_progress() {
  const std::uint32_t finished = tree_.take_finished();
  const std::uint32_t unreturned = unreturned_credit_ += finished;
  if (unreturned >= kCreditPortion) {
    // Another thread may have taken it meanwhile.
    const std::uint32_t credit = unreturned_credit_.exchange(0);
    if (credit > 0) control_.add_credit(request_, credit);
  }
  for (const std::uint64_t id : tree_.take_given_up()) {
    control_.push(wire::Failed{.request = request_, .has_file = true, .file = id});
  }
  if (!tree_.is_complete()) return;
  std::scoped_lock lock(mutex_);
  complete_ = true;
  over_.notify_all();
}

void Taker::run_local_work() {
  while (const auto work = tree_.local_work().next()) {
    tree_.wait_for_room();
    const auto done = work_on(*work);
    if (!done.has_value()) return fail_with(done.error());
    after_progress();
  }
}

Result<void> Taker::work_on(const LocalWork& work) {
  if (auto files = tree_.local_work().chunks_to_ask_for(work); !files.empty()) {
    control_.push(wire::WantChunks{request_, std::move(files)});
  }
  std::vector<RangeSet::Range> damaged;
  if (work.is_resumed) {
    ByteVector buffer(kBlockBytes);
    bool goes_on = true;
    while (goes_on && !is_over()) {
      WH_ASSIGN(goes_on, tree_.check_some(work.file, buffer, damaged));
      after_progress();
    }
  }
  if (work.reconstruction != nullptr) return rebuild(work);
  tree_.asked_for(work.file, damaged.size());
  control_.push(wire::WantRanges{request_, work.file->id(), std::move(damaged), /*last=*/true});
  return {};
}

Result<void> Taker::rebuild(const LocalWork& work) {
  using Next = Reconstruction::Next;
  std::vector<RangeSet::Range> wanted = work.reconstruction->take_put_off();
  const auto ask = [&](bool is_last) {
    if (wanted.empty() && !is_last) return;
    if (!wanted.empty()) work.reconstruction->file_is_asked_for();
    tree_.asked_for(work.file, wanted.size());
    // What the scan has passed stands before what is looked at now.
    std::ranges::sort(wanted, {}, &RangeSet::Range::offset);
    std::span<const RangeSet::Range> rest = wanted;
    while (rest.size() > wire::kRangesPerMessageMax) {
      const auto part = rest.first(wire::kRangesPerMessageMax);
      control_.push(wire::WantRanges{request_, work.file->id(), {part.begin(), part.end()}});
      rest = rest.subspan(part.size());
    }
    control_.push(wire::WantRanges{request_, work.file->id(), {rest.begin(), rest.end()}, is_last});
    wanted.clear();
  };
  // Where too many half-finished files wait for others already, it does so with nothing asked for.
  const bool puts_off = work.reconstruction->is_among_others() &&
                        !work.reconstruction->is_file_begun() && !tree_.may_wait_begun();
  Next next = Next::kStep;
  bool waits = false;
  while (next == Next::kStep || next == Next::kWait || next == Next::kAskFiner ||
         next == Next::kBorrow) {
    if (is_over() || !tree_.is_open(work.file)) break;
    if (next == Next::kWait) {
      // Looked at once more after saying so, or what comes in between would be missed.
      if (waits) tree_.local_work().wait();
      waits = !waits;
      if (waits) tree_.local_work().begin_wait();
    }
    const auto stepped = tree_.rebuild_some(work.reconstruction, wanted);
    if (!stepped.has_value()) return fail(stepped.error());
    next = *stepped;
    if (next == Next::kStep) waits = false;
    if (!puts_off && (next == Next::kWait || wanted.size() >= kAskedTogetherMax)) {
      ask(/*is_last=*/false);
    }
    if (next == Next::kAskFiner) {
      ask(/*is_last=*/false);
      control_.push(
          wire::WantFineChunks{request_, work.file->id(), work.reconstruction->fine_ranges()});
      if (tree_.may_pause() && tree_.local_work().pause(work.reconstruction)) return {};
    }
    if (next == Next::kBorrow) {
      if (puts_off && work.reconstruction->lender() != work.file->id()) {
        work.reconstruction->put_off(std::exchange(wanted, {}));
      } else {
        ask(/*is_last=*/false);
      }
      if (tree_.wait_for_lender(work)) return {};
      work.reconstruction->stop_waiting();
      wanted = work.reconstruction->take_put_off();
    }
    after_progress();
  }
  ask(/*is_last=*/true);
  work.reconstruction->end();
  return {};
}

void Taker::stop_local_work() {
  tree_.wake_all();
  if (local_work_.joinable()) local_work_.join();
}

void Taker::abandon() {
  stop_local_work();
  // Of a host that breaks the protocol nothing is kept.
  std::scoped_lock lock(mutex_);
  const bool keeps_partials = error_.has_value() && error_->code != Code::kProtocol;
  const bool is_disk_doubtful = error_.has_value() && error_->code == Code::kLocalIo;
  tree_.abandon(keeps_partials, is_disk_doubtful);
}

Result<void> Taker::wait() {
  std::unique_lock lock(mutex_);
  over_.wait(lock, [&] { return complete_ || error_.has_value(); });
  if (complete_) return {};
  return fail(*error_);
}

std::optional<Result<void>> Taker::wait_for(Duration duration) {
  std::unique_lock lock(mutex_);
  over_.wait_for(lock, duration, [&] { return complete_ || error_.has_value(); });
  if (complete_) return Result<void>();
  if (error_.has_value()) return fail(*error_);
  return std::nullopt;
}

void Taker::fail_with(Error error) {
  {
    std::scoped_lock lock(mutex_);
    if (!error_.has_value()) error_ = std::move(error);
    over_.notify_all();
  }
  tree_.wake_all();
}

bool Taker::is_over() const {
  std::scoped_lock lock(mutex_);
  return complete_ || error_.has_value();
}

std::optional<std::uint64_t> Taker::left_bytes() const { return counters_.left_to_come(); }

void Taker::allow_compressed(Codecs& codecs) { codecs_ = &codecs; }

std::optional<TimePoint> Taker::first_byte() const {
  const TimePoint::rep at = first_byte_;
  if (at == 0) return std::nullopt;
  return TimePoint(TimePoint::duration(at));
}

}  // namespace wormhole::transfer
