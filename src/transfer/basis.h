// The file that stands where a new version of it is to be put: which chunks it is made of, and
// where. (rsync's word for it.)
//
// It belongs to the user, who may change it at any time: what is copied from it is hashed on the
// way. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "platform/file_system.h"
#include "transfer/chunk_scan.h"

namespace wormhole::transfer {

class Basis {
 public:
  // `uncached`: what is read of it does not stay in memory.
  [[nodiscard]] static Result<std::unique_ptr<Basis>> open(const platform::Directory& directory,
                                                           std::string_view name, bool uncached);

  // Reads on, into `buffer`. What cannot be read holds nothing: then the scan is over.
  void scan_some(MutableBytes buffer);
  [[nodiscard]] bool is_scanned() const { return is_scanned_; }
  [[nodiscard]] std::uint64_t scanned_bytes() const { return scan_.position(); }
  [[nodiscard]] std::uint64_t size() const { return status_.size_bytes; }

  // Of what was scanned. Null: there are not so many.
  [[nodiscard]] const Chunk* chunk(std::size_t index) const {
    return index < chunks_.size() ? &chunks_[index] : nullptr;
  }
  // Where the bytes of such a chunk stand.
  [[nodiscard]] std::optional<std::uint64_t> find(const Chunk& chunk) const;
  // Reads them into `out`, of the chunk's length. False: they are others by now.
  [[nodiscard]] bool read(const Chunk& chunk, std::uint64_t offset, MutableBytes out) const;
  // Nothing has changed the file since it was opened, and it still has that name.
  [[nodiscard]] bool is_unchanged(const platform::Directory& directory,
                                  std::string_view name) const;
  [[nodiscard]] const platform::File& file() const { return *file_; }

 private:
  // By their first bytes: they are as good as random already.
  struct HashOfHash {
    std::size_t operator()(const store::Hash& hash) const {
      return load_le<std::uint64_t>(hash.data());
    }
  };

  Basis(std::shared_ptr<const platform::File> file, const platform::FileStatus& status,
        bool uncached)
      : file_(std::move(file)),
        status_(status),
        uncached_(uncached),
        scan_(file_, status.size_bytes, uncached),
        is_scanned_(status.size_bytes == 0) {}

  const std::shared_ptr<const platform::File> file_;
  const platform::FileStatus status_;  // as opened
  const bool uncached_;
  ChunkScan scan_;
  bool is_scanned_;
  std::vector<Chunk> chunks_;
  std::uint64_t noted_bytes_ = 0;  // of chunks_
  std::unordered_map<store::Hash, std::uint64_t, HashOfHash> places_;
};

}  // namespace wormhole::transfer
