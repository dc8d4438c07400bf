#include "transfer/work_queue.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

// Of all that waits, a stream is handed this part of its even share: streams are unlike, the path
// loses packets on one and not on the other, and all must be done at about the same time.
constexpr std::uint64_t kPartsOfAShare = 8;

}  // namespace

bool WorkQueue::is_small(const GivenFile& file) {
  return file.status.size_bytes <= kPackedFileMaxBytes && !file.sparse;
}

void WorkQueue::add(GivenFilePtr file) {
  WH_CHECK(file->status.size_bytes > 0);
  if (is_small(*file)) {
    small_bytes_ += file->status.size_bytes;
    files_with(*file).push_back(std::move(file));
    return;
  }
  large_bytes_ += file->status.size_bytes;
  large_.push_back({std::move(file)});
  std::push_heap(large_.begin(), large_.end());
}

void WorkQueue::give_back(SegmentWork rest) {
  large_bytes_ += rest.length;
  returned_.push_front(std::move(rest));
}

void WorkQueue::add_part(SegmentWork part) {
  large_bytes_ += part.length;
  if (!parts_.empty()) {
    SegmentWork& last = parts_.back();
    if (last.file == part.file && last.offset + last.length == part.offset) {
      last.length += part.length;
      return;
    }
  }
  parts_.push_back(std::move(part));
}

std::optional<Work> WorkQueue::next(std::size_t frame_bytes, unsigned streams,
                                    std::optional<unsigned> stream) {
  if (auto rest = next_piece(returned_, frame_bytes, streams)) return rest;
  drop_stopped_large();
  const bool is_one_waited_for = !large_.empty() && large_.front().file->lends;
  if (!is_one_waited_for) {
    if (auto part = next_piece(parts_, frame_bytes, streams)) return part;
  }
  if (auto segment = next_segment(frame_bytes, streams)) return segment;
  return next_small(frame_bytes, stream);
}

std::optional<Work> WorkQueue::next_piece(std::deque<SegmentWork>& pieces, std::size_t frame_bytes,
                                          unsigned streams) {
  while (!pieces.empty()) {
    SegmentWork& rest = pieces.front();
    if (rest.file->stopped) {
      large_bytes_ -= rest.length;
      pieces.pop_front();
      continue;
    }
    SegmentWork work = rest;
    work.length = std::min(rest.length, piece_bytes(rest.offset, frame_bytes, streams));
    rest.offset += work.length;
    rest.length -= work.length;
    large_bytes_ -= work.length;
    if (rest.length == 0) pieces.pop_front();
    return Work(std::move(work));
  }
  return std::nullopt;
}

std::uint64_t WorkQueue::piece_bytes(std::uint64_t offset, std::size_t frame_bytes,
                                     unsigned streams) const {
  const std::uint64_t part = large_bytes_ / (kPartsOfAShare * std::max(streams, 1U));
  const std::uint64_t most = frame_bytes < kBlockBytes ? kFramesAhead * frame_bytes : kSegmentBytes;
  const std::uint64_t length = std::clamp<std::uint64_t>(part, frame_bytes, most);
  // To where a block ends, or each piece behind the small ones at the start begins and ends with a
  // part of one.
  return length < kBlockBytes ? length : length - (offset + length) % kBlockBytes;
}

void WorkQueue::drop_stopped_large() {
  while (!large_.empty() && large_.front().file->stopped) {
    large_bytes_ -= large_.front().left();
    std::pop_heap(large_.begin(), large_.end());
    large_.pop_back();
  }
}

std::optional<Work> WorkQueue::next_segment(std::size_t frame_bytes, unsigned streams) {
  if (large_.empty()) return std::nullopt;
  std::pop_heap(large_.begin(), large_.end());
  Large& largest = large_.back();
  SegmentWork work;
  work.file = largest.file;
  work.offset = largest.next_offset;
  work.length = std::min(largest.left(), piece_bytes(work.offset, frame_bytes, streams));
  largest.next_offset += work.length;
  large_bytes_ -= work.length;
  if (largest.left() == 0) {
    large_.pop_back();
  } else {
    std::push_heap(large_.begin(), large_.end());
  }
  return Work(std::move(work));
}

