// A file that a giver has announced, and the pieces of work it is given in.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "platform/file_system.h"
#include "transfer/directory_tree.h"

namespace wormhole::transfer {

// Shared by the streams that send its segments.
struct GivenFile {
  std::uint32_t request = 0;
  std::uint64_t id = 0;
  std::shared_ptr<DirectoryTree> tree;
  NodePtr directory;
  std::string name;
  platform::FileStatus status;  // as announced; the bytes sent must be of this version
  bool sparse = false;
  bool uncached = false;  // it is too long to stay in memory
  bool is_held = false;   // it may be a copy of another: nothing of it leaves unasked
  bool lends = false;     // others that are held may have something of it

  // The taker asked for it (guarded by the giver's mutex).
  bool wanted = false;
  bool wanted_in_part = false;
  bool wanted_chunks = false;
  bool wanted_fine_chunks = false;
  std::atomic<bool> told_last = false;  // nothing more of it will be asked for
  std::uint64_t wanted_bytes = 0;       // in part

  // Once set, no stream sends more of it: it failed here or was dropped by the taker.
  std::atomic<bool> stopped = false;
  // The first of it was handed out.
  std::atomic<bool> begun = false;
  // Bytes that have left, holes included.
  std::atomic<std::uint64_t> sent_bytes = 0;

  // The file, opened at the first call and closed with the last holder.
  [[nodiscard]] Result<std::shared_ptr<const platform::File>> open();
  // The same for a stream that sends a piece of it. If it is too long to stay in memory, it is open
  // until close(), between two pieces as well: so long it is remembered what of it was there
  // before.
  [[nodiscard]] Result<std::shared_ptr<const platform::File>> open_to_send();
  // No more of it will be sent, as far as can be told.
  void close();

 private:
  std::mutex mutex_;
  std::shared_ptr<const platform::File> kept_;
  std::weak_ptr<const platform::File> file_;
};
using GivenFilePtr = std::shared_ptr<GivenFile>;

// Whole small files that fit one frame.
struct PackWork {
  std::vector<GivenFilePtr> files;
};
// A range of a large file, sent block by block.
struct SegmentWork {
  GivenFilePtr file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::shared_ptr<const platform::File> opened;  // by the stream that has it in hand
};
using Work = std::variant<PackWork, SegmentWork>;

}  // namespace wormhole::transfer
