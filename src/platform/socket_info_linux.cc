// What the kernel knows of a connection. Apart from socket_linux.cc: <linux/tcp.h>, which has what
// the C library's tcp_info lacks, and <netinet/tcp.h> do not go together.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "platform/socket.h"

namespace wormhole::platform {

namespace {

// nullopt before Linux 4.6, which has all that is asked for here.
std::optional<tcp_info> info_of(int fd) {
  tcp_info info = {};
  socklen_t bytes = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) return std::nullopt;
  constexpr std::size_t kEnd =
      offsetof(tcp_info, tcpi_data_segs_in) + sizeof info.tcpi_data_segs_in;
  static_assert(offsetof(tcp_info, tcpi_min_rtt) < kEnd);
  static_assert(offsetof(tcp_info, tcpi_bytes_acked) < kEnd);
  if (bytes < kEnd) return std::nullopt;
  return info;
}

}  // namespace

std::optional<std::chrono::microseconds> Socket::least_round_trip() const {
  const auto found = info_of(fd_.get());
  if (!found.has_value() || found->tcpi_min_rtt == UINT32_MAX) return std::nullopt;
  return std::chrono::microseconds(found->tcpi_min_rtt);
}

std::optional<Socket::Arrived> Socket::arrived() const {
  const auto found = info_of(fd_.get());
  if (!found.has_value()) return std::nullopt;
  const tcp_info& info = *found;
  Arrived arrived{.segments = info.tcpi_data_segs_in,
                  .segment_bytes = info.tcpi_rcv_mss,
                  .round_trip = std::nullopt};
  // Without timestamps the kernel goes by how long a whole window takes.
  const bool has_timestamps = (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0;
  if (has_timestamps && info.tcpi_rcv_rtt != 0) {
    arrived.round_trip = std::chrono::microseconds(info.tcpi_rcv_rtt);
  }
  return arrived;
}

std::optional<Socket::Delivered> Socket::delivered() const {
  const auto found = info_of(fd_.get());
  if (!found.has_value()) return std::nullopt;
  return Delivered{.bytes = found->tcpi_bytes_acked,
                   .round_trip = std::chrono::microseconds(found->tcpi_rtt)};
}

}  // namespace wormhole::platform
