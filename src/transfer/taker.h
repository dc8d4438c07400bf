// The taking side of a session: reads streams, and puts what arrives into a tree.
//
// One request at a time, with the threads of Receiver. Control to the giver goes through the
// control writer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/block.h"
#include "base/clock.h"
#include "base/result.h"
#include "transfer/codecs.h"
#include "transfer/control_writer.h"
#include "transfer/receiver.h"
#include "transfer/tree_builder.h"
#include "wire/messages.h"

namespace wormhole::transfer {

class Taker final : public Receiver {
 public:
  Taker(std::uint32_t request, const TakeOptions& options, TakerEvents& events,
        TakenCounters& counters, ControlWriter& control, const Clock& clock);
  ~Taker() override;
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

  [[nodiscard]] Result<void> on_message(const wire::Message& message) override;
  [[nodiscard]] Result<void> on_frame(const wire::FrameHeader& received, Block& block,
                                      bool on_first_connection) override;

  // Waits until the request is complete or fail_with() was called; returns how it ended.
  [[nodiscard]] Result<void> wait();
  // The same, no longer than that: nullopt when it goes on.
  [[nodiscard]] std::optional<Result<void>> wait_for(Duration duration);
  void fail_with(Error error) override;
  [[nodiscard]] bool is_over() const override;
  // The host refused the request as a whole.
  [[nodiscard]] bool was_refused() const { return was_refused_; }
  // Its own thread is gone when this returns.
  void stop_local_work();
  // After all streams have stopped: removes what is half there, or keeps it for the next run.
  void abandon();

  // Compressed data is accepted only if this end asked for it.
  void allow_compressed(Codecs& codecs);

  [[nodiscard]] std::optional<TimePoint> first_byte() const;
  [[nodiscard]] std::uint64_t taken_bytes() const override { return counters_.bytes; }
  [[nodiscard]] std::optional<std::uint64_t> left_bytes() const override;
  [[nodiscard]] std::string shown_root() const { return tree_.shown_root(); }

 private:
  Result<void> on_pack(Bytes payload, bool on_first_connection);
  Result<void> on_damaged(const wire::FrameHeader& header, bool on_first_connection);
  void after_progress();
  // Works on what is here already while the rest is under way.
  void run_local_work();
  Result<void> work_on(const LocalWork& work);
  Result<void> rebuild(const LocalWork& work);

  const std::uint32_t request_;
  TreeBuilder tree_;
  const TakenCounters& counters_;
  ControlWriter& control_;
  const Clock& clock_;
  const bool may_have_;
  std::atomic<bool> was_refused_ = false;
  Codecs* codecs_ = nullptr;

  std::atomic<std::uint32_t> unreturned_credit_ = 0;
  std::atomic<TimePoint::rep> first_byte_ = 0;  // since the clock's epoch; 0: none yet

  mutable std::mutex mutex_;
  std::condition_variable over_;
  bool complete_ = false;
  std::optional<Error> error_;
  std::thread local_work_;  // from the first file on that may be here in part
};

}  // namespace wormhole::transfer
