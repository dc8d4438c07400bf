#include "transfer/giver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/start_thread.h"
#include "platform/process.h"
#include "transfer/archive_teller.h"
#include "transfer/failure.h"
#include "transfer/reconstruction.h"
#include "transfer/tree_walker.h"

namespace wormhole::transfer {
namespace {

// Files of a request that the table holds: what the credit allows, once under way and once done
// with and not yet swept.
constexpr std::size_t kAnnouncedMax = std::size_t{2} * kOpenEntriesMax;

// A stream that comes too late looks again so soon: its backlog leaves meanwhile.
constexpr std::chrono::milliseconds kLateStreamWait{20};

// What so many bytes of files will come to on the wire, as compressed as that stream's lately.
std::uint64_t on_wire(std::uint64_t bytes, const DataSender& sender) {
  return static_cast<std::uint64_t>(sender.wire_share() * static_cast<double>(bytes));
}

Error broken(std::string_view what, std::string_view why) {
  return {.code = Code::kProtocol,
          .operation = "answer request",
          .object = std::string(what),
          .detail = std::string(why)};
}

// Ranges in order.
bool is_inside(const std::vector<RangeSet::Range>& ranges, std::uint64_t size) {
  return ranges.empty() ||
         (ranges.back().offset < size && ranges.back().length <= size - ranges.back().offset);
}

}  // namespace

// One request's walk: announces into the control writer, and into the work queue where data is
// to follow without being wanted first.
class Giver::Walk final : public WalkSink {
 public:
  Walk(Giver& giver, std::uint32_t request) : giver_(giver), request_(request) {}

  std::optional<std::uint64_t> on_entry(wire::Entry entry,
                                        std::optional<FoundFile> found) override {
    std::unique_lock lock(giver_.mutex_);
    Request* request = wait_for_credit(lock, entry.cost());
    if (request == nullptr) return std::nullopt;
    const std::uint64_t id = request->next_entry++;
    if (found.has_value() && giver_.tells_hard_links_ && found->status.links > 1) {
      tell_names(*request, id, found->status, entry);
      if (entry.link_of != 0) {
        found.reset();
        entry.archived.reset();  // told of the first name
      }
    }
    // The end of a directory is no entry that anyone finishes: it costs no credit.
    if (entry.type != wire::EntryType::kDirectoryEnd) request->credit -= entry.cost();
    if (found.has_value()) {
      entry.version = giver_.versions_.of(found->status);
      if (giver_.finds_copies_ && request->wants_data && !entry.sparse) {
        if (giver_.holds_back_) {
          entry.held = is_held_back(*request, id, entry.size);
        } else {
          entry.copy_of = request->copies.guess(id, found->status, entry.name);
        }
      }
    }
    // Before the announcement leaves, which drops the lock: the taker may want it at once.
    if (found.has_value()) add_file(*request, id, std::move(*found), entry);
    request->batch_bytes += entry.encoded_bytes();
    request->batch.entries.push_back(std::move(entry));
    if (request->batch_bytes >= wire::kEntriesBatchBytes ||
        request->batch.entries.size() == wire::kEntriesPerMessageMax || id == 0) {
      // The root leaves at once: the taker decides by it where things go.
      if (!flush(lock, *request)) return std::nullopt;
    }
    return id;
  }

  [[nodiscard]] bool is_over() const override {
    std::scoped_lock lock(giver_.mutex_);
    return giver_.stopped_ || giver_.find(request_) == nullptr;
  }

  void on_unreadable(std::uint64_t parent, std::string name, const Error& error) override {
    std::unique_lock lock(giver_.mutex_);
    Request* request = giver_.find(request_);
    if (request == nullptr) return;
    last_error_ = error;
    if (parent == wire::kNoEntry) return;  // the root itself: the request is refused as a whole
    if (!flush(lock, *request)) return;
    lock.unlock();
    static_cast<void>(
        giver_.control_.push_waiting(wire::Failed{.request = request_,
                                                  .parent = parent,
                                                  .name = failure_name(std::move(name)),
                                                  .code = failure_code(error),
                                                  .reason = failure_reason(error)}));
  }

