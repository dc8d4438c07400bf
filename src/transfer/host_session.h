// The host's end of one session: answers requests, gives data on every stream it has.
//
// Threads of its own: one reads the first connection, one writes it, one for each further
// stream, and the giver's walker. add_stream() and stop() may be called by any thread; the
// destructor waits for all of them.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/block.h"
#include "base/result.h"
#include "session/connection.h"
#include "session/host_identity.h"
#include "transfer/control_writer.h"
#include "transfer/data_sender.h"
#include "transfer/giver.h"
#include "transfer/shares.h"
#include "transfer/watchdog.h"

namespace wormhole::transfer {

class HostSession {
 public:
  HostSession(const Shares& shares, BlockPool& pool, Codecs& codecs, const Clock& clock,
              Watchdog& watchdog, const session::HostIdentity& identity,
              std::unique_ptr<session::Connection> first, bool allow_plain, Duration long_path,
              std::function<void()> on_over);
  ~HostSession();
  HostSession(const HostSession&) = delete;
  HostSession& operator=(const HostSession&) = delete;

  void add_stream(std::unique_ptr<session::Connection> stream);
  // Ends everything under way.
  void stop();

  struct Status {
    platform::Address peer;
    std::uint64_t data_bytes = 0;
    std::uint64_t files = 0;
    std::uint64_t wire_bytes = 0;
    std::size_t streams = 1;  // at once, at most
  };
  [[nodiscard]] Status status() const;
  // Why it ended: nullopt while it stands; a value without error when the taker said Bye.
  [[nodiscard]] std::optional<Result<void>> ending() const;
  [[nodiscard]] const session::SessionId& id() const { return first_->session_id; }
  // Further streams that stand.
  [[nodiscard]] std::size_t streams() const;

 private:
  class FirstConnectionData;
  struct Stream {
    std::unique_ptr<session::Connection> connection;  // null once it has ended in order
    std::thread thread;
  };

  void run_reader();
  void run_writer();
  void run_stream(Stream& stream);
  [[nodiscard]] std::size_t standing_streams() const;  // with the mutex held
  Result<void> read_requests();
  Result<void> on_message(const wire::Message& message);
  // How this session's data may travel, once its Hello came.
  [[nodiscard]] DataSender make_sender(session::SealedWriter& writer);
  Result<void> give(session::Connection& connection);
  void end(Result<void> how);

  const bool allow_plain_;
  const Duration long_path_;
  BlockPool& pool_;
  Codecs& codecs_;
  const Clock& clock_;
  Watchdog& watchdog_;
  const session::HostIdentity& identity_;
  const std::function<void()> on_over_;
  const std::unique_ptr<session::Connection> first_;
  const platform::Address peer_;
  ControlWriter control_;
  Giver giver_;
  std::atomic<bool> plain_ = false;                    // both ends asked for unencrypted data
  std::atomic<bool> compression_ = false;              // the taker takes kCompressed
  std::atomic<unsigned> data_streams_ = 0;             // further streams that carry data
  std::atomic<std::uint64_t> further_sent_bytes_ = 0;  // by them, so far
  bool greeted_ = false;                               // the reader's: Hello came

  mutable std::mutex mutex_;
  std::list<Stream> streams_;
  std::size_t streams_at_most_ = 0;
  std::uint64_t ended_wire_bytes_ = 0;  // of streams that ended and are closed
  std::optional<Result<void>> ending_;

  std::thread reader_;
  std::thread writer_;
};

}  // namespace wormhole::transfer
