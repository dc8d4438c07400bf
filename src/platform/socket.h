// TCP sockets: blocking, with SIGPIPE and EINTR dealt with, no delay (Nagle off).
//
// A Socket may be used by one sending and one receiving thread at once; shut_down() may be
// called by any thread and ends both (that is how deadlines, Ctrl-C and cancellation work).
// A socket made non-blocking answers kTimeout with EAGAIN, retryable, where it would wait; a
// send_all() that did so may have sent a part.
// Errors: kConnect before a connection stands, kLost after, kTimeout for a deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "platform/fd.h"

namespace wormhole::platform {

// A numeric address and port, as "192.0.2.1:7117" or "[2001:db8::1]:7117".
struct Address {
  std::string ip;  // numeric, with %scope where link-local
  std::uint16_t port = 0;
  bool is_v6 = false;

  [[nodiscard]] std::string to_string() const;
  // What counts as one peer where each may have only so much: of IPv6 the first 64 bits, as whoever
  // has such a network can take any address in it; else the address.
  [[nodiscard]] std::string of_one_peer() const;
  friend auto operator<=>(const Address&, const Address&) = default;
};

// How long a call may wait: to a point in time, or until `cancel`, a descriptor (of a Waker),
// becomes readable (kInterrupted). A TimePoint alone will do.
struct Until {
  Until(TimePoint point, int cancel_descriptor = -1)  // NOLINT(google-explicit-constructor)
      : deadline(point), cancel(cancel_descriptor) {}
  TimePoint deadline;
  int cancel;
};

// Resolves a host name or numeric address. kConnect with the resolver's reason.
[[nodiscard]] Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port);

// Numeric addresses of this machine's interfaces that another machine could use: no loopback
// unless nothing else is there, no link-local.
[[nodiscard]] std::vector<Address> local_addresses(std::uint16_t port);

class Socket {
 public:
  // `peer`: that the kernel named when the connection was made; of a lost one it names none.
  explicit Socket(Fd fd, Address peer = {}) : fd_(std::move(fd)), peer_(std::move(peer)) {}

  // Tries the addresses in turn. Never waits past `until`. `meanwhile` is called once, as soon as
  // the first attempt is on its way; not where there is none.
  [[nodiscard]] static Result<Socket> connect(const std::vector<Address>& addresses,
                                              const Until& until,
                                              std::function<void()> meanwhile = nullptr);

  // Sends everything. One call where the kernel takes it.
  [[nodiscard]] Result<void> send_all(Bytes data) const;
  // Receives at least one byte; 0 means the peer finished sending.
  [[nodiscard]] Result<std::size_t> receive_some(MutableBytes out) const;
  // As receive_some, but waits no longer than `until` (kTimeout).
  [[nodiscard]] Result<std::size_t> receive_some_until(MutableBytes out, const Until& until) const;
  // Fills `first`, then `second`, with one kernel call where the bytes are there (MSG_WAITALL).
  // Returns the bytes received: fewer than asked only when the peer finished sending.
  [[nodiscard]] Result<std::size_t> receive_all(MutableBytes first, MutableBytes second) const;
  // Ends both directions, waking every thread that waits on this socket. Never fails.
  void shut_down() const;
  // Says that nothing more is sent; the peer reads the end after what is under way.
  void finish_sending() const;

  // Asks for a congestion control by name; false where the kernel has or allows it not.
  bool use_congestion_control(std::string_view name) const;
  void set_blocking(bool blocking) const;

  // Also of a connection that is lost.
  [[nodiscard]] const Address& peer() const { return peer_; }
  [[nodiscard]] Address local() const;
  // Bytes handed to the kernel that the peer has not acknowledged; 0 where unknown.
  [[nodiscard]] std::uint64_t unacknowledged_bytes() const;
  // Segments of data that came from the peer so far, modulo 2^32, and how long they are just now.
  // Those included that nobody has received yet and those that wait for a lost one before them
  // (counted in order, megabytes would seem to come all at once after each loss). nullopt where
  // the kernel does not tell.
  struct Arrived {
    std::uint32_t segments = 0;
    std::uint32_t segment_bytes = 0;
    // As they take it of late, queues on the way included. Where TCP's timestamps (RFC 7323) tell.
    std::optional<std::chrono::microseconds> round_trip;
  };
  [[nodiscard]] std::optional<Arrived> arrived() const;
  // What the peer has acknowledged so far, and the round trip of late, queues included. nullopt
  // where the kernel does not tell.
  struct Delivered {
    std::uint64_t bytes = 0;
    std::chrono::microseconds round_trip{};
  };
  [[nodiscard]] std::optional<Delivered> delivered() const;
  // The shortest round trip that the kernel has seen: of the path without queues, and without the
  // time that this process waited for a core. nullopt where it does not tell.
  [[nodiscard]] std::optional<std::chrono::microseconds> least_round_trip() const;
  [[nodiscard]] int descriptor() const { return fd_.get(); }

 private:
  Fd fd_;
  Address peer_;
};

class ListenSocket {
 public:
  // `host` empty: all interfaces, IPv4 and IPv6. Port 0: the kernel chooses. kConnect when
  // taken (os_errno EADDRINUSE).
  [[nodiscard]] static Result<ListenSocket> open(const std::string& host, std::uint16_t port);

  // The same as for a Socket, for all connections to come.
  bool use_congestion_control(std::string_view name) const;
  // Takes one waiting connection, non-blocking on both sides; nullopt when none waits.
  [[nodiscard]] Result<std::optional<Socket>> accept() const;
  [[nodiscard]] Address local() const;
  [[nodiscard]] int descriptor() const { return fd_.get(); }

 private:
  explicit ListenSocket(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace wormhole::platform
