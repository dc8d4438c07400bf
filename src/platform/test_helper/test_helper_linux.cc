// A process for process_linux_test.cc to look at: `test_helper VERB ...`.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "platform/process.h"

namespace wormhole::platform {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// So that what was taken can be told without showing it.
std::string reversed(std::string text) {
  std::ranges::reverse(text);
  return text;
}

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int scrub(int argc, char** argv) {
  const auto secret = take_environment_secret("WORMHOLE_TEST_SECRET");
  const auto again = take_environment_secret("WORMHOLE_TEST_SECRET");
  const std::string argument = argc > 2 ? argv[2] : "";
  overwrite_argument(argv, 2, 7);  // behind "--code="
  say("env=" + reversed(secret.value_or("none")) + (again ? " twice" : "") + "\n");
  say("arg=" + reversed(argument) + "\n");
  say("cmdline=" + read_file("/proc/self/cmdline") + "\n");
  say("environ=" + read_file("/proc/self/environ") + "\n");
  return 0;
}

int hide() {
  hide_from_other_processes();
  rlimit core = {};
  ::getrlimit(RLIMIT_CORE, &core);
  say("dumpable=" + std::to_string(::prctl(PR_GET_DUMPABLE)) +
      " core=" + std::to_string(core.rlim_cur) + "/" + std::to_string(core.rlim_max) + "\n");
  return 0;
}

int wait_for_signal(bool stay) {
  const auto signals = StopSignals::install();
  if (!signals) return 1;
  say("ready " + std::to_string(signals->arrived()) + "\n");
  pollfd entry{.fd = signals->descriptor(), .events = POLLIN, .revents = 0};
  while (::poll(&entry, 1, -1) != 1) {
  }
  say("arrived " + std::to_string(signals->arrived()) + "\n");
  // NOLINTNEXTLINE(bugprone-infinite-loop): a signal ends it
  while (stay) ::pause();
  return 0;
}

int ask(bool with_stop_signals) {
  Result<StopSignals> signals = StopSignals();
  if (with_stop_signals) signals = StopSignals::install();
  const auto answer = read_secret_line("Code: ");
  const int arrived = with_stop_signals ? signals->arrived() : 0;
  say(answer ? "answer=" + *answer : "error=" + std::string(code_name(answer.error().code)));
  say(" arrived=" + std::to_string(arrived) + "\n");
  return 0;
}

}  // namespace
}  // namespace wormhole::platform

int main(int argc, char** argv) {
  using namespace wormhole::platform;
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "scrub") return scrub(argc, argv);
  if (verb == "hide") return hide();
  if (verb == "wait") return wait_for_signal(false);
  if (verb == "stay") return wait_for_signal(true);
  if (verb == "ask") return ask(false);
  if (verb == "ask-stoppable") return ask(true);
  return 2;
}
