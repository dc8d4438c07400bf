#include "transfer/local_work.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace wormhole::transfer {
namespace {

// What the giver may read ahead of the file that is worked on: its lists of chunks stand here
// meanwhile.
constexpr std::size_t kToldAheadMax = 64;
constexpr std::uint64_t kToldAheadMaxBytes = 1 * kGiB;

Error unasked() {
  return {.code = Code::kProtocol,
          .operation = "fetch",
          .detail = "the host told chunks that were not asked for"};
}

}  // namespace

void LocalWorkQueue::add(LocalWork work) {
  std::scoped_lock lock(mutex_);
  if (work.reconstruction != nullptr) {
    reconstructions_.emplace(work.file->id(), work.reconstruction);
  }
  if (work.copy_of != 0) {
    copies_.emplace(work.copy_of, std::move(work));
    return;
  }
  queue_.push_back(std::move(work));
  ready_.notify_one();
}

void LocalWorkQueue::release_copies(std::uint64_t original,
                                    const std::optional<store::Place>& place) {
  std::scoped_lock lock(mutex_);
  const auto [first, last] = copies_.equal_range(original);
  for (auto copy = first; copy != last; ++copy) {
    if (place.has_value()) copy->second.reconstruction->original_is_at(*place);
    queue_.push_back(std::move(copy->second));
  }
  copies_.erase(first, last);
  ready_.notify_one();
}

bool LocalWorkQueue::empty() const {
  std::scoped_lock lock(mutex_);
  return queue_.empty() && copies_.empty();
}

void LocalWorkQueue::forget(std::uint64_t file) {
  {
    std::scoped_lock lock(mutex_);
    reconstructions_.erase(file);
  }
  progressed();
}

std::optional<LocalWork> LocalWorkQueue::next() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [&] { return stopped_ || !queue_.empty(); });
  if (stopped_) return std::nullopt;
  LocalWork work = std::move(queue_.front());
  queue_.pop_front();
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
  for (const LocalWork& next : queue_) {
    if (ahead >= kToldAheadMax || ahead_bytes + next.file->size() > kToldAheadMaxBytes) break;
    ask(next);
  }
  for (const std::uint64_t file : files) asked_below_ = std::max(asked_below_, file + 1);
  return files;
}

Result<void> LocalWorkQueue::on_chunks(const wire::Chunks& chunks) {
  ReconstructionPtr reconstruction;
  {
    std::scoped_lock lock(mutex_);
    if (chunks.file >= asked_below_) {
      return fail(unasked());
    }
    const auto found = reconstructions_.find(chunks.file);
    if (found == reconstructions_.end()) return {};
    reconstruction = found->second;
    if (!reconstruction->is_asked_for) return fail(unasked());
  }
  WH_TRY(reconstruction->on_chunks(chunks));
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
