#include "transfer/local_work.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/units.h"

namespace wormhole::transfer {
namespace {

// What the giver may read ahead of the file that is worked on: its lists of chunks stand here
// meanwhile.
constexpr std::size_t kToldAheadMax = 64;
constexpr std::uint64_t kToldAheadMaxBytes = 1 * kGiB;

// Files that wait for fine chunks, each with its basis open: these stand here meanwhile, 36 bytes
// for 20 KiB.
constexpr std::uint64_t kPausedMaxBytes = 256 * kMiB;

Error unasked() {
  return {.code = Code::kProtocol,
          .operation = "fetch",
          .detail = "the other side told chunks that were not asked for"};
}

}  // namespace

void LocalWorkQueue::add(LocalWork work) {
  std::scoped_lock lock(mutex_);
  if (work.reconstruction != nullptr) {
    reconstructions_.emplace(work.file->id(), work.reconstruction);
  }
  if (work.copy_of != 0) {
    const std::uint64_t original = work.copy_of;
    wait_for(original, std::move(work));
  } else {
    push(std::move(work), /*in_front=*/false);
  }
}

void LocalWorkQueue::push(LocalWork work, bool in_front) {
  const std::int64_t place = in_front ? front_-- : ++back_;
  waiting_[work.file->id()] = {.place = place};
  queue_.emplace(place, std::move(work));
  ready_.notify_one();
}

void LocalWorkQueue::wait_for(std::uint64_t original, LocalWork copy) {
  waiting_[copy.file->id()] = {.original = original};
  copies_.emplace(original, std::move(copy));
}

std::vector<LocalWork> LocalWorkQueue::take_copies(std::uint64_t original) {
  const auto [first, last] = copies_.equal_range(original);
  std::vector<LocalWork> taken;
  for (auto copy = first; copy != last; ++copy) taken.push_back(std::move(copy->second));
  copies_.erase(first, last);
  return taken;
}

void LocalWorkQueue::redirect_copies(std::uint64_t original, std::uint64_t other) {
  std::scoped_lock lock(mutex_);
  for (LocalWork& copy : take_copies(original)) wait_for(other, std::move(copy));
}

std::uint64_t LocalWorkQueue::release_copies(std::uint64_t original,
                                             const std::optional<store::Place>& place) {
  std::scoped_lock lock(mutex_);
  std::uint64_t next = 0;
  for (LocalWork& copy : take_copies(original)) {
    const std::uint64_t file = copy.file->id();
    if (place.has_value()) {
      copy.reconstruction->original_is_at(*place);
      push(std::move(copy), /*in_front=*/false);
    } else if (next == 0) {
      // It has nothing to be compared with, and need not wait for what has.
      next = file;
      push(std::move(copy), /*in_front=*/true);
    } else {
      wait_for(next, std::move(copy));
    }
  }
  return next;
}

bool LocalWorkQueue::empty() const {
  std::scoped_lock lock(mutex_);
  return queue_.empty() && copies_.empty() && borrowers_.empty();
}

void LocalWorkQueue::drop(std::uint64_t file) {
  const auto found = waiting_.find(file);
  if (found == waiting_.end()) return;
  if (const auto lender = found->second.lender) {
    const auto [first, last] = borrowers_.equal_range(*lender);
    const auto borrower =
        std::find_if(first, last, [&](const auto& item) { return item.second.file->id() == file; });
    uncount(borrower->second);
    borrowers_.erase(borrower);
  } else if (found->second.original != 0) {
    const auto [first, last] = copies_.equal_range(found->second.original);
    copies_.erase(std::find_if(first, last,
                               [&](const auto& copy) { return copy.second.file->id() == file; }));
  } else {
    const auto queued = queue_.find(found->second.place);
    uncount(queued->second);
    queue_.erase(queued);
  }
  waiting_.erase(found);
}

bool LocalWorkQueue::forget(std::uint64_t file) {
  bool has_copies = false;
  {
    std::scoped_lock lock(mutex_);
    reconstructions_.erase(file);
    drop(file);
    static_cast<void>(end_pause(file));
    release_borrowers(file);
    has_copies = copies_.contains(file);
  }
  progressed();
  return has_copies;
}

std::optional<LocalWork> LocalWorkQueue::next() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [&] { return stopped_ || !queue_.empty(); });
  if (stopped_) return std::nullopt;
  LocalWork work = std::move(queue_.begin()->second);
  queue_.erase(queue_.begin());
  waiting_.erase(work.file->id());
  uncount(work);
  return work;
}

std::vector<std::uint64_t> LocalWorkQueue::chunks_to_ask_for(const LocalWork& work) {
  std::vector<std::uint64_t> files;
  std::uint64_t ahead_bytes = 0;
  std::size_t ahead = 0;
  const auto ask = [&](const LocalWork& item) {
    if (item.reconstruction == nullptr || !item.reconstruction->needs_chunks()) return;
    ahead_bytes += item.file->size();
    ++ahead;
    if (!std::exchange(item.reconstruction->is_asked_for, true)) files.push_back(item.file->id());
  };
  std::scoped_lock lock(mutex_);
  ask(work);
  for (const auto& [place, next] : queue_) {
    if (next.reconstruction == nullptr || !next.reconstruction->needs_chunks()) continue;
    if (ahead >= kToldAheadMax || ahead_bytes + next.file->size() > kToldAheadMaxBytes) break;
    ask(next);
  }
  for (const std::uint64_t file : files) asked_below_ = std::max(asked_below_, file + 1);
  return files;
}