  // After the walk: what is left of the batch, and the end.
  void finish() {
    std::unique_lock lock(giver_.mutex_);
    Request* request = giver_.find(request_);
    if (request == nullptr) return;
    if (request->next_entry == 0) {
      const Error error = last_error_.value_or(
          Error{.code = Code::kNotFound, .operation = "walk", .detail = "nothing is there"});
      lock.unlock();
      giver_.control_.push(wire::Refused{request_, failure_code(error), failure_reason(error)});
      return;
    }
    const std::uint64_t entries = request->next_entry;
    const std::uint64_t left_out = request->names.left_out();
    request->names = {};
    if (!flush(lock, *request)) return;
    lock.unlock();
    if (left_out > 0) {
      static_cast<void>(giver_.control_.push_waiting(wire::Failed{
          .request = request_,
          .name = ".",
          .code = wire::FailureCode::kSpecial,
          .reason = fmt::format("{} names of files with several come as files of their "
                                "own, as those of {} others are outstanding",
                                left_out, kLinkedFilesMax)}));
    }
    static_cast<void>(giver_.control_.push_waiting(wire::Listed{request_, entries}));
  }

  // Forgets what is over and done with, now and then: the table stays within twice the credit
  // (on_credit sees to it where the taker does not).
  static void sweep(Request& request) {
    if (request.announced.size() < kAnnouncedMax) return;
    std::erase_if(request.announced, [&](const auto& item) {
      const auto& [id, file] = item;
      const bool unwanted = request.on_want_only && !file->wanted && id < request.decided;
      const bool sent = file->sent_bytes >= file->status.size_bytes;
      return unwanted || file->stopped || (sent && (!file->wanted_in_part || file->told_last));
    });
  }

 private:
  static bool is_held_back(Request& request, std::uint64_t id, std::uint64_t size) {
    if (!is_comparable_length(size)) return false;
    if (!request.first_reusable.has_value()) request.first_reusable = id;
    return *request.first_reusable != id;
  }

  static void tell_names(Request& request, std::uint64_t id, const platform::FileStatus& status,
                         wire::Entry& entry) {
    const auto first = request.names.first_of(status, id);
    if (first.has_value()) {
      entry.link_of = *first;
    } else if (!request.names.is_full()) {
      entry.names = static_cast<std::uint32_t>(std::min<std::uint64_t>(status.links, UINT32_MAX));
    }
  }

  // Null when the walk is over.
  Request* wait_for_credit(std::unique_lock<std::mutex>& lock, std::uint32_t cost) {
    while (true) {
      Request* request = giver_.find(request_);
      if (giver_.stopped_ || request == nullptr) return nullptr;
      if (request->credit >= cost) return request;
      // What is announced must be on its way before we wait for it to be finished.
      if (!flush(lock, *request)) return nullptr;
      // Without the lock meanwhile: whoever woke us then is heard here, or never.
      request = giver_.find(request_);
      if (giver_.stopped_ || request == nullptr || request->credit >= cost) continue;
      giver_.walker_wake_.wait(lock);
    }
  }

  void add_file(Request& request, std::uint64_t id, FoundFile found, const wire::Entry& entry) {
    if (!request.wants_data || found.status.size_bytes == 0) return;
    auto file = std::make_shared<GivenFile>();
    file->request = request_;
    file->id = id;
    file->tree = std::move(found.tree);
    file->directory = std::move(found.directory);
    file->name = std::move(found.name);
    file->status = found.status;
    file->sparse = entry.sparse;
    file->is_held = entry.copy_of != 0 || entry.held;
    file->lends = request.first_reusable == id;
    file->uncached = found.status.size_bytes > giver_.cached_file_max_bytes_;
    sweep(request);
    request.announced.emplace(id, file);
    // Sent once its announcement has left, so that no stream waits long for the entry.
    if (!request.on_want_only && !file->is_held) waiting_.push_back(std::move(file));
  }

  // Pushes the batch; drops the lock meanwhile. False when the control writer is closed.
  bool flush(std::unique_lock<std::mutex>& lock, Request& request) {
    if (!request.batch.entries.empty()) {
      wire::Entries batch = std::move(request.batch);
      batch.request = request_;
      batch.first_id = request.next_entry - batch.entries.size();
      request.batch = {};
      request.batch_bytes = 0;
      lock.unlock();
      tell_announced(batch);
      const bool pushed = giver_.control_.push_waiting(std::move(batch));
      lock.lock();
      if (!pushed) return false;
    }
    release(lock);
    return true;
  }

  void tell_announced(const wire::Entries& batch) {
    if (giver_.when_announced_ == nullptr) return;
    for (const wire::Entry& entry : batch.entries) {
      if (entry.type != wire::EntryType::kRegular) continue;
      ++giver_.announced_files_;
      giver_.announced_bytes_ += entry.size;
    }
    giver_.when_announced_(giver_.announced_files_, giver_.announced_bytes_);
  }

