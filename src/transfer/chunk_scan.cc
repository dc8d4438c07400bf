#include "transfer/chunk_scan.h"

#include <algorithm>

namespace wormhole::transfer {

Result<void> ChunkScan::step(MutableBytes buffer, std::vector<Chunk>& out) {
  const MutableBytes part = buffer.first(
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end_ - position_)));
  WH_ASSIGN(const std::size_t got, file_->read_at(part, position_));
  if (got != part.size()) {
    return fail({.code = Code::kChanged, .operation = "read", .detail = "it became shorter"});
  }
  chunker_.add(part, out);
  position_ += got;
  if (is_over()) chunker_.finish(out);
  return {};
}

}  // namespace wormhole::transfer
