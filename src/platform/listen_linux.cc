// ListenSocket, and what every connection is set to.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "base/limits.h"
#include "base/units.h"
#include "platform/address_linux.h"
#include "platform/retry_linux.h"
#include "platform/socket.h"
#include "platform/tune_linux.h"

namespace wormhole::platform {
namespace {

// One accept() passes over this many connections that died while they waited.
constexpr int kDeadConnectionsMax = 64;

// Three probes fit into kIdleTimeout after the first silence.
constexpr std::chrono::seconds kKeepAliveAfter = kIdleTimeout / 3;
constexpr int kKeepAliveProbes = 4;
constexpr std::chrono::seconds kKeepAliveInterval =
    (kIdleTimeout - kKeepAliveAfter) / kKeepAliveProbes;
static_assert(kKeepAliveInterval.count() > 0);

// A sender waits while more than this waits in the kernel behind what is under way. Unlimited,
// megabytes stand there: out of the cache on a fast link, and on a slow path, where many streams
// share the end of a file, the slowest has a second's worth that nobody can take from it.
// Measured (docs/measurements.md): 32 KiB are fastest, above and below is slower.
constexpr int kUnsentBytes = 32 * kKiB;

// What is lost again and again is sent again at least so often. Else a stream that met a crowded
// moment waits twice as long each time, up to two minutes, long after the path is free again; what
// it holds is the end of the file. (RFC 6298 would have a minute at least, for the sake of paths
// with longer round trips than this.)
constexpr std::chrono::milliseconds kRetransmitAtLeastEvery{3000};
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44  // linux/tcp.h, from Linux 6.15 on
#endif

template <typename Value>
bool set_option(int fd, int level, int option, Value value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

std::unexpected<Error> listen_error(int os_errno, const std::string& object) {
  Error error = os_error(os_errno, "listen on", object, Code::kConnect);
  error.code = Code::kConnect;
  if (os_errno == EADDRINUSE) error.advice = "choose another port";
  return fail(std::move(error));
}

// Listens at `address`, or returns an empty handle with errno.
Fd listen_at(const KernelAddress& address) {
  const int family = address.storage.ss_family;
  Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fd;
  // A port whose last connections still linger in TIME_WAIT is not taken.
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(fd.get(), address.get(), address.bytes) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    return Fd();  // reset() of an open one could change errno; close() succeeds here
  }
  return fd;
}

KernelAddress any_address(int family, std::uint16_t port) {
  KernelAddress address;
  if (family == AF_INET6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    v6->sin6_addr = in6addr_any;
    address.bytes = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    v4->sin_addr.s_addr = htonl(INADDR_ANY);
    address.bytes = sizeof *v4;
  }
  return address;
}

// accept(2): what one waiting connection had, not the listening socket.
bool is_of_the_connection(int os_errno) {
  switch (os_errno) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
    case EPERM:
      return true;
    default:
      return false;
  }
}

}  // namespace

void tune_connection(int fd) {
  const auto seconds = [](std::chrono::seconds value) { return static_cast<int>(value.count()); };
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytes);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(kKeepAliveAfter));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(kKeepAliveInterval));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set_option(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, static_cast<int>(kRetransmitAtLeastEvery.count()));
  const std::chrono::milliseconds unacknowledged = kUnacknowledgedTimeout;
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<unsigned>(unacknowledged.count()));
}

bool set_congestion_control(int fd, std::string_view name) {
  return ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                      static_cast<socklen_t>(name.size())) == 0;
}

bool ListenSocket::use_congestion_control(std::string_view name) const {
  return set_congestion_control(fd_.get(), name);
}

Result<ListenSocket> ListenSocket::open(const std::string& host, std::uint16_t port) {
  if (host.empty()) {
    Fd fd = listen_at(any_address(AF_INET6, port));
    // Machines without IPv6, or with it switched off.
    if (!fd && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
      fd = listen_at(any_address(AF_INET, port));
    }
    if (!fd) return listen_error(errno, "port " + std::to_string(port));
    return ListenSocket(std::move(fd));
  }
  WH_ASSIGN(const std::vector<Address> addresses, resolve(host, port));
  int last_errno = EADDRNOTAVAIL;
  for (const Address& address : addresses) {
    WH_ASSIGN(const KernelAddress kernel, to_kernel_address(address));
    Fd fd = listen_at(kernel);
    if (fd) return ListenSocket(std::move(fd));
    last_errno = errno;
  }
  return listen_error(last_errno, host + " port " + std::to_string(port));
}

Result<std::optional<Socket>> ListenSocket::accept() const {
  for (int dead = 0; dead < kDeadConnectionsMax; ++dead) {
    KernelAddress peer;
    Fd fd(retry([&] {
      peer.bytes = sizeof peer.storage;
      return ::accept4(fd_.get(), peer.get(), &peer.bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }));
    if (fd) {
      tune_connection(fd.get());
      return Socket(std::move(fd), to_address(peer));
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    if (!is_of_the_connection(errno)) {
      return fail(os_error(errno, "accept a connection", {}, Code::kConnect));
    }
  }
  return std::nullopt;  // the rest at the next turn of the caller's loop
}

Address ListenSocket::local() const { return name_of(fd_.get(), ::getsockname); }

}  // namespace wormhole::platform
