#include "base/block.h"

#include <new>
#include <utility>

#include "base/check.h"

namespace wormhole {
namespace {

constexpr std::align_val_t kPageAlignment{4 * kKiB};
constexpr std::size_t kAllocationBytes = kBlockHeadroomBytes + kBlockBytes + kBlockTailroomBytes;
static_assert(kBlockHeadroomBytes % static_cast<std::size_t>(kPageAlignment) == 0,
              "the payload is page-aligned");

// Large enough that the allocator maps it: its pages cost memory only once touched.
std::byte* allocate_block() {
  void* data = ::operator new(kAllocationBytes, kPageAlignment, std::nothrow);
  WH_CHECK(data != nullptr);
  return static_cast<std::byte*>(data);
}

}  // namespace

Block::Block(Block&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)) {}

Block& Block::operator=(Block&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) pool_->release(data_);
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
  }
  return *this;
}

Block::~Block() {
  if (data_ != nullptr) pool_->release(data_);
}

MutableBytes Block::around(std::size_t before, std::size_t payload_bytes, std::size_t after) const {
  WH_CHECK(data_ != nullptr);
  WH_CHECK(before <= kBlockHeadroomBytes);
  WH_CHECK(payload_bytes <= kBlockBytes);
  WH_CHECK(after <= kBlockBytes - payload_bytes + kBlockTailroomBytes);
  return {data_ + kBlockHeadroomBytes - before, before + payload_bytes + after};
}

BlockPool::BlockPool(std::size_t blocks_max) : unallocated_(blocks_max), blocks_max_(blocks_max) {
  WH_CHECK(blocks_max > 0);
  free_.reserve(blocks_max);  // so that release() never allocates
}

BlockPool::~BlockPool() {
  WH_CHECK(free_.size() + unallocated_ == blocks_max_);
  for (std::byte* data : free_) ::operator delete(data, kPageAlignment);
}

Block BlockPool::acquire() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return !free_.empty() || unallocated_ > 0; });
  // The one last given back first: it is the likeliest to be in a cache.
  if (!free_.empty()) {
    std::byte* data = free_.back();
    free_.pop_back();
    return {this, data};
  }
  --unallocated_;
  lock.unlock();
  return {this, allocate_block()};
}

void BlockPool::release(std::byte* data) {
  // Notified under the lock: the pool may be destroyed as soon as the last block is back.
  std::scoped_lock lock(mutex_);
  free_.push_back(data);
  freed_.notify_one();
}

}  // namespace wormhole
