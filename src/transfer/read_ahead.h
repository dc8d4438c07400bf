// Reads a file from its start to its end and says which chunks it is made of.
//
// Which chunks are to be expected can be told. Where one stands, no cut is looked for, which is two
// fifths of the work, and a thread of its own reads and hashes it while the one before is written.
// Only where a cut could be, or the file ends: else whoever tells could ask for any byte behind
// those that he knows, and the next scan would begin where no chunk does.
//
// next() and expect() by one thread. Memory: two buffers of 8.25 MiB. A file no longer than the
// longest chunk is read by next() itself, and so is any where no thread can be had.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/bytes.h"
#include "base/chunk.h"
#include "platform/file_system.h"
#include "store/chunker.h"
#include "store/hash.h"

namespace wormhole::transfer {

struct PlacedChunk {
  std::uint64_t offset = 0;
  Chunk chunk = {};

  [[nodiscard]] std::uint64_t end() const { return offset + chunk.length; }
  bool operator==(const PlacedChunk&) const = default;
};

class ReadAhead {
 public:
  // The first `size_bytes` of `file`.
  ReadAhead(std::shared_ptr<const platform::File> file, std::uint64_t size_bytes);
  // Waits for a chunk to be read, at most.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  struct Read {
    PlacedChunk placed;
    Bytes bytes;  // of the chunk; until the next call of next()
  };
  // Waits for the chunk that follows. nullopt: there is none, or what follows cannot be read.
  [[nodiscard]] std::optional<Read> next();
  // That chunk may stand there. What was expected before is forgotten, unless this follows it.
  void expect(const PlacedChunk& chunk);

 private:
  // Room for the longest chunk and a block.
  struct Slot {
    std::unique_ptr<std::byte[]> bytes;
    PlacedChunk placed;
    bool is_hashed = false;
  };

  // The next two: false when there is none.
  [[nodiscard]] bool wait_for_next();
  [[nodiscard]] bool make_here();
  void run();
  // For a reason to make one more chunk. False: for none any more.
  [[nodiscard]] bool wait_until_wanted();
  // The chunk at position_, into slot(made_), which nobody looks at. False: it cannot be read.
  [[nodiscard]] bool make();
  // The next two: its length. nullopt: it is not the one that is expected; it cannot be read.
  [[nodiscard]] std::optional<std::uint32_t> read_expected();
  [[nodiscard]] std::optional<std::uint32_t> cut();
  // So many bytes behind what is filled, a block at most.
  [[nodiscard]] bool read_on(std::size_t most);
  // With the mutex held.
  [[nodiscard]] bool is_expected();
  [[nodiscard]] Slot& slot(std::uint64_t number) { return slots_[number % slots_.size()]; }

  const std::shared_ptr<const platform::File> file_;
  const std::uint64_t size_bytes_;
  // The nth chunk is in slot n % 2: first of the thread, after ++made_ of next()'s caller.
  std::array<Slot, 2> slots_;
  std::uint64_t taken_ = 0;  // by next(), whose caller's it is

  // Of the thread.
  store::CutFinder cuts_;
  store::Hasher hasher_;        // of what is expected
  std::uint64_t position_ = 0;  // where the next chunk begins
  std::size_t filled_ = 0;      // of slot(made_), from there
  Bytes rest_;                  // in the slot before: what was read beyond its chunk

  std::mutex mutex_;
  std::condition_variable changed_;   // what follows, but for the thread itself
  std::uint64_t made_ = 0;            // chunks; only the thread writes it
  std::uint64_t done_ = 0;            // of those: not looked at any more
  std::deque<PlacedChunk> expected_;  // one behind the other
  bool is_waited_for_ = false;
  bool is_over_ = false;  // no more are made
  bool stopped_ = false;
  std::thread thread_;  // the last
};

}  // namespace wormhole::transfer
