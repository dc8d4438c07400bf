#include "transfer/read_ahead.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/start_thread.h"

namespace wormhole::transfer {
ReadAhead::ReadAhead(std::shared_ptr<const platform::File> file, std::uint64_t size_bytes)
    : file_(std::move(file)), size_bytes_(size_bytes) {
  for (Slot& slot : slots_) {
    slot.bytes = std::make_unique_for_overwrite<std::byte[]>(kChunkMaxBytes + kBlockBytes);
  }
  // Where no thread can be had, it is read when it is wanted.
  if (size_bytes > kChunkMaxBytes) static_cast<void>(start_thread(thread_, [this] { run(); }));
}

ReadAhead::~ReadAhead() {
  if (!thread_.joinable()) return;
  {
    std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<ReadAhead::Read> ReadAhead::next() {
  const bool is_there = thread_.joinable() ? wait_for_next() : make_here();
  if (!is_there) return std::nullopt;
  Slot& next = slot(taken_++);
  Chunk& chunk = next.placed.chunk;
  const Bytes bytes(next.bytes.get(), chunk.length);
  if (!next.is_hashed) chunk.hash = store::hash(bytes);
  return Read{next.placed, bytes};
}

bool ReadAhead::wait_for_next() {
  std::unique_lock lock(mutex_);
  done_ = taken_;
  is_waited_for_ = taken_ == made_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return taken_ < made_ || is_over_; });
  return taken_ < made_;
}

bool ReadAhead::make_here() {
  done_ = taken_;
  is_over_ = is_over_ || position_ == size_bytes_ || !make();
  return !is_over_;
}

void ReadAhead::expect(const PlacedChunk& chunk) {
  WH_CHECK(chunk.chunk.length > 0 && chunk.chunk.length <= kChunkMaxBytes);
  std::scoped_lock lock(mutex_);
  if (!expected_.empty() && expected_.back().end() != chunk.offset) expected_.clear();
  expected_.push_back(chunk);
  changed_.notify_all();
}

void ReadAhead::run() {
  while (position_ < size_bytes_ && wait_until_wanted() && make()) {
  }
  std::scoped_lock lock(mutex_);
  is_over_ = true;
  changed_.notify_all();
}

bool ReadAhead::wait_until_wanted() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    if (stopped_) return true;
    if (made_ - done_ == slots_.size()) return false;
    return is_waited_for_ || is_expected();
  });
  return !stopped_;
}

bool ReadAhead::is_expected() {
  while (!expected_.empty() && expected_.front().offset < position_) expected_.pop_front();
  return !expected_.empty() && expected_.front().offset == position_;
}

bool ReadAhead::make() {
  Slot& made = slot(made_);
  std::ranges::copy(rest_, made.bytes.get());
  filled_ = rest_.size();
  std::optional<std::uint32_t> length = read_expected();
  made.is_hashed = length.has_value();
  if (!length.has_value()) length = cut();
  if (!length.has_value()) return false;
  made.placed.offset = position_;
  made.placed.chunk.length = *length;
  // After a wrong guess it is more: that is read again.
  rest_ = Bytes(made.bytes.get() + *length, std::min(filled_ - *length, kBlockBytes));
  position_ += *length;
  std::scoped_lock lock(mutex_);
  ++made_;
  is_waited_for_ = false;
  changed_.notify_all();
  return true;
}

std::optional<std::uint32_t> ReadAhead::read_expected() {
  Chunk chunk;
  {
    std::scoped_lock lock(mutex_);
    if (!is_expected()) return std::nullopt;
    chunk = expected_.front().chunk;
    expected_.pop_front();
  }
  if (chunk.length > size_bytes_ - position_) return std::nullopt;
  std::byte* const bytes = slot(made_).bytes.get();
  std::size_t hashed = 0;
  while (hashed < chunk.length) {
    if (hashed == filled_ && !read_on(chunk.length - hashed)) break;
    const std::size_t end = std::min<std::size_t>(filled_, chunk.length);
    hasher_.add(Bytes(bytes + hashed, end - hashed));
    hashed = end;
  }
  const store::Hash hash = hasher_.finish();
  if (hashed < chunk.length || hash != chunk.hash) return std::nullopt;
  const bool is_last = position_ + chunk.length == size_bytes_;
  if (!is_last && !store::may_end_chunk(Bytes(bytes, chunk.length))) return std::nullopt;
  slot(made_).placed.chunk.hash = hash;
  return chunk.length;
}

std::optional<std::uint32_t> ReadAhead::cut() {
  cuts_.begin_anew();
  std::size_t covered = 0;
  const std::byte* const bytes = slot(made_).bytes.get();
  while (true) {
    if (covered == filled_) {
      if (position_ + covered == size_bytes_) break;
      if (!read_on(kBlockBytes)) return std::nullopt;
    }
    const auto found = cuts_.next(Bytes(bytes + covered, filled_ - covered));
    covered += found.bytes;
    if (found.is_cut) break;
  }
  return static_cast<std::uint32_t>(covered);
}

bool ReadAhead::read_on(std::size_t most) {
  const std::uint64_t offset = position_ + filled_;
  const auto length = static_cast<std::size_t>(
      std::min<std::uint64_t>(std::min(most, kBlockBytes), size_bytes_ - offset));
  const auto got = file_->read_at(MutableBytes(slot(made_).bytes.get() + filled_, length), offset);
  if (got != length) return false;
  filled_ += length;
  return true;
}

}  // namespace wormhole::transfer
