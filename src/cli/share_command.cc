#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/confined.h"
#include "cli/human.h"
#include "cli/index_file.h"
#include "cli/joining.h"
#include "cli/target.h"
#include "cli/user_secret.h"
#include "platform/process.h"
#include "session/listener.h"
#include "transfer/host.h"

namespace wormhole::cli {
namespace {

using nlohmann::json;

constexpr int kStandardInput = 0;
constexpr int kStandardErrorFd = 2;
// Ports tried from the default one on when it is taken.
constexpr unsigned kPortsTried = 20;

// Listens where it was asked to. Without a port of the user's choice the next free one will do.
Result<platform::ListenSocket> open_listener(const ListenAddress& wanted) {
  auto opened = platform::ListenSocket::open(wanted.host, wanted.port);
  const auto is_taken = [&] {
    return !opened.has_value() &&
           opened.error().os_errno == static_cast<int>(std::errc::address_in_use);
  };
  if (wanted.port_given) return opened;
  for (unsigned i = 1; i < kPortsTried && is_taken(); ++i) {
    opened = platform::ListenSocket::open(wanted.host, static_cast<std::uint16_t>(wanted.port + i));
  }
  return opened;
}

// Where another host finds us.
std::vector<std::string> reachable(const ListenAddress& wanted, const platform::Address& bound) {
  std::vector<std::string> addresses;
  const bool everywhere = wanted.host.empty() || wanted.host == "0.0.0.0" || wanted.host == "::";
  if (!everywhere) return {bound.to_string()};
  for (const auto& address : platform::local_addresses(bound.port)) {
    // "::" takes IPv4 too, "0.0.0.0" nothing else.
    if (address.is_v6 && !bound.is_v6) continue;
    addresses.push_back(address.to_string());
  }
  return addresses;
}

// What a share has served, all its clients together.
struct Served {
  std::uint64_t clients = 0;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t taken_bytes = 0;  // of what was put
  std::uint64_t taken_files = 0;
  std::uint64_t wire_bytes = 0;
  std::size_t streams = 0;  // the most that a client had
  bool lost = false;        // the last client did not say goodbye
  std::chrono::duration<double> seconds{0};
};

// What was given, and what was put, where anything was.
std::string moved(std::uint64_t files, std::uint64_t bytes, std::uint64_t taken_files,
                  std::uint64_t taken_bytes) {
  const auto tally = [](std::uint64_t count, std::uint64_t size) {
    return fmt::format("{} {}, {}", human_count(count), count == 1 ? "file" : "files",
                       human_bytes(size));
  };
  if (taken_files == 0 && taken_bytes == 0) return tally(files, bytes);
  const std::string taken = tally(taken_files, taken_bytes) + " put here";
  return files == 0 && bytes == 0 ? taken : tally(files, bytes) + "; " + taken;
}

void print_summary(Output& output, const Served& served, ExitCode exit) {
  const platform::Usage usage = platform::usage();
  output.event({{"event", "summary"},
                {"bytes", served.bytes},
                {"files", served.files},
                {"taken_bytes", served.taken_bytes},
                {"taken_files", served.taken_files},
                {"clients", served.clients},
                {"wire_bytes", served.wire_bytes},
                {"seconds", served.seconds.count()},
                {"first_byte_ms", nullptr},
                {"streams", served.streams},
                {"cpu_seconds", usage.cpu_seconds},
                {"peak_rss_bytes", usage.peak_rss_bytes},
                {"exit", static_cast<int>(exit)}});
}

std::string quoted(const std::string& name) {
  std::string text = "'";
  for (const char c : name) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return escape(text + "'");
}

bool is_plain(const std::string& name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+,@%").contains(c);
  });
}

// What the other side must name as DEST, quoted for a shell; empty where it need not.
std::string destination_for(const transfer::Shares& shares) {
  const bool hidden = std::ranges::any_of(
      shares.all(), [](const transfer::Share& share) { return share.name.starts_with('.'); });
  if (!hidden) return {};
  const transfer::Share& first = shares.all().front();
  if (shares.all().size() > 1 || !first.is_directory) return ".";
  return quoted(first.name);
}

transfer::Writing writing_of(const ShareArguments& arguments) {
  if (arguments.incoming) return transfer::Writing::kAdds;
  return arguments.writable ? transfer::Writing::kAll : transfer::Writing::kNone;
}

std::string_view what_is_allowed(transfer::Writing writing) {
  switch (writing) {
    case transfer::Writing::kNone:
      return "read-only";
    case transfer::Writing::kAdds:
      return "for others to add to, and shown to nobody";
    case transfer::Writing::kAll:
      break;
  }
  return "for others to read, change and delete";
}

