// A new version of a file that stands at the destination already: what the two have in common is
// copied from there, and only the rest is asked for.
//
// The giver tells the chunks of the new version in order (on_chunks(), by the thread that reads
// control messages); step() compares them with those of the basis, by one thread of the taker.
// Where the two turn out to be the same file, nothing is written at all. Chunks of the basis that
// stand far behind their new place are waited for only so long: what comes from a long file begins
// to come before all of the basis was read.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/range_set.h"
#include "transfer/basis.h"
#include "transfer/directory_tree.h"
#include "transfer/taken_file.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Longer files come whole: both ends hold a list of their chunks, and it must fit (9 MB of names
// and 24 MB to find them by, at the worst).
inline constexpr std::uint64_t kReconstructedMaxBytes = 256 * kGiB;
// Shorter ones too: they are a chunk.
inline constexpr std::uint64_t kReconstructedMinBytes = 2 * kChunkMinBytes;

class Reconstruction {
 public:
  // What is different may replace what is there, or not: then a difference is kExists.
  enum class IfDifferent { kReplace, kRefuse };

  Reconstruction(TakenFilePtr file, IfDifferent if_different)
      : file_(std::move(file)), if_different_(if_different) {}

  // kProtocol when they do not follow each other or leave the file.
  [[nodiscard]] Result<void> on_chunks(const wire::Chunks& chunks);

  enum class Next {
    kStep,       // there is more to do
    kWait,       // until chunks are told, or until what was asked for has come
    kIdentical,  // it stands there as it should: over, nothing was written
    kComplete,   // copied to the last byte, nothing is missing: over, to be published
    kOver,       // what is missing was asked for
  };
  // `buffer`: kChunkMaxBytes. Appends to `wanted` what is to be asked for. Errors are the file's,
  // but for kProtocol and what ends a session.
  [[nodiscard]] Result<Next> step(DirectoryTree& tree, MutableBytes buffer,
                                  std::vector<RangeSet::Range>& wanted);

  [[nodiscard]] const TakenFilePtr& file() const { return file_; }
  [[nodiscard]] std::uint64_t copied_bytes() const { return copied_bytes_; }
  // Which file it was compared with, once step() was called; may be null.
  [[nodiscard]] const Basis* basis() const { return basis_.get(); }

  // The giver was asked for its chunks (guarded by the tree builder's mutex).
  bool is_asked_for = false;

 private:
  [[nodiscard]] std::optional<Chunk> told(std::size_t index) const;
  void open_basis(DirectoryTree& tree);
  // A chunk of the new version, and where the basis has it.
  Result<Next> take(DirectoryTree& tree, const Chunk& chunk, std::optional<std::uint64_t> place,
                    MutableBytes buffer, std::vector<RangeSet::Range>& wanted);

  const TakenFilePtr file_;
  const IfDifferent if_different_;

  mutable std::mutex mutex_;  // of what the giver told
  std::vector<Chunk> told_;
  std::uint64_t told_bytes_ = 0;

  // Of the stepping thread.
  bool is_begun_ = false;
  std::unique_ptr<Basis> basis_;
  bool is_same_so_far_ = true;  // chunk by chunk, at the same places
  std::size_t next_ = 0;        // of told_
  std::uint64_t offset_ = 0;    // its place
  std::uint64_t copied_bytes_ = 0;
};

using ReconstructionPtr = std::shared_ptr<Reconstruction>;

}  // namespace wormhole::transfer
