// TARGET of get and ls: HOST[:PORT][/PATH]. Sans-I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "transfer/shares.h"

namespace wormhole::cli {

inline constexpr std::uint16_t kDefaultPort = 7117;

struct Target {
  std::string host;
  std::uint16_t port = kDefaultPort;
  std::string path;  // raw bytes after the first '/', empty for everything

  [[nodiscard]] std::string last_part() const { return transfer::last_part(path); }
};

// IPv6 addresses stand in brackets: [2001:db8::1]:7117/a/b. kUsage, with what to write instead,
// for everything else; the shape of a join code is kept for discovery.
[[nodiscard]] Result<Target> parse_target(std::string_view text);

// ADDR:PORT of --listen: ":7117" and "7117" are all interfaces, "ADDR" the default port.
struct ListenAddress {
  std::string host;  // empty: all
  std::uint16_t port = kDefaultPort;
  bool port_given = false;
};
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace wormhole::cli
