#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/check.h"
#include "platform/test_sockets.h"

namespace wormhole::platform {
namespace {

bool fill(sockaddr_in& address, const std::string& ip, std::uint16_t port) {
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) == 1;
}

}  // namespace

Result<Socket> connect_from(const std::string& ip, const Address& to) {
  sockaddr_in from{};
  sockaddr_in target{};
  if (!fill(from, ip, 0) || !fill(target, to.ip, to.port)) {
    return fail(os_error(EINVAL, "connect from", ip, Code::kConnect));
  }
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) {
    return fail(os_error(errno, "connect from", ip, Code::kConnect));
  }
  return Socket(std::move(fd), to);
}

std::string congestion_control_of(const Socket& socket) {
  std::array<char, 16> name{};
  socklen_t bytes = name.size();
  WH_CHECK(::getsockopt(socket.descriptor(), IPPROTO_TCP, TCP_CONGESTION, name.data(), &bytes) ==
           0);
  return name.data();
}

}  // namespace wormhole::platform
