#include "transfer/host.h"

#include <algorithm>

#include "base/limits.h"

namespace wormhole::transfer {

Host::Host(const Shares& shares, BlockPool& pool, const Clock& clock, bool allow_plain,
           HostEvents& events, std::function<void(const session::SessionId&)> forget)
    : shares_(shares),
      pool_(pool),
      allow_plain_(allow_plain),
      events_(events),
      forget_(std::move(forget)),
      watchdog_(clock),
      reaper_([this] { run_reaper(); }) {}

Host::~Host() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (const auto& [id, session] : sessions_) finished_.push_back(id);
  }
  over_.notify_all();
  reaper_.join();
}

std::size_t Host::blocks_left() const {
  std::size_t used = 0;
  for (const auto& [id, session] : sessions_) used += kSessionBlocks + session->streams_max();
  return kBlocksMax - std::min(used, kBlocksMax);
}

std::size_t Host::threads_left() const {
  std::size_t used = 0;
  for (const auto& [id, session] : sessions_) used += kSessionThreads + session->streams_max();
  return kStreamThreadsMax - std::min(used, kStreamThreadsMax);
}

void Host::on_session(std::unique_ptr<session::Connection> first) {
  const platform::Address peer = first->socket.peer();
  const session::SessionId id = first->session_id;
  {
    std::scoped_lock lock(mutex_);
    const std::size_t blocks = blocks_left();
    const std::size_t threads = threads_left();
    if (!stopping_ && blocks >= kSessionBlocks && threads >= kSessionThreads) {
      const std::size_t streams =
          std::min({blocks - kSessionBlocks, threads - kSessionThreads, kStreamsGrantedMax});
      HostSession::Options options{.allow_plain = allow_plain_,
                                   .streams_max = static_cast<unsigned>(streams)};
      sessions_[id] = std::make_unique<HostSession>(shares_, pool_, watchdog_, std::move(first),
                                                    options, [this, id] {
                                                      std::scoped_lock finished_lock(mutex_);
                                                      finished_.push_back(id);
                                                      over_.notify_all();
                                                    });
    }
  }
  if (first != nullptr) {
    forget_(id);
    events_.on_client_refused(peer);
  } else {
    events_.on_client(peer);
  }
}

void Host::on_stream(std::unique_ptr<session::Connection> stream) {
  std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(stream->session_id);
  if (found != sessions_.end()) found->second->add_stream(std::move(stream));
}

std::vector<HostSession::Status> Host::status() const {
  std::scoped_lock lock(mutex_);
  std::vector<HostSession::Status> all;
  all.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) all.push_back(session->status());
  return all;
}

void Host::run_reaper() {
  std::unique_lock lock(mutex_);
  while (true) {
    over_.wait(lock, [&] { return stopping_ || !finished_.empty(); });
    if (finished_.empty()) return;
    const session::SessionId id = finished_.front();
    finished_.pop_front();
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) continue;
    std::unique_ptr<HostSession> session = std::move(found->second);
    sessions_.erase(found);
    lock.unlock();
    session->stop();
    forget_(id);
    const auto ended = session->ending();
    events_.on_client_gone(session->status(), ended.value_or(Result<void>()));
    session.reset();  // joins its threads, which may want the mutex
    lock.lock();
  }
}

}  // namespace wormhole::transfer