Result<ReconstructionPtr> LocalWorkQueue::asked_for(std::uint64_t file) const {
  std::scoped_lock lock(mutex_);
  if (file >= asked_below_) return fail(unasked());
  const auto found = reconstructions_.find(file);
  if (found == reconstructions_.end()) return nullptr;
  if (!found->second->is_asked_for) return fail(unasked());
  return found->second;
}

Result<void> LocalWorkQueue::on_chunks(const wire::Chunks& chunks) {
  WH_ASSIGN(const auto reconstruction, asked_for(chunks.file));
  if (reconstruction == nullptr) return {};
  WH_TRY(reconstruction->on_chunks(chunks));
  progressed();
  return {};
}

bool LocalWorkQueue::pause(const ReconstructionPtr& reconstruction) {
  const TakenFilePtr& file = reconstruction->file();
  std::scoped_lock lock(mutex_);
  // Told meanwhile, or given up.
  if (reconstruction->is_fine_told() || !reconstructions_.contains(file->id())) return false;
  if (paused_.size() + begun_borrowers_ >= kPausedMax) return false;
  if (paused_bytes_ + reconstruction->fine_bytes() > kPausedMaxBytes) return false;
  paused_bytes_ += reconstruction->fine_bytes();
  paused_.emplace(file->id(), reconstruction);
  return true;
}

bool LocalWorkQueue::wait_for_lender(LocalWork work, std::uint64_t lender, bool is_begun) {
  const std::uint64_t file = work.file->id();
  std::scoped_lock lock(mutex_);
  if (!reconstructions_.contains(file)) return false;  // given up meanwhile
  if (is_begun && paused_.size() + begun_borrowers_ >= kPausedMax) return false;
  const std::size_t chunks = work.reconstruction->kept_chunks();
  if (kept_chunks_ + chunks > kToldChunksMax) return false;
  work.is_begun = is_begun;
  work.kept_chunks = chunks;
  if (is_begun) ++begun_borrowers_;
  kept_chunks_ += chunks;
  waiting_[file] = {.lender = lender};
  borrowers_.emplace(lender, std::move(work));
  return true;
}

bool LocalWorkQueue::may_wait_begun() const {
  std::scoped_lock lock(mutex_);
  return paused_.size() + begun_borrowers_ < kPausedMax;
}

void LocalWorkQueue::uncount(LocalWork& work) {
  if (std::exchange(work.is_begun, false)) --begun_borrowers_;
  kept_chunks_ -= std::exchange(work.kept_chunks, 0);
}

void LocalWorkQueue::release(std::uint64_t lender) {
  std::scoped_lock lock(mutex_);
  release_borrowers(lender);
}

void LocalWorkQueue::release_borrowers(std::uint64_t lender) {
  const auto [first, last] = borrowers_.equal_range(lender);
  std::vector<LocalWork> released;
  for (auto borrower = first; borrower != last; ++borrower) {
    released.push_back(std::move(borrower->second));
  }
  borrowers_.erase(first, last);
  // The first of them in front of all.
  for (auto work = released.rbegin(); work != released.rend(); ++work) {
    push(std::move(*work), /*in_front=*/true);
  }
}

bool LocalWorkQueue::end_pause(std::uint64_t file) {
  const auto found = paused_.find(file);
  if (found == paused_.end()) return false;
  paused_bytes_ -= found->second->fine_bytes();
  paused_.erase(found);
  return true;
}

Result<void> LocalWorkQueue::on_fine_chunks(const wire::FineChunks& chunks) {
  WH_ASSIGN(const auto reconstruction, asked_for(chunks.file));
  if (reconstruction == nullptr) return {};
  WH_TRY(reconstruction->on_fine_chunks(chunks));
  if (reconstruction->is_fine_told()) {
    std::scoped_lock lock(mutex_);
    if (end_pause(chunks.file)) {
      push({.file = reconstruction->file(), .reconstruction = reconstruction}, /*in_front=*/true);
    }
  }
  progressed();
  return {};
}

void LocalWorkQueue::wait() {
  std::unique_lock lock(mutex_);
  progressed_.wait(lock, [&] { return stopped_ || !waits_; });
}

void LocalWorkQueue::progressed() {
  if (!waits_) return;
  std::scoped_lock lock(mutex_);
  waits_ = false;
  progressed_.notify_one();
}

void LocalWorkQueue::stop() {
  std::scoped_lock lock(mutex_);
  stopped_ = true;
  ready_.notify_all();
  progressed_.notify_all();
}

}  // namespace wormhole::transfer
