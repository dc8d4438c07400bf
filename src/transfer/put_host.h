// The host's end of a put: takes what a dialler gives into what is shared, as far as that may be
// written to.
//
// on_put() and on_message() are called by the thread that reads the first connection, on_frame() by
// every stream's, stop() by any. One put at a time in a session, with a thread of its own that
// tells the dialler how far it is. What goes wrong with a put ends that and is told; only a broken
// protocol is an error here.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "store/index.h"
#include "transfer/codecs.h"
#include "transfer/control_writer.h"
#include "transfer/put_runs.h"
#include "transfer/receiver_slot.h"
#include "transfer/shares.h"
#include "transfer/taker.h"
#include "transfer/version_names.h"

namespace wormhole::transfer {

// What clients may do to what is shared.
enum class Writing {
  kNone,
  kAdds,  // and nothing else: not even see what is there
  kAll,
};

struct WriteAccess {
  Writing writing = Writing::kNone;
  // Of what was put and fetched here before. Of its files only those below the share are used: a
  // client must not find out what else is here by what it need not send. Null: there is none.
  store::Index* index = nullptr;
};

class PutHost {
 public:
  // All outlive it. `end_session` ends all that this is part of; any thread may call it.
  PutHost(const Shares& shares, WriteAccess access, PutRuns& runs, ControlWriter& control,
          Codecs& codecs, const Clock& clock, std::function<void()> end_session);
  ~PutHost();
  PutHost(const PutHost&) = delete;
  PutHost& operator=(const PutHost&) = delete;

  // The dialler has proven who it is: its versions have names. Before its first put.
  void name_versions(VersionNames names) { version_names_.emplace(names); }

  [[nodiscard]] Result<void> on_put(const wire::Put& put);
  // False: no message for a taker.
  [[nodiscard]] Result<bool> on_message(wire::Message& message);
  [[nodiscard]] Result<void> on_frame(const wire::FrameHeader& header, Block& block,
                                      bool on_first_connection);
  // What is under way ends.
  void stop(const Error& why);
  // After stop(), when no message and no frame comes any more: nobody calls `end_session` after it.
  void wait_for_end();

  // Over all puts.
  [[nodiscard]] std::uint64_t taken_bytes() const;
  [[nodiscard]] std::uint64_t taken_files() const;

 private:
  // One put, from its first message to its last.
  class Run;

  Result<TakeOptions> options_of(const wire::Put& put) const;
  Result<Destination> destination_of(const std::string& path) const;
  void refuse(std::uint32_t request, const Error& why);
  // Of this one's doing only a broken protocol is passed on; anything else ends the put.
  Result<void> absorb(const Result<void>& result);

  const Shares& shares_;
  const WriteAccess access_;
  PutRuns& runs_;
  ControlWriter& control_;
  Codecs& codecs_;
  const Clock& clock_;
  const std::function<void()> end_session_;
  std::optional<VersionNames> version_names_;
  std::uint32_t request_ = 0;  // the last one; the reader's
  ReceiverSlot slot_;

  mutable std::mutex mutex_;
  std::unique_ptr<Run> run_;
  std::optional<Error> stopped_;
  std::uint64_t ended_bytes_ = 0;
  std::uint64_t ended_files_ = 0;
};

}  // namespace wormhole::transfer