void WorkQueue::release(unsigned stream) {
  if (stream >= owned_.size()) return;
  Files& own = owned_[stream];
  small_.insert(small_.begin(), own.begin(), own.end());
  own.clear();
}

// The rest of a directory comes after a while: it is whose its beginning is.
WorkQueue::Files& WorkQueue::files_with(const GivenFile& file) {
  const auto ends_with_it = [&](const Files& files) {
    return !files.empty() && files.back()->directory == file.directory;
  };
  if (ends_with_it(small_)) return small_;
  const auto owner = std::ranges::find_if(owned_, ends_with_it);
  return owner == owned_.end() ? small_ : *owner;
}

WorkQueue::Files* WorkQueue::small_for(std::optional<unsigned> stream) {
  if (stream.has_value()) {
    if (owned_.size() <= *stream) owned_.resize(*stream + 1);
    Files& own = owned_[*stream];
    if (own.empty() && !small_.empty()) {
      const auto end = std::ranges::find_if(small_, [&](const GivenFilePtr& file) {
        return file->directory != small_.front()->directory;
      });
      own.assign(std::make_move_iterator(small_.begin()), std::make_move_iterator(end));
      small_.erase(small_.begin(), end);
    }
    if (!own.empty()) return &own;
  }
  if (!small_.empty()) return &small_;
  // All directories are somebody's: the one of which most is left is shared.
  const auto most = std::ranges::max_element(owned_, {}, &Files::size);
  return most == owned_.end() || most->empty() ? nullptr : &*most;
}

std::optional<Work> WorkQueue::next_small(std::size_t frame_bytes, std::optional<unsigned> stream) {
  PackWork pack;
  std::size_t used = 0;
  Files* files = small_for(stream);
  while (files != nullptr) {
    const GivenFilePtr& file = files->front();
    if (!file->stopped) {
      const std::uint64_t size = file->status.size_bytes;
      used += wire::kPackRecordHeaderBytes + size;
      if (used > frame_bytes) {
        if (!pack.files.empty()) break;
        SegmentWork whole{file, 0, size, nullptr};
        pop_small(*files);
        return Work(std::move(whole));
      }
      // The frame around a pack names one request.
      if (!pack.files.empty() && pack.files.front()->request != file->request) break;
      pack.files.push_back(file);
    }
    pop_small(*files);
    if (files->empty()) files = small_for(stream);
  }
  if (pack.files.empty()) return std::nullopt;
  return Work(std::move(pack));
}

void WorkQueue::pop_small(Files& files) {
  small_bytes_ -= files.front()->status.size_bytes;
  files.pop_front();
}

void WorkQueue::drop(std::uint32_t request) {
  forget_if([&](const GivenFile& file) { return file.request == request; });
}

void WorkQueue::forget_stopped() {
  forget_if([](const GivenFile& file) { return file.stopped.load(); });
}

template <typename Condition>
void WorkQueue::forget_if(const Condition& condition) {
  for (auto* pieces : {&returned_, &parts_}) {
    std::erase_if(*pieces, [&](const SegmentWork& work) { return condition(*work.file); });
  }
  small_bytes_ = 0;
  const auto forget_in = [&](Files& files) {
    std::erase_if(files, [&](const GivenFilePtr& file) { return condition(*file); });
    for (const GivenFilePtr& file : files) small_bytes_ += file->status.size_bytes;
  };
  forget_in(small_);
  std::ranges::for_each(owned_, forget_in);
  std::erase_if(large_, [&](const Large& large) { return condition(*large.file); });
  std::make_heap(large_.begin(), large_.end());
  large_bytes_ = 0;
  for (const Large& large : large_) large_bytes_ += large.left();
  for (const auto* pieces : {&returned_, &parts_}) {
    for (const SegmentWork& piece : *pieces) large_bytes_ += piece.length;
  }
}

}  // namespace wormhole::transfer