  // Files whose entries have been pushed may now be sent.
  void release(std::unique_lock<std::mutex>& lock) {
    if (waiting_.empty()) return;
    for (GivenFilePtr& file : waiting_) giver_.work_.add(std::move(file));
    waiting_.clear();
    lock.unlock();
    giver_.work_ready_.notify_all();
    giver_.control_.poke();
    lock.lock();
  }

  Giver& giver_;
  const std::uint32_t request_;
  std::vector<GivenFilePtr> waiting_;
  std::optional<Error> last_error_;
};

Giver::Giver(const Shares& shares, ControlWriter& control)
    : shares_(shares),
      control_(control),
      cached_file_max_bytes_(platform::memory_bytes() / kCachedPartOfMemory),
      teller_(control) {}

Giver::~Giver() {
  stop();
  if (walker_.joinable()) walker_.join();
}

Result<void> Giver::on_get(const wire::Get& get) {
  Request request;
  request.id = get.request;
  request.path = get.path;
  request.on_want_only = get.may_have;
  request.credit = get.credit;
  request.selection = get.selection;
  request.keeps = get.keeps;
  return add_request(std::move(request));
}

Result<void> Giver::on_list(const wire::List& list) {
  Request request;
  request.id = list.request;
  request.path = list.path;
  request.wants_data = false;
  request.recursive = list.recursive;
  request.credit = list.credit;
  request.selection = list.selection;
  return add_request(std::move(request));
}

Result<void> Giver::add_request(Request request) {
  const std::uint32_t id = request.id;
  std::scoped_lock lock(mutex_);
  if (id <= last_request_) return fail(broken("Get", "request ids count up"));
  last_request_ = id;
  if (requests_.size() >= kRequestsMax) {
    control_.push(wire::Refused{id, wire::FailureCode::kLimit, "too many requests at once"});
    return {};
  }
  if (!walker_.joinable()) {
    if (const auto started = start_thread(walker_, [this] { run_walker(); }); !started) {
      control_.push(
          wire::Refused{id, failure_code(started.error()), failure_reason(started.error())});
      return {};
    }
  }
  requests_.emplace(id, std::move(request));
  to_walk_.push_back(id);
  walker_wake_.notify_all();
  return {};
}

Result<void> Giver::on_want(const wire::Want& want) {
  {
    std::scoped_lock lock(mutex_);
    Request* request = find(want.request);
    if (request == nullptr) return {};  // ended meanwhile
    if (want.decided < request->decided || want.decided > request->next_entry) {
      return fail(broken("Want", "decided on what was not announced"));
    }
    request->decided = want.decided;
    for (const std::uint64_t id : want.files) {
      const auto file = request->announced.find(id);
      if (!request->on_want_only || file == request->announced.end() || file->second->wanted) {
        return fail(broken("Want", "a file that was not announced, or twice"));
      }
      file->second->wanted = true;
      if (file->second->is_held) request->copies.forget(id);
      work_.add(file->second);
    }
    request->copies.forget_below(want.decided, [&](std::uint64_t id) {
      const auto file = request->announced.find(id);
      return file != request->announced.end() && file->second->wanted;
    });
  }
  work_ready_.notify_all();
  control_.poke();
  return {};
}

Result<void> Giver::on_want_ranges(const wire::WantRanges& want) {
  GivenFilePtr sent;
  {
    std::scoped_lock lock(mutex_);
    Request* request = find(want.request);
    if (request == nullptr) return {};  // ended meanwhile
    const GivenFilePtr file = announced(*request, want.request, want.file);
    if (file == nullptr) return {};
    const std::uint64_t size = file->status.size_bytes;
    const bool is_unasked = !request->on_want_only && !file->is_held;
    if (is_unasked || (file->wanted && !file->wanted_in_part)) {
      return fail(broken("WantRanges", "a file that is sent whole"));
    }
    if (file->wanted && file->told_last) return fail(broken("WantRanges", "after the last one"));
    if (!is_inside(want.ranges, size)) {
      return fail(broken("WantRanges", "a range outside the file"));
    }
    if (work_.pieces() + want.ranges.size() > kOpenEntriesMax) {
      return fail(broken("WantRanges", "more than is ever missing at once"));
    }
    file->wanted = file->wanted_in_part = true;
    for (const auto& range : want.ranges) file->wanted_bytes += range.length;
    if (want.last) {
      file->told_last = true;
      if (file->is_held) request->copies.on_answer(file->id, file->wanted_bytes < size);
      const std::uint64_t there = size - std::min(size, file->wanted_bytes);
      const bool is_sent = file->sent_bytes.fetch_add(there) + there == size;
      if (is_sent && there > 0 && there < size) ++counters_.files;  // else its last frame counts it
      if (is_sent) sent = file;
    }
    for (const RangeSet::Range& range : want.ranges) {
      work_.add_part({file, range.offset, range.length, nullptr});
    }
  }
  if (sent != nullptr) sent->close();
  work_ready_.notify_all();
  control_.poke();
  return {};
}

Result<void> Giver::on_want_chunks(const wire::WantChunks& want) {
  std::scoped_lock lock(mutex_);
  Request* request = find(want.request);
  if (request == nullptr) return {};  // ended meanwhile
  for (const std::uint64_t id : want.files) {
    // The others may have something in common with the first one, which need not wait for that, and
    // may have left.
    const bool is_first = request->first_reusable == id;
    if (is_first && !request->announced.contains(id)) continue;
    const GivenFilePtr file = announced(*request, want.request, id);
    if (file == nullptr) continue;
    const bool is_in_part = file->wanted_in_part && !file->told_last;
    if ((!is_first && !is_in_part) || std::exchange(file->wanted_chunks, true)) {
      return fail(broken("WantChunks", "a file that is not wanted in part, or twice"));
    }
    WH_TRY(teller_.add(file));
  }
  return {};
}

Result<void> Giver::on_want_fine_chunks(const wire::WantFineChunks& want) {
  std::scoped_lock lock(mutex_);
  Request* request = find(want.request);
  if (request == nullptr) return {};  // ended meanwhile
  const GivenFilePtr file = announced(*request, want.request, want.file);
  if (file == nullptr) return {};
  if (!file->wanted_chunks || file->told_last || std::exchange(file->wanted_fine_chunks, true)) {
    return fail(broken("WantFineChunks", "a file whose chunks are not asked for, or twice"));
  }
  if (!is_inside(want.ranges, file->status.size_bytes)) {
    return fail(broken("WantFineChunks", "a range outside the file"));
  }
  return teller_.add_fine(file, want.ranges);
}

GivenFilePtr Giver::announced(const Request& request, std::uint32_t id, std::uint64_t file) {
  const auto found = request.announced.find(file);
  if (found != request.announced.end()) return found->second;
  control_.push(wire::Failed{.request = id,
                             .has_file = true,
                             .file = file,
                             .code = wire::FailureCode::kLimit,
                             .reason = "asked for once more too late"});
  return nullptr;
}

Result<void> Giver::on_credit(const wire::Credit& credit) {
  std::scoped_lock lock(mutex_);
  Request* request = find(credit.request);
  if (request == nullptr) return {};  // ended meanwhile
  if (credit.entries > kOpenEntriesMax - request->credit) {
    return fail(broken("Credit", "more than was ever given"));
  }
  // What was not sent cannot be finished: credit for it would let the tables grow.
  Walk::sweep(*request);
  if (request->announced.size() >= kAnnouncedMax) {
    return fail(broken("Credit", "for files that were not sent"));
  }
  request->credit += credit.entries;
  walker_wake_.notify_all();
  return {};
}

Result<void> Giver::on_again(const wire::Again& again) {
  {
    std::scoped_lock lock(mutex_);
    Request* request = find(again.request);
    if (request == nullptr) return {};  // ended meanwhile
    const GivenFilePtr file = announced(*request, again.request, again.file);
    if (file == nullptr) return {};
    if (!is_inside({{again.offset, again.length}}, file->status.size_bytes)) {
      return fail(broken("Again", "a range outside the file"));
    }
    // They leave before anything else: more than are under way at once cannot stand.
    if (work_.pieces() >= kOpenEntriesMax) {
      return fail(broken("Again", "more than was ever under way"));
    }
    work_.give_back({file, again.offset, again.length, nullptr});
  }
  work_ready_.notify_all();
  control_.poke();
  return {};
}

void Giver::on_dropped(std::uint32_t request_id, std::uint64_t file) {
  std::scoped_lock lock(mutex_);
  Request* request = find(request_id);
  if (request == nullptr) return;
  request->copies.forget(file);
  const auto found = request->announced.find(file);
  if (found == request->announced.end()) return;
  found->second->stopped = true;
  request->announced.erase(found);
  // What waits in the queue without being sent must not outgrow the credit either.
  if (++stopped_waiting_ >= kOpenEntriesMax) {
    work_.forget_stopped();
    stopped_waiting_ = 0;
  }
}

void Giver::on_cancel(std::uint32_t request_id) {
  std::scoped_lock lock(mutex_);
  Request* request = find(request_id);
  if (request == nullptr) return;
  for (auto& [id, file] : request->announced) file->stopped = true;
  requests_.erase(request_id);
  work_.drop(request_id);
  std::erase(to_walk_, request_id);
  walker_wake_.notify_all();
}

std::optional<Work> Giver::next_waiting(unsigned stream, const DataSender& sender,
                                        unsigned streams) {
  while (true) {
    const StreamPaces::Pace pace = sender.pace();
    std::unique_lock lock(mutex_);
    if (stopped_ || (ending_streams_ >> stream & 1) != 0) {
      paces_.forget(stream);
      work_.release(stream);
      return std::nullopt;
    }
    paces_.report(stream, pace);
    if (!work_.empty() && paces_.comes_too_late(stream, on_wire(work_.waiting_bytes(), sender))) {
      work_ready_.wait_for(lock, kLateStreamWait);
      continue;
    }
    if (auto work = work_.next(sender.frame_bytes(), streams, stream)) {
      lock.unlock();
      return told(std::move(*work));
    }
    work_ready_.wait(lock);
  }
}

std::optional<Work> Giver::next_now(std::size_t frame_bytes, unsigned streams) {
  std::unique_lock lock(mutex_);
  if (stopped_) return std::nullopt;
  auto work = work_.next(frame_bytes, streams);
  if (!work.has_value()) return std::nullopt;
  lock.unlock();
  return told(std::move(*work));
}

Work Giver::told(Work work) const {
  if (when_begun_ == nullptr) return work;
  const auto tell = [&](GivenFile& file) {
    if (!file.begun.exchange(true)) when_begun_(file);
  };
  if (const auto* segment = std::get_if<SegmentWork>(&work)) {
    tell(*segment->file);
  } else {
    for (const GivenFilePtr& file : std::get<PackWork>(work).files) tell(*file);
  }
  return work;
}

void Giver::give_back(SegmentWork rest) {
  {
    std::scoped_lock lock(mutex_);
    rest.opened = nullptr;
    work_.give_back(std::move(rest));
  }
  work_ready_.notify_all();
  control_.poke();
}

bool Giver::comes_too_late(unsigned stream, const DataSender& sender) {
  if (!sender.is_slow()) return false;
  const StreamPaces::Pace pace = sender.pace();
  std::scoped_lock lock(mutex_);
  paces_.report(stream, pace);
  return paces_.comes_too_late(stream,
                               on_wire(work_.waiting_bytes() + sender.rest_bytes(), sender));
}

bool Giver::is_ending(unsigned stream) const {
  std::scoped_lock lock(mutex_);
  return stopped_ || (ending_streams_ >> stream & 1) != 0;
}

void Giver::end_stream(unsigned stream) {
  {
    std::scoped_lock lock(mutex_);
    ending_streams_ |= std::uint64_t{1} << stream;
  }
  work_ready_.notify_all();
}

void Giver::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  teller_.stop();
  work_ready_.notify_all();
  walker_wake_.notify_all();
}

