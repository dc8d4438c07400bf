// Work on what is here already, beside what arrives: files that an earlier run left unfinished,
// and files of which another version is there.
//
// Files are added in the order of their announcement and worked on one by one, by one thread of
// the taker; any thread adds, tells chunks and says that something arrived. A mutex of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "transfer/reconstruction.h"
#include "transfer/taken_file.h"
#include "wire/messages.h"

namespace wormhole::transfer {

struct LocalWork {
  TakenFilePtr file;
  bool is_resumed = false;           // to be compared with its journal
  ReconstructionPtr reconstruction;  // then to be made from what is there; may be null
  std::uint64_t copy_of = 0;         // not before that file is in place or was given up; 0: at once
};

class LocalWorkQueue {
 public:
  void add(LocalWork work);
  [[nodiscard]] bool empty() const;
  // The file is complete or was given up.
  void forget(std::uint64_t file);
  // The same of an original: it stands there, or nowhere. Its copies are worked on next.
  void release_copies(std::uint64_t original, const std::optional<store::Place>& place);

  // Waits for some; nullopt after stop().
  [[nodiscard]] std::optional<LocalWork> next();
  // Files whose chunks the giver is to be asked for: that of `work`, and of what comes next as
  // many as it may read ahead, so that it need not wait for us to ask.
  [[nodiscard]] std::vector<std::uint64_t> chunks_to_ask_for(const LocalWork& work);
  // kProtocol for chunks that cannot be, or before any were asked for. Those of a file that was
  // forgotten meanwhile are thrown away.
  [[nodiscard]] Result<void> on_chunks(const wire::Chunks& chunks);

  // wait() returns when something was told or arrived since begin_wait(), or after stop().
  void begin_wait() { waits_ = true; }
  void wait();
  void progressed();

  void stop();

 private:
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable progressed_;
  std::deque<LocalWork> queue_;
  std::multimap<std::uint64_t, LocalWork> copies_;  // by the originals they wait for
  std::unordered_map<std::uint64_t, ReconstructionPtr> reconstructions_;  // by their files
  std::uint64_t asked_below_ = 0;  // files whose chunks were asked for have smaller numbers
  std::atomic<bool> waits_ = false;
  bool stopped_ = false;
};

}  // namespace wormhole::transfer