// Of several, one must be named.
std::string put_command(const std::string& host, const transfer::Shares& shares) {
  const bool is_one = shares.all().size() == 1;
  const std::string& name = shares.all().front().name;
  if (is_one) return fmt::format("wormhole put PATH {}", host);
  return fmt::format("wormhole put PATH {}/{}", host, is_plain(name) ? name : quoted(name));
}

class ShareCommand final : public session::ListenerEvents, public transfer::HostEvents {
 public:
  ShareCommand(const ShareArguments& arguments, Environment& environment)
      : arguments_(arguments),
        output_(environment.output),
        stop_(environment.stop),
        names_code_(environment.code.argument || environment.code.environment) {}

  ExitCode run(const transfer::Shares& shares, std::optional<session::JoinCode> chosen,
               platform::ListenSocket socket, const ListenAddress& wanted);

  // ListenerEvents (the listener's thread)
  void on_session(std::unique_ptr<session::Connection> first) override;
  void on_stream(std::unique_ptr<session::Connection> stream) override {
    host_->on_stream(std::move(stream));
  }
  void on_wrong_code(const platform::Address& from, unsigned left) override;
  void on_code_retired(const session::JoinCode* next) override;

  // HostEvents
  void on_client(const platform::Address& peer) override;
  void on_client_gone(const transfer::HostSession::Status& last,
                      const Result<void>& ended) override;
  void on_client_refused(const platform::Address& peer) override;

 private:
  // After an error, before or after any client was served.
  ExitCode end(const Error& error);
  void announce(const platform::Address& bound, const ListenAddress& wanted,
                const session::JoinCode& code, const transfer::Shares& shares);
  void show_rates();
  void renew_if_asked();

  const ShareArguments& arguments_;
  Output& output_;
  const platform::StopSignals& stop_;
  const bool names_code_;  // by --code or the environment
  const SystemClock clock_;
  platform::SystemRandom random_;
  BlockPool pool_;
  std::unique_ptr<session::Listener> listener_;
  std::unique_ptr<transfer::Host> host_;

  std::atomic<bool> renewable_ = false;  // joining has stopped, and Enter makes a new code

  std::mutex mutex_;
  Served served_;
  std::uint64_t last_bytes_ = 0;
  TimePoint last_shown_{};
};

ExitCode ShareCommand::run(const transfer::Shares& shares, std::optional<session::JoinCode> chosen,
                           platform::ListenSocket socket, const ListenAddress& wanted) {
  const bool made_here = !chosen.has_value();
  // One that stands in a file is as good as chosen: replaced, those who read it would use up the
  // guesses of the next one.
  if (made_here && arguments_.code_file.has_value()) chosen = session::JoinCode::make(random_);
  session::CodeBook codes(std::move(chosen), random_, clock_);
  const session::JoinCode code = *codes.code();
  if (arguments_.code_file.has_value()) {
    const auto written = platform::write_secret_file(*arguments_.code_file, code.text());
    // One that is there was read, or --code comes before it.
    const bool was_there = !made_here && !written && written.error().code == Code::kExists;
    if (!written.has_value() && !was_there) return end(about_own_file(written.error()));
  }
  const platform::Address bound = socket.local();
  const store::UserSecret secret = user_secret(output_, random_);
  const transfer::Writing writing = writing_of(arguments_);
  std::unique_ptr<store::Index> index;
  if (writing == transfer::Writing::kNone) {
    confine_to(shares, output_);
  } else {
    confine_to_writable(shares, output_);
    index = OpeningIndex(output_).take();
  }
  listener_ = std::make_unique<session::Listener>(std::move(socket), codes, *this, clock_, random_);
  host_ = std::make_unique<transfer::Host>(
      shares, pool_, clock_, secret,
      transfer::HostOptions{.allow_plain = arguments_.allow_unencrypted,
                            .access = {.writing = writing, .index = index.get()}},
      *this, [this](const session::SessionId& id) { listener_->forget(id); });
  const TimePoint started = clock_.now();
  announce(bound, wanted, code, shares);

  Result<void> listened;
  {
    StopWatch watch(
        stop_, [this] { listener_->stop(); },
        [this] {
          show_rates();
          renew_if_asked();
        });
    listened = listener_->run();
  }
  output_.live("");
  host_.reset();  // ends the sessions that stand
  served_.seconds = clock_.now() - started;
  if (!listened.has_value()) return end(listened.error());
  if (!output_.is_quiet()) {
    output_.result(
        fmt::format("Served {}: {}.", counted(served_.clients, "client", "clients"),
                    moved(served_.files, served_.bytes, served_.taken_files, served_.taken_bytes)));
  }
  // A share that serves until Ctrl-C was stopped as meant; --once was to serve a client first.
  ExitCode exit = ExitCode::kSuccess;
  if (arguments_.once && served_.lost) exit = ExitCode::kConnect;
  if (arguments_.once && stop_.arrived() != 0) exit = ExitCode::kInterrupted;
  print_summary(output_, served_, exit);
  return exit;
}

