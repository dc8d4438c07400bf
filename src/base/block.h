// The block: one buffer that is read into, sealed in place, sent; received into, opened in
// place, written.
//
// Layout of the one allocation, page-aligned:
//
//   | ... headroom ... [header] | payload (page-aligned, kBlockBytes) | [tag] ... tailroom |
//
// so that header, payload and tag leave by one send of one contiguous range, and the payload
// can go to disk by direct I/O. A block belongs to one thread at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace wormhole {

inline constexpr std::size_t kBlockHeadroomBytes = 4 * kKiB;
inline constexpr std::size_t kBlockTailroomBytes = 4 * kKiB;

class BlockPool;

// Move-only; goes back to its pool when destroyed.
class Block {
 public:
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;
  ~Block();

  // kBlockBytes long, page-aligned.
  [[nodiscard]] MutableBytes payload() const { return {data_ + kBlockHeadroomBytes, kBlockBytes}; }
  // The range that starts `before` bytes ahead of the payload and ends `after` bytes behind its
  // first `payload_bytes`. Preconditions: within head and tail room.
  [[nodiscard]] MutableBytes around(std::size_t before, std::size_t payload_bytes,
                                    std::size_t after) const;

 private:
  friend class BlockPool;
  Block(BlockPool* pool, std::byte* data) : pool_(pool), data_(data) {}

  BlockPool* pool_;
  std::byte* data_;
};

// A fixed number of blocks, allocated at most once each, never freed before the pool. The pool
// outlives its blocks. Thread-safe.
class BlockPool {
 public:
  explicit BlockPool(std::size_t blocks_max = kBlocksMax);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // Waits until one is free.
  [[nodiscard]] Block acquire();

 private:
  friend class Block;
  void release(std::byte* data);

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::byte*> free_;
  std::size_t unallocated_;
  const std::size_t blocks_max_;
};

}  // namespace wormhole
