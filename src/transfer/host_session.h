// The host's end of one session: answers requests, gives data on every stream it has, and takes
// what is put where that is allowed.
//
// Threads of its own: one reads the first connection, one writes it, one for each further
// stream, and those of the giver and of a put. add_stream() and stop() may be called by any thread;
// the destructor waits for all of them.
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
#include "store/user_secret.h"
#include "transfer/control_writer.h"
#include "transfer/giving_end.h"
#include "transfer/put_host.h"
#include "transfer/shares.h"
#include "transfer/watchdog.h"

namespace wormhole::transfer {

struct HostOptions {
  bool allow_plain = false;
  // A path is long from that round trip on (Giver::find_copies).
  Duration long_path = session::kLocalRoundTrip;
  WriteAccess access = {};
};

class HostSession {
 public:
  HostSession(const Shares& shares, BlockPool& pool, Codecs& codecs, const Clock& clock,
              Watchdog& watchdog, PutRuns& runs, const store::UserSecret& secret,
              const session::HostIdentity& identity, std::unique_ptr<session::Connection> first,
              const HostOptions& options, std::function<void()> on_over);
  ~HostSession();
  HostSession(const HostSession&) = delete;
  HostSession& operator=(const HostSession&) = delete;

  // Once, before anything else. kLimit: it cannot be served, and is to be destroyed.
  [[nodiscard]] Result<void> start();
  // Returned where no thread can be had for it.
  [[nodiscard]] std::unique_ptr<session::Connection> add_stream(
      std::unique_ptr<session::Connection> stream);
  // Ends everything under way.
  void stop();

  struct Status {
    platform::Address peer;
    std::uint64_t data_bytes = 0;
    std::uint64_t files = 0;
    std::uint64_t taken_bytes = 0;  // of what was put
    std::uint64_t taken_files = 0;
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
  struct Stream {
    std::unique_ptr<session::Connection> connection;  // null once it has ended in order
    std::thread thread;
  };

  void run_reader();
  void run_writer();
  void run_stream(Stream& stream);
  [[nodiscard]] std::size_t standing_streams() const;  // with the mutex held
  Result<void> read_requests();
  Result<void> on_message(wire::Message& message);
  Result<void> on_hello(const wire::Hello& hello);
  // A further stream, from its Join to its end.
  Result<void> serve(session::Connection& connection);
  Result<void> take_all(session::Connection& connection, Block& block);
  Result<void> on_data(const wire::FrameHeader& header, Block& block, bool on_first_connection);
  void end(Result<void> how);

  const HostOptions options_;
  BlockPool& pool_;
  Watchdog& watchdog_;
  const store::UserSecret& secret_;
  const session::HostIdentity& identity_;
  const std::function<void()> on_over_;
  const std::unique_ptr<session::Connection> first_;
  const platform::Address peer_;
  ControlWriter control_;
  GivingEnd giving_;
  PutHost put_;
  std::atomic<bool> plain_ = false;  // both ends asked for unencrypted data
  bool greeted_ = false;             // the reader's: Hello came

  mutable std::mutex mutex_;
  std::list<Stream> streams_;
  std::size_t streams_at_most_ = 0;
  std::uint64_t ended_wire_bytes_ = 0;  // of streams that ended and are closed
  std::optional<Result<void>> ending_;

  std::thread reader_;
  std::thread writer_;
};

}  // namespace wormhole::transfer
