// What a command prints: for people or, with --json, one object a line for programs.
//
// stdout carries results, stderr everything said meanwhile. Thread-safe. Untrusted bytes (names,
// a peer's texts) are escaped for the terminal; in JSON a name that is not UTF-8 stands with
// U+FFFD for what is not, and whole in a second member "<key>_base64".
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace wormhole::cli {

enum class Verbosity : int { kQuiet = 0, kNormal = 1, kVerbose = 2 };

class Output {
 public:
  Output(bool json, Verbosity verbosity) : json_(json), verbosity_(verbosity) {}

  [[nodiscard]] bool is_json() const { return json_; }
  [[nodiscard]] bool is_quiet() const { return verbosity_ == Verbosity::kQuiet; }
  [[nodiscard]] bool is_verbose() const { return verbosity_ == Verbosity::kVerbose; }
  // A live progress line makes sense: people read, on a terminal.
  [[nodiscard]] bool shows_progress() const;

  // Standard output is for a file's bytes: results go to stderr. Before the first.
  void leave_standard_output() { results_ = stderr; }

  // A line of result on stdout (people only).
  void result(std::string_view line);
  // A line said meanwhile on stderr (people only, not with -q).
  void say(std::string_view line);
  // One entry that went wrong while the rest goes on, on stderr (people only, also with -q).
  void failure(std::string_view line);
  // An error that ends the command: a sentence on stderr, and an event with --json.
  void error(const Error& error);
  // One object on stdout (--json only).
  void event(const nlohmann::json& object);

  // Replaces the live line on stderr; empty clears it.
  void live(std::string_view line);

  // False once stdout or its reader is gone: what is printed is lost.
  [[nodiscard]] bool is_broken() const { return broken_; }

 private:
  void write_line(std::FILE* stream, std::string_view line);
  void clear_live();

  const bool json_;
  const Verbosity verbosity_;
  std::FILE* results_ = stdout;
  std::mutex mutex_;
  bool live_shown_ = false;
  std::atomic<bool> broken_ = false;
};

// Sets object[key] to the bytes, as described above.
void set_bytes(nlohmann::json& object, const std::string& key, std::string_view bytes);

}  // namespace wormhole::cli