ExitCode ShareCommand::end(const Error& error) {
  output_.error(error);
  print_summary(output_, served_, exit_code_for(error.code));
  return exit_code_for(error.code);
}

void ShareCommand::announce(const platform::Address& bound, const ListenAddress& wanted,
                            const session::JoinCode& code, const transfer::Shares& shares) {
  const std::vector<std::string> addresses = reachable(wanted, bound);
  const std::string host = addresses.empty() ? bound.to_string() : addresses.front();
  const transfer::Writing writing = writing_of(arguments_);
  const bool is_shown = writing != transfer::Writing::kAdds;
  std::string command = is_shown ? "wormhole get " + host : put_command(host, shares);
  // Hidden names land nowhere that the other side did not name.
  const std::string dest = destination_for(shares);
  if (is_shown && !dest.empty()) command += " " + dest;
  output_.event({{"event", "listening"},
                 {"addresses", addresses},
                 {"port", bound.port},
                 {"code", code.text()},
                 {"command", command}});
  std::string names;
  for (const auto& share : shares.all()) {
    names += (names.empty() ? "" : ", ") + escape(share.name) + (share.is_directory ? "/" : "");
  }
  if (!wanted.port_given && bound.port != wanted.port) {
    output_.say(fmt::format("port {} is taken: listening on {}", wanted.port, bound.port));
  }
  output_.result(fmt::format("Sharing {}, {}, until Ctrl-C{}.", names, what_is_allowed(writing),
                             arguments_.once ? " or one client has been served" : ""));
  output_.result("");
  output_.result(fmt::format("  code       {}", escape(code.text())));
  for (const std::string& address : addresses) {
    output_.result(fmt::format("  address    {}", address));
  }
  if (is_shown) output_.result(fmt::format("  fetch it   {}", command));
  if (writing != transfer::Writing::kNone) {
    output_.result(fmt::format("  put there  {}", put_command(host, shares)));
  }
  output_.result("");
}

void ShareCommand::on_session(std::unique_ptr<session::Connection> first) {
  if (arguments_.once) listener_->stop_joining();
  host_->on_session(std::move(first));
}

void ShareCommand::on_wrong_code(const platform::Address& from, unsigned left) {
  output_.event({{"event", "wrong_code"}, {"address", from.to_string()}, {"guesses_left", left}});
  output_.say(fmt::format("a wrong code came from {}; {} left for this code", from.to_string(),
                          counted(left, "guess", "guesses")));
}

void ShareCommand::on_code_retired(const session::JoinCode* next) {
  json object = {{"event", "code_retired"}, {"code", nullptr}};
  if (next != nullptr) object["code"] = next->text();
  output_.event(object);
  if (next != nullptr) {
    output_.result(
        fmt::format("a new code after too many wrong guesses:  {}", escape(next->text())));
    return;
  }
  const bool can_ask = platform::is_terminal(kStandardInput) && !arguments_.code_file.has_value();
  const std::string advice =
      can_ask       ? "press Enter for a new code"
      : names_code_ ? "share again with another code"
      : arguments_.code_file.has_value()
          ? fmt::format("remove '{}' and share again for a new code", escape(*arguments_.code_file))
          : "share again for a new code";
  output_.result(fmt::format("too many wrong guesses: no one can join any more; {}", advice));
  renewable_ = can_ask;
}

void ShareCommand::on_client(const platform::Address& peer) {
  {
    std::scoped_lock lock(mutex_);
    ++served_.clients;
  }
  output_.event({{"event", "client"}, {"address", peer.to_string()}});
  output_.say(fmt::format("{} joined", peer.to_string()));
}

void ShareCommand::on_client_refused(const platform::Address& peer) {
  output_.event({{"event", "client_refused"}, {"address", peer.to_string()}});
  output_.say(fmt::format("{} was refused: too many clients or threads at once", peer.to_string()));
  if (!arguments_.once) return;
  // It was the one.
  {
    std::scoped_lock lock(mutex_);
    served_.lost = true;
  }
  listener_->stop();
}

