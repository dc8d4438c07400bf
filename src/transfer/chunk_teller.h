// Tells a taker which chunks its files are made of, and how parts of them are cut more finely:
// reads one after another, in a thread of its own, beside the streams that send what is wanted.
//
// add() and add_fine() by any thread, never block. What stands here is bounded by the credit, as
// each file is added once for either, and by what add_fine() refuses.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "transfer/chunk_scan.h"
#include "transfer/control_writer.h"
#include "transfer/given_file.h"

namespace wormhole::transfer {

class ChunkTeller {
 public:
  // Outlived by `control`.
  explicit ChunkTeller(ControlWriter& control) : control_(control) {}
  ~ChunkTeller();
  ChunkTeller(const ChunkTeller&) = delete;
  ChunkTeller& operator=(const ChunkTeller&) = delete;

  // Behind those that were added before. Passed over when it was stopped meanwhile.
  [[nodiscard]] Result<void> add(GivenFilePtr file);
  // The fine chunks of these ranges of it, which are not empty. kProtocol when more ranges stand
  // here than a taker has a use for.
  [[nodiscard]] Result<void> add_fine(GivenFilePtr file, std::vector<RangeSet::Range> ranges);
  // Of one file that is being read, no more than a block.
  void stop();

 private:
  struct Job {
    GivenFilePtr file;
    std::vector<RangeSet::Range> fine_ranges;  // none: all of the file, in chunks
  };

  // Messages have so many chunks, the first one and those later: they double.
  struct Together {
    std::size_t first;
    std::size_t most;
  };

  Result<void> push(Job job);  // with the mutex held
  void run();
  // False when the session is over.
  [[nodiscard]] bool tell(const Job& job, MutableBytes buffer);
  // The next three: an error is the file's.
  Result<bool> tell_chunks(GivenFile& file, MutableBytes buffer);
  Result<bool> tell_fine_chunks(const Job& job, MutableBytes buffer);
  // `is_last`: the file must be the announced version by the end of it.
  template <typename Message>
  Result<bool> tell_range(GivenFile& file, const platform::File& opened, ChunkScan& scan,
                          Together together, bool is_last, MutableBytes buffer);

  ControlWriter& control_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t fine_ranges_ = 0;  // of those
  std::atomic<bool> stopped_ = false;
  std::thread thread_;  // from the first file on
};

}  // namespace wormhole::transfer
