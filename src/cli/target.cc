#include "cli/target.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "session/join_code.h"

namespace wormhole::cli {
namespace {

Error unusable(std::string_view what, std::string_view text, std::string_view why,
               std::string_view advice) {
  return {.code = Code::kUsage,
          .operation = std::string(what),
          .object = std::string(text),
          .detail = std::string(why),
          .advice = std::string(advice)};
}

constexpr std::string_view kTargetAdvice =
    "write HOST, HOST:PORT or HOST:PORT/PATH, an IPv6 address in brackets";
constexpr std::string_view kListenAdvice = "write ADDR:PORT, ADDR or :PORT";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
      value > UINT16_MAX) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(value);
}

struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

// "host:port", "host", "[v6]:port", "[v6]"; nullopt for anything else.
std::optional<HostPort> split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    HostPort result{text.substr(1, close - 1), std::nullopt};
    if (rest.empty()) return result;
    if (!rest.starts_with(':')) return std::nullopt;
    result.port = rest.substr(1);
    return result;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return HostPort{text, std::nullopt};
  if (text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;  // bare IPv6
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto parts = split(text.substr(0, slash));
  // Before anything looks it up or repeats it: it is a secret.
  if (session::JoinCode::has_generated_shape(parts.has_value() ? parts->host : text)) {
    return fail({.code = Code::kUsage,
                 .operation = "use the target",
                 .detail = "it is a join code, and hosts are not found by code alone yet",
                 .advice = "name the host: 'wormhole get HOST', as the sharing side printed it"});
  }
  if (!parts.has_value()) {
    return fail(unusable("use the target", text, "it is not an address", kTargetAdvice));
  }
  if (parts->host.empty()) {
    return fail(unusable("use the target", text, "it names no host", kTargetAdvice));
  }
  Target target;
  target.host = std::string(parts->host);
  if (parts->port.has_value()) {
    const auto port = parse_port(*parts->port);
    if (!port.has_value() || *port == 0) {
      return fail(unusable("use the target", text, "its port is not a number from 1 to 65535",
                           kTargetAdvice));
    }
    target.port = *port;
  }
  if (slash != std::string_view::npos) target.path = std::string(text.substr(slash + 1));
  if (("/" + target.path + "/").find("/../") != std::string::npos) {
    return fail(
        unusable("use the target", text, "its path leads out of what is shared", kTargetAdvice));
  }
  return target;
}

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto bad_port = [](std::string_view shown) {
    return unusable("listen on", shown, "its port is not a number from 0 to 65535", kListenAdvice);
  };
  ListenAddress address;
  if (!text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    const auto port = parse_port(text);
    if (port.has_value()) return ListenAddress{"", *port, true};
    return fail(bad_port(text));
  }
  const auto parts = split(text);
  if (!parts.has_value() || text.empty()) {
    return fail(unusable("listen on", text, "it is not an address", kListenAdvice));
  }
  address.host = std::string(parts->host);
  if (parts->port.has_value()) {
    const auto port = parse_port(*parts->port);
    if (!port.has_value()) return fail(bad_port(text));
    address.port = *port;
    address.port_given = true;
  }
  return address;
}

}  // namespace wormhole::cli
