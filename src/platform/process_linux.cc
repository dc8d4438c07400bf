// This process: randomness, what others see of it, what it has used.
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/check.h"
#include "base/units.h"
#include "platform/process.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {
namespace {

double to_seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// proc(5): "VmHWM:      1234 kB". 0 where it is not told.
std::uint64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    std::uint64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * kKiB;
  }
  return 0;
}

// Before threads that change the environment: there are none.
std::optional<std::string> base_directory(const char* variable, std::string_view below_home) {
  const char* named = std::getenv(variable);
  if (named != nullptr && named[0] == '/') return named;  // others are to be ignored
  const char* home = std::getenv("HOME");
  if (home == nullptr || home[0] != '/') return std::nullopt;
  return home + std::string(below_home);
}

}  // namespace

void SystemRandom::fill(MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = retry([&] { return ::getrandom(out.data(), out.size(), 0); });
    WH_CHECK(got > 0);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void hold_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    // The lowest number is taken, which is this one. Not for what it would be used for.
    static_cast<void>(::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

void raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void hide_from_other_processes() {
  // Neither can fail with these arguments.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

std::optional<std::string> take_environment_secret(const char* name) {
  const std::size_t name_bytes = std::strlen(name);
  std::optional<std::string> secret;
  // All entries of that name, as unsetenv() drops all; the first is the one getenv() gives.
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, name_bytes) != 0 || (*entry)[name_bytes] != '=') continue;
    char* value = *entry + name_bytes + 1;
    if (!secret) secret = value;
    ::explicit_bzero(value, std::strlen(value));
  }
  ::unsetenv(name);
  return secret;
}

void overwrite_argument(char** argv, int index, std::size_t from) {
  char* argument = argv[index];
  const std::size_t bytes = std::strlen(argument);
  if (from >= bytes) return;
  ::explicit_bzero(argument + from, bytes - from);
  argument[from] = 'x';
}

Usage usage() {
  Usage used;
  rusage self = {};
  if (::getrusage(RUSAGE_SELF, &self) == 0) {
    used.cpu_seconds = to_seconds(self.ru_utime) + to_seconds(self.ru_stime);
  }
  used.peak_rss_bytes = peak_rss_bytes();
  return used;
}

std::uint64_t memory_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::string> cache_directory() { return base_directory("XDG_CACHE_HOME", "/.cache"); }

std::optional<std::string> state_directory() {
  return base_directory("XDG_STATE_HOME", "/.local/state");
}

std::string machine_and_user() {
  std::string id;
  for (const char* path : kMachineIdFiles) {
    std::ifstream file(path);
    if (std::getline(file, id) && !id.empty()) break;
  }
  return id + "," + std::to_string(::geteuid());
}

void give_back_free_memory() { ::malloc_trim(0); }

std::uint32_t user_id() { return ::geteuid(); }

unsigned processor_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    return static_cast<unsigned>(std::max(CPU_COUNT(&allowed), 1));
  }
  // More processors than cpu_set_t has bits.
  return std::max(std::thread::hardware_concurrency(), 1u);
}

}  // namespace wormhole::platform
