// What a giver sends next: sans-I/O, not thread-safe (the giver's mutex guards it).
//
// Holds the window of announced files whose data is wanted: bounded by the credit the taker
// gave, so nothing here has a limit of its own. What a stream gave back comes first, then the file
// that lends to others, then parts of files as they were asked for, then large files, largest
// first, a segment at a time so that all streams share one file, and smaller pieces towards the
// end; small files at last in directory order, packed into blocks. (A long file started last would
// be sent by one stream alone.) Each stream has a directory of its own to take small files from, as
// long as there are several: of two that make files in one directory, one waits for the other.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "base/limits.h"
#include "transfer/given_file.h"

namespace wormhole::transfer {

// A stream that is too slow for whole blocks is handed so many frames at a time: a second's worth.
inline constexpr std::uint64_t kFramesAhead = 16;

class WorkQueue {
 public:
  // Precondition: the file is not empty.
  void add(GivenFilePtr file);
  // A piece of a segment that its stream did not send: others take it next.
  void give_back(SegmentWork rest);
  // A range that a taker asked for; one with the last if it follows it.
  void add_part(SegmentWork part);
  // Of both.
  [[nodiscard]] std::size_t pieces() const { return returned_.size() + parts_.size(); }
  // For one of `streams` streams, whose frames hold `frame_bytes` just now. nullopt when nothing
  // waits. Files that were stopped meanwhile are passed over. A pack is at most a frame; a small
  // file that does not fit alone is handed out as a segment. `stream`: its number, under which a
  // directory becomes its own.
  [[nodiscard]] std::optional<Work> next(std::size_t frame_bytes = kBlockBytes,
                                         unsigned streams = 1, std::optional<unsigned> stream = {});
  // That stream takes nothing more: what was its own is anyone's.
  void release(unsigned stream);
  // Bytes that wait, about: files that were stopped may be among them.
  [[nodiscard]] std::uint64_t waiting_bytes() const { return large_bytes_ + small_bytes_; }
  // Forgets the files of a request.
  void drop(std::uint32_t request);
  // Forgets the files that were stopped.
  void forget_stopped();
  // (No file is empty.)
  [[nodiscard]] bool empty() const { return small_bytes_ == 0 && large_.empty() && pieces() == 0; }
  // True for files that travel packed.
  [[nodiscard]] static bool is_small(const GivenFile& file);

 private:
  struct Large {
    GivenFilePtr file;
    std::uint64_t next_offset = 0;
    [[nodiscard]] std::uint64_t left() const { return file->status.size_bytes - next_offset; }
    // The one that others wait for; then a file once begun, whatever is announced meanwhile, so
    // that a taker has few of them open; then by whole size, not by what is left.
    friend bool operator<(const Large& a, const Large& b) {
      if (a.file->lends != b.file->lends) return b.file->lends;
      if ((a.next_offset > 0) != (b.next_offset > 0)) return b.next_offset > 0;
      if (a.file->status.size_bytes != b.file->status.size_bytes) {
        return a.file->status.size_bytes < b.file->status.size_bytes;
      }
      return a.file->id > b.file->id;
    }
  };

  template <typename Condition>
  void forget_if(const Condition& condition);
  [[nodiscard]] std::uint64_t piece_bytes(std::uint64_t offset, std::size_t frame_bytes,
                                          unsigned streams) const;
  void drop_stopped_large();
  std::optional<Work> next_piece(std::deque<SegmentWork>& pieces, std::size_t frame_bytes,
                                 unsigned streams);
  std::optional<Work> next_segment(std::size_t frame_bytes, unsigned streams);
  std::optional<Work> next_small(std::size_t frame_bytes, std::optional<unsigned> stream);
  using Files = std::deque<GivenFilePtr>;
  // Where this one is put.
  [[nodiscard]] Files& files_with(const GivenFile& file);
  // Where the stream's next small files are taken from; null when none waits.
  [[nodiscard]] Files* small_for(std::optional<unsigned> stream);
  void pop_small(Files& files);

  std::deque<SegmentWork> returned_;  // the last one first
  std::deque<SegmentWork> parts_;
  std::vector<Large> large_;       // heap
  std::uint64_t large_bytes_ = 0;  // of these three, not handed out
  Files small_;                    // no stream's own
  std::vector<Files> owned_;       // by stream
  std::uint64_t small_bytes_ = 0;  // of both
};

}  // namespace wormhole::transfer
