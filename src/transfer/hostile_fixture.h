// For tests: a real client in the hands of a test, a real host beside it, and a look at what
// stands on disk.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "platform/test_directory.h"
#include "transfer/client.h"
#include "transfer/host.h"
#include "transfer/hostile_peer.h"

namespace wormhole::transfer::testing {

// Everything below `root`: "d/" -> "", "f" -> its content, "l" -> "-> target".
[[nodiscard]] std::map<std::string, std::string> tree_of(const std::filesystem::path& root);

// What no attack may reach, the same for all: so the table is made once.
[[nodiscard]] const std::string& outside();

class Failures final : public TakerEvents {
 public:
  void on_failed(const std::string& path, const Error& error) override {
    const std::scoped_lock lock(mutex_);
    failed_.emplace(path, error.code);
  }
  void on_file(const std::string& /*path*/) override {}
  [[nodiscard]] std::map<std::string, Code> all() const {
    const std::scoped_lock lock(mutex_);
    return failed_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Code> failed_;
};

// A client that joins one host and fetches or lists, as the command does.
class Victim {
 public:
  explicit Victim(const platform::Address& address, ClientOptions options = {.streams = 2});

  Result<void> get(const std::string& destination, const std::string& path = "",
                   bool overwrite = false, wire::Keeps keeps = {});
  Result<void> list();
  Result<void> put(const wire::Put& put);

  [[nodiscard]] Client& client() { return client_; }
  [[nodiscard]] const TakenCounters& counters() const { return counters_; }
  [[nodiscard]] std::map<std::string, Code> failed() const { return failures_.all(); }

 private:
  const SystemClock clock_;
  platform::SystemRandom random_;
  BlockPool pool_;
  Client client_;
  TakenCounters counters_;
  Failures failures_;
};

// A real host on loopback.
class HonestHost final : public session::ListenerEvents, public HostEvents {
 public:
  explicit HonestHost(const std::vector<std::string>& paths, const HostOptions& options = {});
  ~HonestHost() override;
  HonestHost(const HonestHost&) = delete;
  HonestHost& operator=(const HonestHost&) = delete;

  [[nodiscard]] const platform::Address& address() const { return address_; }
  // How the next session ended.
  [[nodiscard]] Result<void> next_ending();
  // An authenticated connection that has not said Hello yet.
  [[nodiscard]] std::unique_ptr<Peer> join();
  // A further stream of it, its Join not sent.
  [[nodiscard]] std::unique_ptr<Peer> add_stream(Peer& first, unsigned number);

  void on_session(std::unique_ptr<session::Connection> first) override {
    host_->on_session(std::move(first));
  }
  void on_stream(std::unique_ptr<session::Connection> stream) override {
    host_->on_stream(std::move(stream));
  }
  void on_wrong_code(const platform::Address& /*from*/, unsigned /*left*/) override {}
  void on_code_retired(const session::JoinCode* /*next*/) override {}
  void on_client(const platform::Address& /*peer*/) override {}
  void on_client_gone(const HostSession::Status& /*last*/, const Result<void>& ended) override {
    EXPECT_TRUE(endings_.try_push(ended));
  }
  void on_client_refused(const platform::Address& /*peer*/) override {}

 private:
  const SystemClock clock_;
  platform::SystemRandom random_;
  BlockPool pool_;
  session::CodeBook codes_;
  const Shares shares_;
  platform::Address address_;
  BoundedQueue<Result<void>> endings_{1024};
  std::unique_ptr<session::Listener> listener_;
  std::unique_ptr<Host> host_;
  std::thread thread_;
};

}  // namespace wormhole::transfer::testing
