// This process: its secrets, its signals, its terminal, what it has used.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "platform/fd.h"

namespace wormhole::platform {

// Bytes from the kernel's generator (getrandom). Thread-safe.
class SystemRandom final : public Random {
 public:
  void fill(MutableBytes out) override;
};

// No core file, no ptrace by others of the same user, /proc/self owned by root
// (PR_SET_DUMPABLE 0). First thing in main.
void hide_from_other_processes();

// Takes the value of an environment variable and overwrites it in place: unsetenv alone leaves
// it readable in /proc/self/environ. Before threads start. nullopt when not set.
[[nodiscard]] std::optional<std::string> take_environment_secret(const char* name);

// Overwrites argv[index] from byte `from` on, in place, with 'x' (then NUL past the first):
// what /proc/self/cmdline shows from then on.
void overwrite_argument(char** argv, int index, std::size_t from);

// Readable when SIGINT, SIGTERM or SIGHUP arrived; a second SIGINT ends the process at once.
// SIGPIPE is ignored, and SIGXFSZ: a file that grows too long is an error. One per process, before
// threads start.
class StopSignals {
 public:
  [[nodiscard]] static Result<StopSignals> install();
  // Descriptor that polls readable from the first signal on.
  [[nodiscard]] int descriptor() const { return read_end_.get(); }
  // The signal that arrived, 0 if none.
  [[nodiscard]] int arrived() const;

 private:
  Fd read_end_;
};

// Threads that are started while it stands leave the signals that end or stop the process to the
// thread that starts them, which may have to hold them back for a while: read_secret_line().
class SignalsElsewhere {
 public:
  SignalsElsewhere();
  ~SignalsElsewhere();
  SignalsElsewhere(const SignalsElsewhere&) = delete;
  SignalsElsewhere& operator=(const SignalsElsewhere&) = delete;

 private:
  struct Mask;
  std::unique_ptr<Mask> before_;
};

// Before anything is opened: a standard descriptor that is closed would be given to the next file,
// and what is written to it would go there. Reading and writing them fails as it would have.
void hold_standard_descriptors();

// As many as the system lets this process have: sessions hold directories open, and the limit to
// begin with (1,024) is one for programs that select(2).
void raise_descriptor_limit();

// Memory that is free goes back to the system. The allocator keeps what a thread has freed for the
// threads that come after it, apart for each of as many as ever ran at once: a program that has one
// heavy piece of work after another calls it in between.
void give_back_free_memory();

struct Usage {
  double cpu_seconds = 0;            // user + system, all threads
  std::uint64_t peak_rss_bytes = 0;  // VmHWM: ru_maxrss would inherit the parent's
};
[[nodiscard]] Usage usage();

[[nodiscard]] unsigned processor_count();    // that this process may run on
[[nodiscard]] std::uint64_t memory_bytes();  // of the machine

// Something that this machine and user have and no other: machine-id(5), or where there is none
// what the kernel drew at boot. Not to be shown to anyone: hash it with a purpose.
[[nodiscard]] std::string machine_and_user();
// Which is read there.
inline constexpr std::array<const char*, 2> kMachineIdFiles = {"/etc/machine-id",
                                                               "/proc/sys/kernel/random/boot_id"};

[[nodiscard]] std::uint32_t user_id();  // as files' owners are named

// Where this user's programs keep what they can do without, by the XDG Base Directory
// Specification: $XDG_CACHE_HOME, else ~/.cache. Absolute; nullopt where neither is set.
[[nodiscard]] std::optional<std::string> cache_directory();
// Likewise what they keep from one run to the next: $XDG_STATE_HOME, else ~/.local/state.
[[nodiscard]] std::optional<std::string> state_directory();

// Writes all of it to standard output. Where that has no room the wait ends with kInterrupted once
// `stop` can be read; kLocalIo when nobody reads it any more.
[[nodiscard]] Result<void> write_standard_output(Bytes data, int stop);

// After the last of it: what a network file system finds out only when a file is closed.
[[nodiscard]] Result<void> flush_standard_output();

// Reads some of standard input; 0 at its end. kInterrupted once `stop` can be read.
[[nodiscard]] Result<std::size_t> read_standard_input(MutableBytes out, int stop);

// A new directory that only this user reaches, of a name that begins so. Its path.
[[nodiscard]] Result<std::string> make_temporary_directory(const std::string& prefix);

[[nodiscard]] bool is_terminal(int descriptor);
void drop_typed_ahead(int terminal);  // what nobody has read yet of what was typed
[[nodiscard]] unsigned terminal_columns(int descriptor);  // 80 when unknown
// Asks on the controlling terminal without echo, also when stdin and stdout are pipes; the
// echo is restored on every way out, signals included. kUsage when there is no terminal.
[[nodiscard]] Result<std::string> read_secret_line(std::string_view prompt);

// Reads a small file the user named that holds a secret: regular, at most 4 KiB, not through a
// symlink in its last component; trailing newline dropped.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path);
// Writes one with mode 0600, new: kExists if anything of that name is there.
[[nodiscard]] Result<void> write_secret_file(const std::string& path, std::string_view secret);

}  // namespace wormhole::platform
