// What the kernel knows of a connection. Apart from socket_linux.cc: <linux/tcp.h>, which has what
// the C library's tcp_info lacks, and <netinet/tcp.h> do not go together.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "platform/socket.h"

namespace wormhole::platform {

std::optional<Socket::Arrived> Socket::arrived() const {
  tcp_info info = {};
  socklen_t bytes = sizeof info;
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) return std::nullopt;
  constexpr std::size_t kEnd =
      offsetof(tcp_info, tcpi_data_segs_in) + sizeof info.tcpi_data_segs_in;
  if (bytes < kEnd) return std::nullopt;  // before Linux 4.6
  return Arrived{.segments = info.tcpi_data_segs_in, .segment_bytes = info.tcpi_rcv_mss};
}

}  // namespace wormhole::platform
