// Work on what is here already, beside what arrives: files that an earlier run left unfinished,
// and files of which another version is there.
//
// Files are added in the order of their announcement and worked on one by one, by one thread of
// the taker; copies of a file that is still on its way wait for that one, and what only waits for
// fine chunks lets others pass; any thread adds, tells chunks and says that something arrived. A
// mutex of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
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
  // While it waits for a lender, and until its turn has come after that: something of it was asked
  // for, and the chunks that it remembers.
  bool is_begun = false;
  std::size_t kept_chunks = 0;
};

class LocalWorkQueue {
 public:
  void add(LocalWork work);
  [[nodiscard]] bool empty() const;
  // The file is complete or was given up: nothing is left to do of it. True: copies wait for it,
  // and release_copies() is to be called.
  [[nodiscard]] bool forget(std::uint64_t file);
  // The same file stands there, or nowhere. Then the first of the copies, which is returned, is
  // asked for whole, and the others wait for it. 0: there is no such file.
  std::uint64_t release_copies(std::uint64_t original, const std::optional<store::Place>& place);
  // They wait for that file instead.
  void redirect_copies(std::uint64_t original, std::uint64_t other);

  // Waits for some; nullopt after stop().
  [[nodiscard]] std::optional<LocalWork> next();
  // Files whose chunks the giver is to be asked for: that of `work`, and of what comes next as
  // many as it may read ahead, so that it need not wait for us to ask.
  [[nodiscard]] std::vector<std::uint64_t> chunks_to_ask_for(const LocalWork& work);
  // kProtocol for chunks that cannot be, or before any were asked for. Those of a file that was
  // forgotten meanwhile are thrown away.
  [[nodiscard]] Result<void> on_chunks(const wire::Chunks& chunks);

  // Its turn comes again, before any other's, when all fine chunks of it are told. False: too much
  // waits for that already, or nothing is to be waited for any more.
  [[nodiscard]] bool pause(const ReconstructionPtr& reconstruction);
  // Its turn comes again, before any other's, when `lender` is over, or release() says so. False:
  // too many that have begun to arrive wait already, or for too much.
  [[nodiscard]] bool wait_for_lender(LocalWork work, std::uint64_t lender, bool is_begun);
  // One more may do so that has begun to arrive.
  [[nodiscard]] bool may_wait_begun() const;
  // Whoever waits for it.
  void release(std::uint64_t lender);

  // As on_chunks().
  [[nodiscard]] Result<void> on_fine_chunks(const wire::FineChunks& chunks);

  // wait() returns when something was told or arrived since begin_wait(), or after stop().
  void begin_wait() { waits_ = true; }
  void wait();
  void progressed();

  void stop();

 private:
  // Null: forgotten. kProtocol when nothing was asked for.
  [[nodiscard]] Result<ReconstructionPtr> asked_for(std::uint64_t file) const;
  // With the mutex held, the next seven.
  void push(LocalWork work, bool in_front);
  void drop(std::uint64_t file);
  bool end_pause(std::uint64_t file);
  std::vector<LocalWork> take_copies(std::uint64_t original);
  void wait_for(std::uint64_t original, LocalWork copy);
  void release_borrowers(std::uint64_t lender);
  // It waits no more, nor its turn.
  void uncount(LocalWork& work);

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable progressed_;
  // Everything that waits for its turn: in the queue by its place there, copies by their originals.
  std::map<std::int64_t, LocalWork> queue_;
  std::multimap<std::uint64_t, LocalWork> copies_;
  // What waits for chunks of another file, or for all else of itself, by that file.
  std::multimap<std::uint64_t, LocalWork> borrowers_;
  std::size_t begun_borrowers_ = 0;  // those in the queue again included
  std::size_t kept_chunks_ = 0;      // likewise
  struct Waiting {
    std::int64_t place = 0;
    std::uint64_t original = 0;                // 0: in the queue
    std::optional<std::uint64_t> lender = {};  // then neither
  };
  std::unordered_map<std::uint64_t, Waiting> waiting_;  // by their files
  std::int64_t front_ = 0;                              // before the first of the queue
  std::int64_t back_ = 0;                               // its last
  std::unordered_map<std::uint64_t, ReconstructionPtr> reconstructions_;  // by their files
  std::uint64_t asked_below_ = 0;  // files whose chunks were asked for have smaller numbers
  std::unordered_map<std::uint64_t, ReconstructionPtr> paused_;  // likewise
  std::uint64_t paused_bytes_ = 0;                               // looked at more finely
  std::atomic<bool> waits_ = false;
  bool stopped_ = false;
};

}  // namespace wormhole::transfer
