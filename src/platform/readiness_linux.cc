#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "platform/readiness.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {
namespace {

bool would_block(int os_errno) { return os_errno == EAGAIN || os_errno == EWOULDBLOCK; }

}  // namespace

Result<void> wait_ready(std::span<Watch> watches, std::optional<Duration> at_most) {
  std::vector<pollfd> polled;
  polled.reserve(watches.size());
  for (const Watch& watch : watches) {
    const int events = (watch.reading ? POLLIN : 0) | (watch.writing ? POLLOUT : 0);
    polled.push_back({watch.descriptor, static_cast<short>(events), 0});
  }
  const int count = ::poll(polled.data(), polled.size(), at_most ? poll_timeout(*at_most) : -1);
  // A signal counts as a wake-up with nothing ready: the caller recomputes its time.
  if (count < 0 && errno != EINTR) return fail(os_error(errno, "wait for", "sockets"));
  for (std::size_t at = 0; at < watches.size(); ++at) {
    watches[at].ready = count > 0 && polled[at].revents != 0;
  }
  return {};
}

Result<std::optional<std::size_t>> receive_now(const Socket& socket, MutableBytes out) {
  for (;;) {
    const ssize_t count = ::recv(socket.descriptor(), out.data(), out.size(), MSG_DONTWAIT);
    if (count >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(count));
    if (would_block(errno)) return std::optional<std::size_t>();
    if (errno != EINTR) return fail(os_error(errno, "receive from", "the peer", Code::kLost));
  }
}

Result<std::optional<std::size_t>> send_now(const Socket& socket, Bytes data) {
  for (;;) {
    const ssize_t count =
        ::send(socket.descriptor(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(count));
    if (would_block(errno)) return std::optional<std::size_t>();
    if (errno != EINTR) return fail(os_error(errno, "send to", "the peer", Code::kLost));
  }
}

Result<Waker> Waker::make() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return fail(os_error(errno, "make", "a wake-up pipe"));
  }
  return Waker(Fd(ends[0]), Fd(ends[1]));
}

void Waker::wake() const {
  const char byte = 0;
  // Full means that a wake-up is already waiting.
  while (::write(write_end_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

void Waker::clear() const {
  std::array<char, 64> drained{};
  for (;;) {
    const ssize_t count = ::read(read_end_.get(), drained.data(), drained.size());
    if (count > 0) continue;
    if (count < 0 && errno == EINTR) continue;
    return;
  }
}

}  // namespace wormhole::platform
