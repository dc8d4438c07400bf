// This process and its secrets, seen from outside: through a helper process.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/units.h"
#include "platform/process.h"
#include "platform/test_directory.h"

namespace wormhole::platform {
namespace {

namespace fs = std::filesystem;

// Reads up to and including `end`, or all there is.
std::string read_until(int descriptor, std::string_view end) {
  std::string text;
  char byte = 0;
  while (!text.ends_with(end) || end.empty()) {
    const ssize_t got = ::read(descriptor, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text += byte;
  }
  return text;
}

// The helper, with its output in a pipe; with a terminal if one is given.
class Helper {
 public:
  explicit Helper(std::vector<std::string> arguments, const std::string& terminal = {}) {
    int ends[2];
    WH_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    output_ = Fd(ends[0]);
    const Fd write_end(ends[1]);
    arguments.insert(arguments.begin(), WORMHOLE_TEST_HELPER);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    WH_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::setsid();  // without a terminal, unless one is opened
      if (!terminal.empty()) ::open(terminal.c_str(), O_RDWR);
      ::dup2(write_end.get(), STDOUT_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~Helper() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  [[nodiscard]] int output() const { return output_.get(); }
  void signal(int number) const { ASSERT_EQ(::kill(pid_, number), 0); }
  // The status of waitpid.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  Fd output_;
  pid_t pid_ = -1;
};

TEST(Process, SecretsLeaveArgvAndEnvironment) {
  ::setenv("WORMHOLE_TEST_SECRET", "4821-marble-anchor", 1);
  ::setenv("WORMHOLE_TEST_SECRET_NOT", "kept", 1);
  Helper helper({"scrub", "--code=7117-tulip-walnut", "last"});
  ::unsetenv("WORMHOLE_TEST_SECRET");
  ::unsetenv("WORMHOLE_TEST_SECRET_NOT");
  const std::string seen = read_until(helper.output(), "");
  EXPECT_EQ(helper.wait(), 0);

  EXPECT_NE(seen.find("env=rohcna-elbram-1284\n"), std::string::npos);  // taken, once
  EXPECT_NE(seen.find("arg=tunlaw-pilut-7117=edoc--\n"), std::string::npos);
  for (const char* part : {"4821", "marble", "anchor", "7117-", "tulip", "walnut"}) {
    EXPECT_EQ(seen.find(part), std::string::npos) << part;
  }
  // Nothing else is touched.
  using namespace std::string_literals;
  EXPECT_NE(seen.find("\0--code=x\0"s), std::string::npos);
  EXPECT_NE(seen.find("\0last\0"s), std::string::npos);
  EXPECT_NE(seen.find("WORMHOLE_TEST_SECRET_NOT=kept"), std::string::npos);
}

TEST(Process, OverwritingPastTheEndDoesNothing) {
  char argument[] = "--code=";
  char* argv[] = {argument, nullptr};
  overwrite_argument(argv, 0, 7);
  EXPECT_STREQ(argument, "--code=");
  overwrite_argument(argv, 0, 100);
  EXPECT_STREQ(argument, "--code=");
  overwrite_argument(argv, 0, 6);
  EXPECT_STREQ(argument, "--codex");
}

TEST(Process, AMissingSecretIsNone) {
  EXPECT_EQ(take_environment_secret("WORMHOLE_TEST_NEVER_SET"), std::nullopt);
  ::setenv("WORMHOLE_TEST_EMPTY", "", 1);
  EXPECT_EQ(take_environment_secret("WORMHOLE_TEST_EMPTY"), "");
  EXPECT_EQ(::getenv("WORMHOLE_TEST_EMPTY"), nullptr);
}

TEST(Process, HidesFromOthers) {
  Helper helper({"hide"});
  EXPECT_EQ(read_until(helper.output(), ""), "dumpable=0 core=0/0\n");
  EXPECT_EQ(helper.wait(), 0);
}

TEST(SystemRandom, FillsEveryByte) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int round = 0; round < 100; ++round) {
    ByteVector bytes(32);
    random.fill(bytes);
    seen.emplace(as_text(bytes));
  }
  EXPECT_EQ(seen.size(), 100u);
  // More than one getrandom call gives at once; a byte that is never written stays 0.
  ByteVector large(kMiB);
  random.fill(large);
  for (std::size_t at = 0; at + 64 <= large.size(); at += 64) {
    const auto part = Bytes(large).subspan(at, 64);
    ASSERT_TRUE(std::ranges::any_of(part, [](std::byte byte) { return byte != std::byte{0}; }));
  }
  random.fill({});
}

TEST(StopSignals, TheFirstIsTold) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Helper helper({"wait"});
    EXPECT_EQ(read_until(helper.output(), "\n"), "ready 0\n");
    helper.signal(SIGPIPE);  // ignored
    helper.signal(signal);
    EXPECT_EQ(read_until(helper.output(), "\n"), "arrived " + std::to_string(signal) + "\n");
    EXPECT_EQ(helper.wait(), 0);
  }
}

TEST(StopSignals, ASecondInterruptEndsAtOnce) {
  Helper helper({"stay"});
  EXPECT_EQ(read_until(helper.output(), "\n"), "ready 0\n");
  helper.signal(SIGINT);
  EXPECT_EQ(read_until(helper.output(), "\n"), "arrived 2\n");
  helper.signal(SIGTERM);  // a second of another kind is not an end
  helper.signal(SIGINT);
  const int status = helper.wait();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
}

// A terminal whose far side the test holds.
class TestTerminal {
 public:
  TestTerminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    WH_CHECK(::grantpt(master_.get()) == 0 && ::unlockpt(master_.get()) == 0);
    path_ = ::ptsname(master_.get());
    // Held open, so that its settings outlive the helper.
    slave_ = Fd(::open(path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    WH_CHECK(static_cast<bool>(slave_));
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return slave_.get(); }
  [[nodiscard]] bool echoes() const {
    termios settings = {};
    EXPECT_EQ(::tcgetattr(slave_.get(), &settings), 0);
    return (settings.c_lflag & ECHO) != 0;
  }
  void type(std::string_view text) const {
    EXPECT_EQ(::write(master_.get(), text.data(), text.size()), ssize_t(text.size()));
  }
  std::string shown_until(std::string_view end) const { return read_until(master_.get(), end); }

 private:
  Fd master_;
  Fd slave_;
  std::string path_;
};

TEST(ReadSecretLine, AsksWithoutEcho) {
  const TestTerminal terminal;
  EXPECT_TRUE(terminal.echoes());
  Helper helper({"ask"}, terminal.path());
  EXPECT_EQ(terminal.shown_until(": "), "Code: ");
  EXPECT_FALSE(terminal.echoes());
  terminal.type("4821-marble\n");
  EXPECT_EQ(read_until(helper.output(), ""), "answer=4821-marble arrived=0\n");
  EXPECT_EQ(helper.wait(), 0);
  EXPECT_TRUE(terminal.echoes());
  EXPECT_EQ(terminal.shown_until("\n"), "\r\n");  // the line's end alone
}

TEST(ReadSecretLine, AnEmptyLineIsAnAnswerTheEndIsNot) {
  const TestTerminal terminal;
  for (const auto& [typed, told] : std::vector<std::pair<std::string, std::string>>{
           {"\n", "answer= arrived=0\n"}, {"\x04", "error=interrupted arrived=0\n"}}) {
    Helper helper({"ask"}, terminal.path());
    terminal.shown_until("Code: ");
    terminal.type(typed);
    EXPECT_EQ(read_until(helper.output(), ""), told);
    EXPECT_EQ(helper.wait(), 0);
    EXPECT_TRUE(terminal.echoes());
  }
}

TEST(ReadSecretLine, AnInterruptRestoresTheEchoThenStrikes) {
  const TestTerminal terminal;
  Helper helper({"ask"}, terminal.path());
  terminal.shown_until("Code: ");
  EXPECT_FALSE(terminal.echoes());
  terminal.type("\x03");
  const int status = helper.wait();
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
  EXPECT_TRUE(terminal.echoes());
}

TEST(ReadSecretLine, AHandledInterruptIsAnError) {
  const TestTerminal terminal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Helper helper({"ask-stoppable"}, terminal.path());
    terminal.shown_until("Code: ");
    helper.signal(signal);
    EXPECT_EQ(read_until(helper.output(), ""),
              "error=interrupted arrived=" + std::to_string(signal) + "\n");
    EXPECT_EQ(helper.wait(), 0);
    EXPECT_TRUE(terminal.echoes());
  }
}

TEST(ReadSecretLine, AsksAgainAfterAStop) {
  const TestTerminal terminal;
  Helper helper({"ask"}, terminal.path());
  terminal.shown_until("Code: ");
  terminal.type("\x1A");  // Ctrl-Z; the helper leads its session, so it goes on at once
  terminal.shown_until("Code: ");
  EXPECT_FALSE(terminal.echoes());
  terminal.type("word\n");
  EXPECT_EQ(read_until(helper.output(), ""), "answer=word arrived=0\n");
  EXPECT_EQ(helper.wait(), 0);
}

TEST(ReadSecretLine, NeedsATerminal) {
  Helper helper({"ask"});
  EXPECT_EQ(read_until(helper.output(), ""), "error=usage arrived=0\n");
}

TEST(Terminal, IsToldApartAndMeasured) {
  const TestTerminal terminal;
  const TestDirectory temp;
  const auto file = temp.open().open_partial("f");
  EXPECT_TRUE(is_terminal(terminal.descriptor()));
  EXPECT_FALSE(is_terminal(file->descriptor()));
  EXPECT_FALSE(is_terminal(-1));
  EXPECT_EQ(terminal_columns(file->descriptor()), 80u);
  EXPECT_EQ(terminal_columns(terminal.descriptor()), 80u);  // its size was never set
  const winsize size = {.ws_row = 10, .ws_col = 123, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(terminal.descriptor(), TIOCSWINSZ, &size), 0);
  EXPECT_EQ(terminal_columns(terminal.descriptor()), 123u);
}

TEST(Usage, CountsWhatThisProcessUsed) {
  const Usage before = usage();
  volatile std::uint64_t work = 0;
  while (usage().cpu_seconds <= before.cpu_seconds) work = work + 1;
  constexpr std::size_t kTouched = 64 * kMiB;
  const std::vector<char> touched(kTouched, 'x');
  EXPECT_EQ(touched.back(), 'x');
  EXPECT_GE(usage().peak_rss_bytes, kTouched);
  EXPECT_GE(usage().peak_rss_bytes, before.peak_rss_bytes);
}

TEST(ProcessorCount, CountsTheAllowedOnes) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(processor_count(), static_cast<unsigned>(CPU_COUNT(&before)));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(processor_count(), 1u);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(SecretFile, WritesPrivatelyAndReadsBack) {
  const TestDirectory temp;
  const mode_t before = ::umask(0);
  const auto written = write_secret_file(temp / "code", "4821-marble");
  ::umask(before);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(temp.open().status_of("code")->mode, 0600u);
  EXPECT_EQ(temp.read("code"), "4821-marble\n");
  EXPECT_EQ(*read_secret_file(temp / "code"), "4821-marble");
}

TEST(SecretFile, WritesNeverOverAnything) {
  const TestDirectory temp;
  temp.write("file", "kept");
  fs::create_symlink("file", temp / "link");
  fs::create_symlink("nowhere", temp / "dangling");
  fs::create_directory(temp / "dir");
  for (const char* name : {"file", "link", "dangling", "dir"}) {
    EXPECT_EQ(write_secret_file(temp / name, "secret").error().code, Code::kExists) << name;
  }
  EXPECT_EQ(temp.read("file"), "kept");
  EXPECT_FALSE(fs::exists(temp / "nowhere"));
  EXPECT_EQ(write_secret_file(temp / "none/f", "s").error().code, Code::kNotFound);
}

TEST(SecretFile, ReadsOneLineAsItStands) {
  const TestDirectory temp;
  for (const auto& [content, secret] : std::vector<std::pair<std::string, std::string>>{
           {"a-b", "a-b"},
           {"a-b\n", "a-b"},
           {"a-b\r\n", "a-b"},
           {"", ""},
           {"\n", ""},
           {"a\n\n", "a\n"},
           {" a ", " a "},
           {std::string(4096, 'a'), std::string(4096, 'a')}}) {
    temp.write("f", content);
    EXPECT_EQ(*read_secret_file(temp / "f"), secret);
  }
}

TEST(SecretFile, RefusesWhatIsNotASmallRegularFile) {
  const TestDirectory temp;
  temp.write("long", std::string(4097, 'a'));
  temp.write("file", "secret");
  fs::create_symlink("file", temp / "link");
  ASSERT_EQ(::mkfifo((temp / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_secret_file(temp / "long").error().code, Code::kLimit);
  EXPECT_EQ(read_secret_file(temp / "link").error().code, Code::kUnsafeName);
  EXPECT_EQ(read_secret_file(temp / "pipe").error().code, Code::kUnsafeName);  // not waited for
  EXPECT_EQ(read_secret_file(temp.path()).error().code, Code::kUnsafeName);
  EXPECT_EQ(read_secret_file("/dev/zero").error().code, Code::kUnsafeName);
  EXPECT_EQ(read_secret_file(temp / "none").error().code, Code::kNotFound);
  EXPECT_EQ(read_secret_file(std::string("a\0b", 3)).error().code, Code::kUnsafeName);
}

}  // namespace
}  // namespace wormhole::platform
