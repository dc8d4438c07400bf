// What get and ls have in common: from TARGET and code to a connected client, with Ctrl-C and a
// prompt that may be answered wrongly.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/target.h"
#include "platform/readiness.h"
#include "transfer/client.h"

namespace wormhole::cli {

// A wrong code typed at the prompt may be typed again, so often in all: guesses cost the host's
// code, so nothing is ever retried by itself.
inline constexpr unsigned kAttemptsMax = 3;

// Calls `on_stop` once when a stop signal arrives; `on_tick` about five times a second.
class StopWatch {
 public:
  StopWatch(const platform::StopSignals& stop, std::function<void()> on_stop,
            std::function<void()> on_tick);
  ~StopWatch();
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

 private:
  void run();
  const platform::StopSignals& stop_;
  const std::function<void()> on_stop_;
  const std::function<void()> on_tick_;
  std::atomic<bool> ending_ = false;
  std::optional<platform::Waker> waker_;
  std::thread thread_;
};

// A client that is connected, and how to come back when its link is lost.
struct Joined {
  std::unique_ptr<transfer::Client> client;
  std::vector<platform::Address> addresses;
  session::JoinCode code;  // that was right
};
using ClientMaker = std::function<std::unique_ptr<transfer::Client>()>;

// Resolves, asks for the code, and joins. `make_client` makes a fresh one for each attempt.
[[nodiscard]] Result<Joined> join(const std::optional<std::string>& code_file, const Target& target,
                                  Environment& environment, const ClientMaker& make_client);
// Once more to the same host with the same code; takes the place of the client.
[[nodiscard]] Result<void> join_again(Joined& joined, Environment& environment,
                                      const ClientMaker& make_client);

}  // namespace wormhole::cli
