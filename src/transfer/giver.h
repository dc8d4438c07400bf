// The giving side of a session: walks what was asked for, announces it, hands out its data.
//
// Requests are walked one after another by one thread of the giver's own; announced files wait
// in the work queue (at once, or when the taker wants them) and the stream threads take from
// it. What is announced and not finished is bounded by the taker's credit: that is the only
// place where a slow taker makes the giver wait.
//
// on_*() are called by the thread that reads the first connection and never block. next() and
// friends are called by stream threads. One mutex, never held over I/O.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/result.h"
#include "platform/accounts.h"
#include "transfer/chunk_teller.h"
#include "transfer/control_writer.h"
#include "transfer/copy_guesses.h"
#include "transfer/data_sender.h"
#include "transfer/hard_links.h"
#include "transfer/shares.h"
#include "transfer/source_versions.h"
#include "transfer/stream_paces.h"
#include "transfer/work_queue.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Requests that stand at once in a session; more are refused.
inline constexpr std::size_t kRequestsMax = 16;

class Giver {
 public:
  // All outlive the giver. stop() (or the destructor) ends its thread.
  Giver(const Shares& shares, ControlWriter& control);
  ~Giver();
  Giver(const Giver&) = delete;
  Giver& operator=(const Giver&) = delete;

  // The taker finds out what several files have in common. `is_long_path`: their chunks are told
  // sooner than they would come, so that all files but the first are held back for it. Before its
  // first request.
  void find_copies(bool is_long_path) {
    finds_copies_ = true;
    holds_back_ = is_long_path;
  }

  // The taker makes hard links: other names of a file come as such. Before its first request.
  void tell_hard_links() { tells_hard_links_ = true; }

  // Told by the walker's thread how much was announced in all, as that grows. Before the first
  // request.
  void when_announced(std::function<void(std::uint64_t files, std::uint64_t bytes)> call) {
    when_announced_ = std::move(call);
  }

  // Told of each file when the first of its data is handed out, by the thread that will send it.
  // Before the first request.
  void when_begun(std::function<void(const GivenFile&)> call) { when_begun_ = std::move(call); }

  // kProtocol for a request id in use, a file that was not announced or not to be asked for.
  [[nodiscard]] Result<void> on_get(const wire::Get& get);
  [[nodiscard]] Result<void> on_list(const wire::List& list);
  [[nodiscard]] Result<void> on_want(const wire::Want& want);
  [[nodiscard]] Result<void> on_want_ranges(const wire::WantRanges& want);
  [[nodiscard]] Result<void> on_want_chunks(const wire::WantChunks& want);
  [[nodiscard]] Result<void> on_want_fine_chunks(const wire::WantFineChunks& want);
  [[nodiscard]] Result<void> on_credit(const wire::Credit& credit);
  [[nodiscard]] Result<void> on_again(const wire::Again& again);
  // The taker gave up one file (Failed in its direction), or is done with a whole request.
  void on_dropped(std::uint32_t request, std::uint64_t file);
  void on_cancel(std::uint32_t request);

  // Next piece of work for one of `streams` that share it, as `sender` may send it now; waits for
  // one. nullopt when `stream` is to end or the giver stopped.
  [[nodiscard]] std::optional<Work> next_waiting(unsigned stream, const DataSender& sender,
                                                 unsigned streams);
  // The same without waiting, for the first connection.
  [[nodiscard]] std::optional<Work> next_now(std::size_t frame_bytes, unsigned streams);
  void give_back(SegmentWork rest);
  // What `sender` has in hand would arrive sooner by the others.
  [[nodiscard]] bool comes_too_late(unsigned stream, const DataSender& sender);
  // True when that stream is to end after the frame in hand (EndStream, or the giver stopped).
  [[nodiscard]] bool is_ending(unsigned stream) const;
  void end_stream(unsigned stream);
  void stop();

  [[nodiscard]] GivenCounters& counters() { return counters_; }
  [[nodiscard]] const GivenCounters& counters() const { return counters_; }

 private:
  struct Request {
    std::uint32_t id = 0;
    std::string path;
    bool wants_data = true;  // Get, not List
    bool recursive = true;
    wire::Selection selection = {};
    wire::Keeps keeps = {};
    bool on_want_only = false;  // may_have: data follows on Want
    std::uint32_t credit = 0;   // entries that may still be announced
    std::uint64_t next_entry = 0;
    CopyGuesses copies;
    LinkedNames names;
    std::optional<std::uint64_t> first_reusable;  // leaves at once, where the others are held back
    std::uint64_t decided = 0;                    // entries below this are wanted or not, for good
    wire::Entries batch;                          // not yet pushed
    std::size_t batch_bytes = 0;
    // Announced files that may still be wanted, or asked for again.
    std::unordered_map<std::uint64_t, GivenFilePtr> announced;
  };
  class Walk;

  Result<void> add_request(Request request);
  // Tells of what has begun with it; without the mutex.
  [[nodiscard]] Work told(Work work) const;
  Request* find(std::uint32_t id);
  // Null when it was forgotten as done with: then the taker hears that it asked too late.
  GivenFilePtr announced(const Request& request, std::uint32_t id, std::uint64_t file);
  void run_walker();

  const Shares& shares_;
  ControlWriter& control_;
  const std::uint64_t cached_file_max_bytes_;
  const SourceVersions versions_;
  platform::Accounts accounts_;
  std::atomic<bool> finds_copies_ = false;
  std::atomic<bool> holds_back_ = false;
  std::atomic<bool> tells_hard_links_ = false;
  std::function<void(std::uint64_t, std::uint64_t)> when_announced_;
  std::function<void(const GivenFile&)> when_begun_;
  std::uint64_t announced_files_ = 0;  // the walker's, the next too
  std::uint64_t announced_bytes_ = 0;
  GivenCounters counters_;
  ChunkTeller teller_;

  mutable std::mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable walker_wake_;  // a request, credit, cancel or stop
  WorkQueue work_;
  StreamPaces paces_;
  std::deque<std::uint32_t> to_walk_;
  std::map<std::uint32_t, Request> requests_;
  std::uint32_t last_request_ = 0;
  std::size_t stopped_waiting_ = 0;   // dropped files since the queue was swept
  std::uint64_t ending_streams_ = 0;  // bit per stream
  bool stopped_ = false;
  std::thread walker_;
};

static_assert(kStreamsMax <= 64, "ending_streams_ has a bit per stream");

}  // namespace wormhole::transfer
