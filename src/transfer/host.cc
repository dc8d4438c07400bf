#include "transfer/host.h"

#include <algorithm>

#include "base/limits.h"
#include "platform/process.h"

namespace wormhole::transfer {

Host::Host(const Shares& shares, BlockPool& pool, const Clock& clock,
           const store::UserSecret& secret, const HostOptions& options, HostEvents& events,
           std::function<void(const session::SessionId&)> forget)
    : shares_(shares),
      pool_(pool),
      clock_(clock),
      secret_(secret),
      identity_(secret.key(session::kIdentityPurpose)),
      options_(options),
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

void Host::on_session(std::unique_ptr<session::Connection> first) {
  const platform::Address peer = first->socket.peer();
  const session::SessionId id = first->session_id;
  std::unique_ptr<HostSession> unable;  // destroyed without the mutex, which its end takes
  {
    std::scoped_lock lock(mutex_);
    if (!stopping_ && sessions_.size() < kSessionsServedMax) {
      const auto on_over = [this, id] {
        std::scoped_lock finished_lock(mutex_);
        finished_.push_back(id);
        over_.notify_all();
      };
      sessions_[id] =
          std::make_unique<HostSession>(shares_, pool_, codecs_, clock_, watchdog_, runs_, secret_,
                                        identity_, std::move(first), options_, on_over);
      if (!sessions_[id]->start().has_value()) {
        unable = std::move(sessions_[id]);
        sessions_.erase(id);
      }
    }
  }
  if (first != nullptr || unable != nullptr) {
    forget_(id);
    events_.on_client_refused(peer);
  } else {
    events_.on_client(peer);
  }
}

// No session holds more streams than it leaves free: however many the first one wants, something
// is left for the next. One that is not let in is ended at once, under seal: a connection that
// merely breaks must never pass for that, or what was under way on it would be missed by nobody.
void Host::on_stream(std::unique_ptr<session::Connection> stream) {
  std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(stream->session_id);
  if (found == sessions_.end()) return;
  std::size_t standing = 0;
  for (const auto& [id, session] : sessions_) standing += session->streams();
  if (found->second->streams() < kFurtherStreamsMax - standing) {
    stream = found->second->add_stream(std::move(stream));
    if (stream == nullptr) return;
  }
  BlockPool one(1);  // the streams' own are taken
  Block block = one.acquire();
  // If it cannot be told, the client learns of a broken stream: its session ends.
  static_cast<void>(stream->writer->send({.type = wire::FrameType::kEndStream}, block));
  stream->socket.finish_sending();
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
    platform::give_back_free_memory();
    lock.lock();
  }
}

}  // namespace wormhole::transfer
