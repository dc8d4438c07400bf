// Socket: one TCP connection.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "platform/address_linux.h"
#include "platform/retry_linux.h"
#include "platform/socket.h"
#include "platform/tune_linux.h"

namespace wormhole::platform {
namespace {

std::unexpected<Error> connection_error(int os_errno, std::string_view operation) {
  Error error = os_error(os_errno, operation, {}, Code::kLost);
  error.code = os_errno == EAGAIN ? Code::kTimeout : Code::kLost;
  return fail(std::move(error));
}

std::unexpected<Error> timed_out(std::string_view operation, std::string_view object) {
  Error error = os_error(ETIMEDOUT, operation, object, Code::kTimeout);
  error.detail = "no answer in time";
  return fail(std::move(error));
}

Error interrupted(std::string_view operation, std::string object) {
  return {.code = Code::kInterrupted,
          .operation = std::string(operation),
          .object = std::move(object),
          .detail = "interrupted"};
}

Error connect_error(int os_errno, const Address& address) {
  if (os_errno == ECANCELED) return interrupted("connect to", address.to_string());
  Error error = os_error(os_errno, "connect to", address.to_string(), Code::kConnect);
  error.code = Code::kConnect;
  if (os_errno == ECONNREFUSED) error.advice = "check that the other side is sharing there";
  return error;
}

// 0 when connected, else the errno; ETIMEDOUT also when `until` passed.
int finish_connect(int fd, const Until& until) {
  const int ready = poll_until(fd, POLLOUT, until);
  if (ready < 0) return errno;
  if (ready == 0) return ETIMEDOUT;
  int os_errno = 0;
  socklen_t bytes = sizeof os_errno;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_errno, &bytes) != 0) return errno;
  return os_errno;
}

Result<Socket> connect_one(const Address& address, const Until& until,
                           std::function<void()>& meanwhile) {
  WH_ASSIGN(const KernelAddress kernel, to_kernel_address(address));
  Fd fd(::socket(kernel.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(connect_error(errno, address));
  tune_connection(fd.get());
  // Not retried after EINTR: the attempt goes on, and poll tells how it ended.
  int os_errno = ::connect(fd.get(), kernel.get(), kernel.bytes) == 0 ? 0 : errno;
  if (meanwhile) std::exchange(meanwhile, nullptr)();
  if (os_errno == EINPROGRESS || os_errno == EINTR) os_errno = finish_connect(fd.get(), until);
  if (os_errno != 0) return fail(connect_error(os_errno, address));
  Address peer = name_of(fd.get(), ::getpeername);
  if (peer.port == 0) peer = address;  // lost again by now
  Socket socket(std::move(fd), std::move(peer));
  // On loopback the kernel may choose the very port we call, and TCP then meets itself.
  if (socket.local() == socket.peer()) return fail(connect_error(ECONNREFUSED, address));
  socket.set_blocking(true);
  return socket;
}

}  // namespace

Result<Socket> Socket::connect(const std::vector<Address>& addresses, const Until& until,
                               std::function<void()> meanwhile) {
  const TimePoint deadline = until.deadline;
  std::optional<Error> last;
  for (std::size_t at = 0; at < addresses.size(); ++at) {
    const TimePoint now = std::chrono::steady_clock::now();
    if (now >= deadline) break;
    // An equal share of what is left: an address that swallows everything must not use up the
    // time of the others.
    const auto share = (deadline - now) / static_cast<int>(addresses.size() - at);
    auto socket = connect_one(addresses[at], Until(now + share, until.cancel), meanwhile);
    if (socket || socket.error().code == Code::kInterrupted) return socket;
    last = std::move(socket).error();
  }
  if (addresses.empty()) {
    return fail({.code = Code::kConnect, .operation = "connect", .detail = "no address"});
  }
  if (std::chrono::steady_clock::now() >= deadline) {
    return timed_out("connect to", addresses.front().to_string());
  }
  return fail(std::move(*last));
}

Result<void> Socket::send_all(Bytes data) const {
  while (!data.empty()) {
    const ssize_t sent =
        retry([&] { return ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL); });
    if (sent < 0) return connection_error(errno, "send");
    data = data.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<std::size_t> Socket::receive_some(MutableBytes out) const {
  const ssize_t got = retry([&] { return ::recv(fd_.get(), out.data(), out.size(), 0); });
  if (got < 0) return connection_error(errno, "receive");
  return static_cast<std::size_t>(got);
}

Result<std::size_t> Socket::receive_some_until(MutableBytes out, const Until& until) const {
  for (;;) {
    const ssize_t got =
        retry([&] { return ::recv(fd_.get(), out.data(), out.size(), MSG_DONTWAIT); });
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EAGAIN && errno != EWOULDBLOCK) return connection_error(errno, "receive");
    const int ready = poll_until(fd_.get(), POLLIN, until);
    if (ready < 0 && errno == ECANCELED) return fail(interrupted("receive", {}));
    if (ready < 0) return connection_error(errno, "receive");
    if (ready == 0) return timed_out("receive", {});
  }
}

Result<std::size_t> Socket::receive_all(MutableBytes first, MutableBytes second) const {
  const std::size_t wanted = first.size() + second.size();
  std::size_t done = 0;
  while (done < wanted) {
    const std::size_t of_first = std::min(done, first.size());
    const MutableBytes rest_first = first.subspan(of_first);
    const MutableBytes rest_second = second.subspan(done - of_first);
    iovec parts[2] = {{.iov_base = rest_first.data(), .iov_len = rest_first.size()},
                      {.iov_base = rest_second.data(), .iov_len = rest_second.size()}};
    msghdr message = {};
    message.msg_iov = rest_first.empty() ? &parts[1] : &parts[0];
    message.msg_iovlen = rest_first.empty() ? 1 : 2;
    const ssize_t got = retry([&] { return ::recvmsg(fd_.get(), &message, MSG_WAITALL); });
    if (got < 0) return connection_error(errno, "receive");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void Socket::shut_down() const { ::shutdown(fd_.get(), SHUT_RDWR); }

void Socket::finish_sending() const { ::shutdown(fd_.get(), SHUT_WR); }

bool Socket::use_congestion_control(std::string_view name) const {
  return set_congestion_control(fd_.get(), name);
}

void Socket::set_blocking(bool blocking) const {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  ::fcntl(fd_.get(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

Address Socket::local() const { return name_of(fd_.get(), ::getsockname); }

std::uint64_t Socket::unacknowledged_bytes() const {
  int bytes = 0;
  if (::ioctl(fd_.get(), SIOCOUTQ, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace wormhole::platform
