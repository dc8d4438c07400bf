// Reads a range of a file from its start to its end, and says which chunks it is made of. One
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/range_set.h"
#include "base/result.h"
#include "platform/file_system.h"
#include "store/chunker.h"

namespace wormhole::transfer {

class ChunkScan {
 public:
  ChunkScan(std::shared_ptr<const platform::File> file, const RangeSet::Range& range,
            const store::CutRule& rule = store::kChunkRule)
      : file_(std::move(file)),
        end_(range.offset + range.length),
        chunker_(rule),
        position_(range.offset) {}

  // Reads on, into `buffer`, and appends the chunks that are whole by that. kChanged when the file
  // is shorter than it was.
  [[nodiscard]] Result<void> step(MutableBytes buffer, std::vector<Chunk>& out);
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] bool is_over() const { return position_ == end_; }

 private:
  const std::shared_ptr<const platform::File> file_;
  const std::uint64_t end_;
  store::Chunker chunker_;
  std::uint64_t position_;
};

}  // namespace wormhole::transfer
