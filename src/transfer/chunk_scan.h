// Reads a file from its start to its end, and says which chunks it is made of. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "platform/file_system.h"
#include "store/chunker.h"

namespace wormhole::transfer {

class ChunkScan {
 public:
  // `uncached`: what is read does not stay in memory.
  ChunkScan(std::shared_ptr<const platform::File> file, std::uint64_t size_bytes, bool uncached)
      : file_(std::move(file)), size_(size_bytes), uncached_(uncached) {}

  // Reads on, into `buffer`, and appends the chunks that are whole by that. kChanged when the file
  // is shorter than it was.
  [[nodiscard]] Result<void> step(MutableBytes buffer, std::vector<Chunk>& out);
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] bool is_over() const { return position_ == size_; }

 private:
  const std::shared_ptr<const platform::File> file_;
  const std::uint64_t size_;
  const bool uncached_;
  store::Chunker chunker_;
  std::uint64_t position_ = 0;
};

}  // namespace wormhole::transfer