Giver::Request* Giver::find(std::uint32_t id) {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : &found->second;
}

void Giver::run_walker() {
  while (true) {
    std::uint32_t id = 0;
    std::string path;
    bool recursive = true;
    wire::Selection selection;
    wire::Keeps keeps;
    {
      std::unique_lock lock(mutex_);
      walker_wake_.wait(lock, [&] { return stopped_ || !to_walk_.empty(); });
      if (stopped_) return;
      id = to_walk_.front();
      to_walk_.pop_front();
      Request* request = find(id);
      if (request == nullptr) continue;  // cancelled before its turn
      path = request->path;
      recursive = request->recursive;
      selection = std::move(request->selection);
      keeps = request->keeps;
    }
    const auto refuse = [&](const Error& why) {
      control_.push(wire::Refused{id, failure_code(why), failure_reason(why)});
    };
    const auto place = shares_.find(path);
    const auto selector = Selector::compile(selection);
    if (!place.has_value()) {
      refuse(place.error());
    } else if (!selector.has_value()) {
      refuse(selector.error());
    } else {
      Walk sink(*this, id);
      const ArchiveTeller teller(keeps, accounts_);
      if (walk(shares_, *place, recursive, *selector, sink, keeps.any() ? &teller : nullptr)) {
        sink.finish();
      }
    }
  }
}

}  // namespace wormhole::transfer
