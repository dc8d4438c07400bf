// What a giver sends next: sans-I/O, not thread-safe (the giver's mutex guards it).
//
// Holds the window of announced files whose data is wanted: bounded by the credit the taker
// gave, so nothing here has a limit of its own. Large files come first, largest first, a
// segment at a time so that all streams share one file; small files follow in directory order,
// packed into blocks. (A long file started last would be sent by one stream alone.)
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "base/limits.h"
#include "transfer/given_file.h"

namespace wormhole::transfer {

class WorkQueue {
 public:
  // Precondition: the file is not empty.
  void add(GivenFilePtr file);
  // A piece of a segment that its stream did not send: another stream takes it next.
  void give_back(SegmentWork rest);
  [[nodiscard]] std::size_t given_back() const { return returned_.size(); }
  // nullopt when nothing waits. Files that were stopped meanwhile are passed over. A pack is at
  // most `frame_bytes`; a small file that does not fit alone is handed out as a segment.
  [[nodiscard]] std::optional<Work> next(std::size_t frame_bytes = kBlockBytes);
  // Forgets the files of a request.
  void drop(std::uint32_t request);
  // Forgets the files that were stopped.
  void forget_stopped();
  [[nodiscard]] bool empty() const { return small_.empty() && large_.empty() && returned_.empty(); }
  // True for files that travel packed.
  [[nodiscard]] static bool is_small(const GivenFile& file);

 private:
  struct Large {
    GivenFilePtr file;
    std::uint64_t next_offset = 0;
    [[nodiscard]] std::uint64_t left() const { return file->status.size_bytes - next_offset; }
    // By whole size, not by what is left: a file once begun is finished first, so that a taker
    // has few of them open.
    friend bool operator<(const Large& a, const Large& b) {
      if (a.file->status.size_bytes != b.file->status.size_bytes) {
        return a.file->status.size_bytes < b.file->status.size_bytes;
      }
      return a.file->id > b.file->id;
    }
  };

  template <typename Condition>
  void forget_if(const Condition& condition);
  std::optional<Work> next_segment();
  std::optional<Work> next_small(std::size_t frame_bytes);

  std::vector<SegmentWork> returned_;
  std::vector<Large> large_;  // heap
  std::deque<GivenFilePtr> small_;
};

}  // namespace wormhole::transfer