void ShareCommand::on_client_gone(const transfer::HostSession::Status& last,
                                  const Result<void>& ended) {
  {
    std::scoped_lock lock(mutex_);
    served_.bytes += last.data_bytes;
    served_.files += last.files;
    served_.taken_bytes += last.taken_bytes;
    served_.taken_files += last.taken_files;
    served_.wire_bytes += last.wire_bytes;
    served_.streams = std::max(served_.streams, last.streams);
    served_.lost = !ended.has_value();
  }
  json object = {{"event", "client_gone"},          {"address", last.peer.to_string()},
                 {"bytes", last.data_bytes},        {"files", last.files},
                 {"taken_bytes", last.taken_bytes}, {"taken_files", last.taken_files},
                 {"wire_bytes", last.wire_bytes},   {"streams", last.streams},
                 {"ok", ended.has_value()}};
  if (!ended.has_value()) set_bytes(object, "reason", to_sentence(ended.error()));
  output_.event(object);
  const bool was_cut_off = !ended.has_value() && ended.error().code != Code::kLost &&
                           ended.error().code != Code::kInterrupted;
  std::string line =
      fmt::format("{} {}: {}", last.peer.to_string(),
                  ended.has_value() ? "is done" : (was_cut_off ? "was cut off" : "went away"),
                  moved(last.files, last.data_bytes, last.taken_files, last.taken_bytes));
  if (was_cut_off) line += ", because: " + to_sentence(ended.error());
  if (output_.is_verbose()) {
    line += fmt::format(" ({} on the wire, {})", human_bytes(last.wire_bytes),
                        counted(last.streams, "stream", "streams"));
  }
  output_.say(line);
  if (arguments_.once) listener_->stop();
}

void ShareCommand::show_rates() {
  if (!output_.shows_progress()) return;
  const auto sessions = host_->status();
  const TimePoint now = clock_.now();
  std::uint64_t bytes = 0;
  std::size_t streams = 0;
  for (const auto& session : sessions) {
    bytes += session.data_bytes + session.taken_bytes;
    streams += session.streams;
  }
  if (sessions.empty()) {
    output_.live("");
    last_bytes_ = 0;
    last_shown_ = now;
    return;
  }
  // Rates over a second: shorter ones only flicker.
  if (now - last_shown_ < std::chrono::seconds(1)) return;
  const std::uint64_t since = bytes >= last_bytes_ ? bytes - last_bytes_ : 0;
  std::string line = fmt::format("{} on {}  {}  {}", counted(sessions.size(), "client", "clients"),
                                 counted(streams, "stream", "streams"),
                                 human_rate(since, now - last_shown_), human_bytes(bytes));
  const unsigned columns = platform::terminal_columns(kStandardErrorFd);
  if (columns > 1 && line.size() >= columns) line.resize(columns - 1);
  output_.live(line);
  last_bytes_ = bytes;
  last_shown_ = now;
}

void ShareCommand::renew_if_asked() {
  if (!renewable_) return;
  std::array<platform::Watch, 1> input;
  input[0].descriptor = kStandardInput;
  if (!platform::wait_ready(input, Duration(0)).has_value() || !input[0].ready) return;
  std::string line;
  if (!std::getline(std::cin, line)) {
    renewable_ = false;  // nobody is there any more
    return;
  }
  renewable_ = false;
  listener_->renew_code();
}

}  // namespace

ExitCode run_share(const ShareArguments& arguments, Environment& environment) {
  const auto give_up = [&](const Error& error) {
    environment.output.error(error);
    // What cannot be shared is this machine's matter here, not the other side's.
    const bool is_local = error.code == Code::kNotFound || error.code == Code::kSkippedSpecial;
    const ExitCode exit = is_local ? ExitCode::kLocalIo : exit_code_for(error.code);
    print_summary(environment.output, {}, exit);
    return exit;
  };
  ListenAddress wanted;
  if (arguments.listen.has_value()) {
    const auto parsed = parse_listen(*arguments.listen);
    if (!parsed.has_value()) return give_up(parsed.error());
    wanted = *parsed;
  }
  const auto shares = transfer::Shares::open(arguments.paths);
  if (!shares.has_value()) return give_up(shares.error());
  const bool is_read_only = writing_of(arguments) == transfer::Writing::kNone;
  if (!is_read_only && !shares->is_all_directories()) {
    return give_up({.code = Code::kUsage,
                    .operation = "share",
                    .detail = "only directories can be put into",
                    .advice = "share the directory that it is in, or leave out --writable"});
  }
  auto code = code_for_sharing(environment.code, arguments.code_file);
  if (!code.has_value()) return give_up(code.error());
  auto socket = open_listener(wanted);
  if (!socket.has_value()) return give_up(socket.error());
  ShareCommand command(arguments, environment);
  return command.run(*shares, std::move(*code), std::move(*socket), wanted);
}

}  // namespace wormhole::cli
