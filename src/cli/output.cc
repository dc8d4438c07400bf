#include "cli/output.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "platform/process.h"

namespace wormhole::cli {
namespace {

constexpr int kStandardError = 2;

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= have ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

}  // namespace

bool Output::shows_progress() const {
  return !json_ && !is_quiet() && platform::is_terminal(kStandardError);
}

void Output::result(std::string_view line) {
  if (json_) return;
  std::scoped_lock lock(mutex_);
  clear_live();
  write_line(results_, line);
}

void Output::say(std::string_view line) {
  if (!is_quiet()) failure(line);
}

void Output::failure(std::string_view line) {
  if (json_) return;
  std::scoped_lock lock(mutex_);
  clear_live();
  write_line(stderr, line);
}

void Output::error(const Error& error) {
  if (json_) {
    nlohmann::json object = {{"event", "error"}, {"code", code_name(error.code)}};
    set_bytes(object, "reason", to_sentence(error));
    event(object);
  }
  std::scoped_lock lock(mutex_);
  clear_live();
  write_line(stderr, "wormhole: " + to_sentence(error));
}

void Output::event(const nlohmann::json& object) {
  if (!json_) return;
  std::scoped_lock lock(mutex_);
  write_line(stdout,
             object.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace));
}

void Output::live(std::string_view line) {
  std::scoped_lock lock(mutex_);
  if (line.empty()) {
    clear_live();
    return;
  }
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
  live_shown_ = true;
}

void Output::clear_live() {
  if (!live_shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  live_shown_ = false;
}

void Output::write_line(std::FILE* stream, std::string_view line) {
  const bool written = std::fwrite(line.data(), 1, line.size(), stream) == line.size() &&
                       std::fputc('\n', stream) != EOF && std::fflush(stream) == 0;
  if (!written && stream == stdout) broken_ = true;
}

void set_bytes(nlohmann::json& object, const std::string& key, std::string_view bytes) {
  object[key] = std::string(bytes);
  if (!is_utf8(bytes)) object[key + "_base64"] = base64(bytes);
}

}  // namespace wormhole::cli
