// The file that stands where a new version of it is to be put: which chunks it is made of, and
// where. (rsync's word for it.)
//
// It belongs to the user, who may change it at any time: a chunk's bytes are handed on from the
// memory in which they were hashed, or hashed once more, or shared (and what remains of the blocks
// at both ends read once more) if nothing has changed the file after that. Used by one thread;
// another reads ahead.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/range_set.h"
#include "platform/file_system.h"
#include "transfer/read_ahead.h"

namespace wormhole::transfer {

// By its first bytes: they are as good as random already.
struct HashOfHash {
  std::size_t operator()(const store::Hash& hash) const {
    return load_le<std::uint64_t>(hash.data());
  }
};

class Basis {
 public:
  // `uncached`: what is read of it does not stay in memory.
  [[nodiscard]] static Result<std::unique_ptr<Basis>> open(const platform::Directory& directory,
                                                           std::string_view name, bool uncached);

  // A chunk that was just read, and its place and bytes.
  using Sink = std::function<Result<void>(const PlacedChunk& chunk, Bytes bytes)>;
  // The next chunk. What cannot be read holds nothing: then the scan is over. Errors are the
  // sink's.
  [[nodiscard]] Result<void> scan_some(const Sink& sink);
  // It may stand there: where the scan is, or right behind what was expected last. Then it is found
  // with less work, and while the one before is looked at.
  void expect(const PlacedChunk& chunk);
  [[nodiscard]] bool is_scanned() const { return is_scanned_; }
  [[nodiscard]] std::uint64_t scanned_bytes() const { return scanned_bytes_; }
  [[nodiscard]] std::uint64_t size() const { return status_.size_bytes; }

  // Of what was scanned, in order. Null: there are not so many.
  [[nodiscard]] const Chunk* chunk(std::size_t index) const {
    return index < chunks_.size() ? &chunks_[index].chunk : nullptr;
  }
  [[nodiscard]] std::size_t chunks() const { return chunks_.size(); }
  // The first such one.
  [[nodiscard]] std::optional<std::size_t> index_of(const Chunk& chunk) const;
  // That chunk stands exactly there.
  [[nodiscard]] bool has_at(std::uint64_t offset, const Chunk& chunk) const;
  // Where, first, the bytes of such a chunk stand.
  [[nodiscard]] std::optional<std::uint64_t> find(const Chunk& chunk) const;
  // What a range of it is made of, cut more finely. What cannot be read holds nothing.
  [[nodiscard]] std::vector<Chunk> fine_chunks(const RangeSet::Range& range) const;
  // Gives memory back: after this only fine_chunks(), read() and is_unchanged() are of use.
  void forget_chunks();
  // False when there are not so many.
  [[nodiscard]] bool read(std::uint64_t offset, MutableBytes out) const;
  // Its bytes into `out`, of the chunk's length: as they were scanned, if that was the last one.
  // False: they are others by now.
  [[nodiscard]] bool read(const Chunk& chunk, std::uint64_t offset, MutableBytes out) const;
  [[nodiscard]] const platform::FileStatus& status() const { return status_; }  // as opened
  // Blocks of it may be shared.
  [[nodiscard]] bool may_share() const { return file_->may_share_blocks(); }
  // Before anything of it is read: whether is_unchanged() will tell each change of what is read
  // from now on. Waits until it is on disk.
  [[nodiscard]] bool is_settled() const;
  // Nothing has changed the file since it was opened.
  [[nodiscard]] bool is_unchanged() const;
  [[nodiscard]] const platform::File& file() const { return *file_; }

 private:
  Basis(std::shared_ptr<const platform::File> file, const platform::FileStatus& status);
  ReadAhead& read_ahead();
  void end_scan();

  const std::shared_ptr<const platform::File> file_;
  const platform::FileStatus status_;    // as opened
  std::optional<ReadAhead> read_ahead_;  // while it is scanned
  std::optional<ReadAhead::Read> last_;  // of read_ahead_
  std::uint64_t scanned_bytes_ = 0;
  bool is_scanned_;
  std::vector<PlacedChunk> chunks_;
  std::unordered_map<store::Hash, std::uint64_t, HashOfHash> places_;
};

}  // namespace wormhole::transfer
