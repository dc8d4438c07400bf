// A sharing host: takes the sessions and streams that a listener authenticated, within the
// process's budget of threads and blocks.
//
// on_session() and on_stream() are the listener's thread; status() and stop() any. Sessions that
// are over are taken down by a thread of the host's own, which also calls HostEvents.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/block.h"
#include "base/clock.h"
#include "session/connection.h"
#include "session/host_identity.h"
#include "session/listener.h"
#include "store/user_secret.h"
#include "transfer/host_session.h"
#include "transfer/shares.h"
#include "transfer/watchdog.h"

namespace wormhole::transfer {

class HostEvents {
 public:
  virtual ~HostEvents() = default;
  virtual void on_client(const platform::Address& peer) = 0;
  // `ended` has no error when the client said goodbye.
  virtual void on_client_gone(const HostSession::Status& last, const Result<void>& ended) = 0;
  virtual void on_client_refused(const platform::Address& peer) = 0;  // no room, or no thread
};

class Host {
 public:
  // `forget` tells the listener that a session is over.
  Host(const Shares& shares, BlockPool& pool, const Clock& clock, const store::UserSecret& secret,
       const HostOptions& options, HostEvents& events,
       std::function<void(const session::SessionId&)> forget);
  // Stops all sessions and waits for them.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void on_session(std::unique_ptr<session::Connection> first);
  void on_stream(std::unique_ptr<session::Connection> stream);

  [[nodiscard]] std::vector<HostSession::Status> status() const;

 private:
  void run_reaper();

  const Shares& shares_;
  BlockPool& pool_;
  const Clock& clock_;
  Codecs codecs_;  // of all sessions
  const store::UserSecret& secret_;
  const session::HostIdentity identity_;
  const HostOptions options_;
  HostEvents& events_;
  const std::function<void(const session::SessionId&)> forget_;
  Watchdog watchdog_;
  PutRuns runs_;

  mutable std::mutex mutex_;
  std::condition_variable over_;
  std::map<session::SessionId, std::unique_ptr<HostSession>> sessions_;
  std::deque<session::SessionId> finished_;
  bool stopping_ = false;
  std::thread reaper_;
};

}  // namespace wormhole::transfer
