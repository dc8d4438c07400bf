#include "cli/joining.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

namespace wormhole::cli {
namespace {

constexpr std::chrono::milliseconds kTick{200};

}  // namespace

StopWatch::StopWatch(const platform::StopSignals& stop, std::function<void()> on_stop,
                     std::function<void()> on_tick)
    : stop_(stop), on_stop_(std::move(on_stop)), on_tick_(std::move(on_tick)) {
  auto waker = platform::Waker::make();
  if (waker.has_value()) waker_.emplace(std::move(*waker));
  thread_ = std::thread([this] { run(); });
}

StopWatch::~StopWatch() {
  ending_ = true;
  if (waker_.has_value()) waker_->wake();
  thread_.join();
}

void StopWatch::run() {
  bool told = false;
  while (!ending_) {
    std::array<platform::Watch, 2> watches;
    // Once told there is nothing more to wait for but the end.
    watches[0].descriptor = told ? -1 : stop_.descriptor();
    watches[1].descriptor = waker_.has_value() ? waker_->descriptor() : -1;
    if (!platform::wait_ready(watches, kTick).has_value()) return;
    if (!told && stop_.arrived() != 0) {
      told = true;
      on_stop_();
    }
    on_tick_();
  }
}

namespace {

// With Ctrl-C.
Result<void> connect(transfer::Client& client, const std::vector<platform::Address>& addresses,
                     const session::JoinCode& code, Environment& environment) {
  WH_TRY(client.connect(addresses, code, environment.stop.descriptor()));
  if (!environment.output.is_verbose()) return {};
  const session::Timeline& at = client.timeline();
  const auto since_start = [&](TimePoint then) {
    return std::chrono::duration<double, std::milli>(then - at.started).count();
  };
  environment.output.say(fmt::format(
      "connected after {:.1f} ms, keys exchanged after {:.1f} ms, authenticated after {:.1f} ms",
      since_start(at.connected), since_start(at.key_exchanged), since_start(at.authenticated)));
  return {};
}

}  // namespace

Result<Joined> join(const std::optional<std::string>& code_file, const Target& target,
                    Environment& environment, const ClientMaker& make_client) {
  WH_ASSIGN(auto addresses, platform::resolve(target.host, target.port));
  // Looking up a name cannot be interrupted.
  if (environment.stop.arrived() != 0) {
    return fail({.code = Code::kInterrupted, .operation = "connect", .object = target.host});
  }
  const bool asks = comes_from_prompt(environment.code, code_file);
  for (unsigned attempt = 1;; ++attempt) {
    WH_ASSIGN(const auto code, code_for_joining(environment.code, code_file));
    auto client = make_client();
    const auto connected = connect(*client, addresses, code, environment);
    if (connected.has_value()) {
      return Joined{std::move(client), std::move(addresses), code};
    }
    const Error& error = connected.error();
    if (error.code != Code::kWrongCode || !asks || attempt == kAttemptsMax) return fail(error);
    environment.output.error(error);
  }
}

Result<void> join_again(Joined& joined, Environment& environment, const ClientMaker& make_client) {
  joined.client = make_client();
  return connect(*joined.client, joined.addresses, joined.code, environment);
}

}  // namespace wormhole::cli
