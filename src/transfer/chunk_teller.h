// Tells a taker which chunks its files are made of: reads them one after another, in a thread of
// its own, beside the streams that send what is wanted.
//
// add() by any thread, never blocks. What stands here is bounded by the credit, as each file is
// added once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

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
  void add(GivenFilePtr file);
  // Of one file that is being read, no more than a block.
  void stop();

 private:
  void run();
  // False when the session is over.
  [[nodiscard]] bool tell(GivenFile& file, MutableBytes buffer);
  // The chunks of one message; an error of the file's.
  Result<bool> tell_all(GivenFile& file, MutableBytes buffer);

  ControlWriter& control_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<GivenFilePtr> files_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;  // from the first file on
};

}  // namespace wormhole::transfer
