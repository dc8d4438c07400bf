// Sockets over loopback.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "base/units.h"
#include "platform/socket.h"
#include "platform/test_directory.h"
#include "platform/test_sockets.h"

namespace wormhole::platform {
namespace {

using namespace std::chrono_literals;

// Far enough never to be reached.
TimePoint far() { return std::chrono::steady_clock::now() + 1h; }

void wait_readable(int descriptor) {
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  while (::poll(&entry, 1, -1) != 1) {
  }
}

Socket take(const ListenSocket& listener) {
  for (;;) {
    wait_readable(listener.descriptor());
    auto socket = listener.accept();
    WH_CHECK(socket.has_value());
    if (*socket) return std::move(**socket);
  }
}

struct Pair {
  Pair() : listener(std::move(*ListenSocket::open("127.0.0.1", 0))) {
    near = std::move(*Socket::connect({listener.local()}, far()));
    away = take(listener);
    away.set_blocking(true);
  }
  ListenSocket listener;
  Socket near{Fd()};
  Socket away{Fd()};
};

// Closes it as a process does that is gone with data unread.
void reset(Socket& socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  WH_CHECK(::setsockopt(socket.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  socket = Socket{Fd()};
}

ByteVector random_bytes(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  ByteVector bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

constexpr int kRetransmissionTimeoutMax = 44;  // linux/tcp.h, TCP_RTO_MAX_MS

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t bytes = sizeof value;
  EXPECT_EQ(::getsockopt(socket.descriptor(), level, name, &value, &bytes), 0);
  return value;
}

TEST(Socket, CarriesEveryByteBothWaysAtOnce) {
  const Pair pair;
  const ByteVector there = random_bytes(4 * kMiB, 1);
  const ByteVector back = random_bytes(4 * kMiB, 2);
  const auto exchange = [](const Socket& socket, Bytes out, std::size_t in_bytes) {
    std::thread sender([&] { EXPECT_TRUE(socket.send_all(out).has_value()); });
    ByteVector in(in_bytes);
    for (std::size_t at = 0; at < in.size();) {
      // Uneven pieces, a small first part and a large second one: header and payload.
      const std::size_t size = std::min<std::size_t>(in.size() - at, 100'003);
      const std::size_t head = std::min<std::size_t>(size, 24);
      const MutableBytes piece = MutableBytes(in).subspan(at, size);
      EXPECT_EQ(socket.receive_all(piece.first(head), piece.subspan(head)).value_or(0), size);
      at += size;
    }
    sender.join();
    return in;
  };
  ByteVector received_away;
  std::thread other([&] { received_away = exchange(pair.away, back, there.size()); });
  const ByteVector received_near = exchange(pair.near, there, back.size());
  other.join();
  EXPECT_EQ(received_away, there);
  EXPECT_EQ(received_near, back);
}

TEST(Socket, ReceiveAllGivesLessOnlyAtTheEnd) {
  const Pair pair;
  ASSERT_TRUE(pair.near.send_all(as_bytes("12345")).has_value());
  pair.near.finish_sending();
  ByteVector first(3);
  ByteVector second(10);
  EXPECT_EQ(*pair.away.receive_all(first, second), 5u);
  EXPECT_EQ(as_text(first), "123");
  EXPECT_EQ(as_text(Bytes(second).first(2)), "45");
  EXPECT_EQ(*pair.away.receive_all(first, second), 0u);
  EXPECT_EQ(*pair.away.receive_all({}, {}), 0u);
}

TEST(Socket, ReceiveAllTakesAnEmptyPart) {
  const Pair pair;
  ASSERT_TRUE(pair.near.send_all(as_bytes("abcd")).has_value());
  ByteVector buffer(2);
  EXPECT_EQ(*pair.away.receive_all({}, buffer), 2u);
  EXPECT_EQ(as_text(buffer), "ab");
  EXPECT_EQ(*pair.away.receive_all(buffer, {}), 2u);
  EXPECT_EQ(as_text(buffer), "cd");
}

TEST(Socket, FinishSendingLeavesTheOtherDirection) {
  const Pair pair;
  pair.near.finish_sending();
  ByteVector buffer(16);
  EXPECT_EQ(*pair.away.receive_some(buffer), 0u);
  ASSERT_TRUE(pair.away.send_all(as_bytes("still")).has_value());
  EXPECT_EQ(*pair.near.receive_some(buffer), 5u);
}

TEST(Socket, ReceiveSomeUntilHonoursTheDeadline) {
  const Pair pair;
  ByteVector buffer(16);
  const TimePoint past = std::chrono::steady_clock::now() - 1s;
  EXPECT_EQ(pair.away.receive_some_until(buffer, past).error().code, Code::kTimeout);
  const TimePoint soon = std::chrono::steady_clock::now() + 20ms;
  EXPECT_EQ(pair.away.receive_some_until(buffer, soon).error().code, Code::kTimeout);
  EXPECT_GE(std::chrono::steady_clock::now(), soon);

  ASSERT_TRUE(pair.near.send_all(as_bytes("x")).has_value());
  EXPECT_EQ(*pair.away.receive_some_until(buffer, far()), 1u);
  pair.near.shut_down();
  EXPECT_EQ(*pair.away.receive_some_until(buffer, far()), 0u);
}

TEST(Socket, ShutDownWakesAReceiver) {
  const Pair pair;
  std::thread receiver([&] {
    ByteVector buffer(16);
    EXPECT_EQ(pair.near.receive_some(buffer).value_or(0), 0u);
  });
  std::thread patient([&] {
    ByteVector buffer(16);
    EXPECT_EQ(pair.near.receive_some_until(buffer, far()).value_or(0), 0u);
  });
  pair.near.shut_down();
  receiver.join();
  patient.join();
}

TEST(Socket, ShutDownWakesASender) {
  const Pair pair;
  std::thread sender([&] {
    // More than any buffer, and nobody reads: ends by the shutdown alone.
    const ByteVector data(1 * kMiB);
    Result<void> sent;
    while (sent) sent = pair.near.send_all(data);
    EXPECT_EQ(sent.error().code, Code::kLost);
  });
  while (pair.near.unacknowledged_bytes() == 0) std::this_thread::yield();
  pair.near.shut_down();
  sender.join();
}

TEST(Socket, ALostPeerIsAnErrorAndNoSignal) {
  Pair pair;
  pair.away = Socket{Fd()};  // closed
  const ByteVector data(64 * kKiB);
  Result<void> sent;
  while (sent) sent = pair.near.send_all(data);
  EXPECT_EQ(sent.error().code, Code::kLost);
}

TEST(Socket, AResetIsLost) {
  Pair pair;
  reset(pair.away);
  ByteVector buffer(1);
  EXPECT_EQ(pair.near.receive_some(buffer).error().code, Code::kLost);
  EXPECT_EQ(pair.near.peer(), pair.listener.local());  // it can still be told who was lost
}

TEST(Socket, ConnectTriesTheNextAddress) {
  Address closed;
  {
    const auto gone = ListenSocket::open("127.0.0.1", 0);
    closed = gone->local();
  }
  const auto listener = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listener.has_value());
  const auto refused = Socket::connect({closed}, far());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kConnect);
  EXPECT_EQ(refused.error().os_errno, ECONNREFUSED);
  EXPECT_EQ(refused.error().object, closed.to_string());
  const auto second = Socket::connect({closed, listener->local()}, far());
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->peer(), listener->local());
  EXPECT_EQ(Socket::connect({}, far()).error().code, Code::kConnect);
}

// A listener whose queue is full: the kernel drops further connections without a word, as a
// firewall does.
class SilentListener {
 public:
  SilentListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    WH_CHECK(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    WH_CHECK(::listen(fd_.get(), 0) == 0);
    socklen_t bytes = sizeof address;
    WH_CHECK(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
    address_ = {.ip = "127.0.0.1", .port = ntohs(address.sin_port)};
    for (int filler = 0; filler < 4; ++filler) {
      Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const int begun = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
      EXPECT_TRUE(begun == 0 || errno == EINPROGRESS);
      fillers_.push_back(std::move(fd));
    }
  }
  [[nodiscard]] const Address& address() const { return address_; }

 private:
  Fd fd_;
  Address address_;
  std::vector<Fd> fillers_;
};

TEST(Socket, ConnectEndsAtTheDeadline) {
  const SilentListener silent;
  const TimePoint deadline = std::chrono::steady_clock::now() + 50ms;
  const auto socket = Socket::connect({silent.address()}, deadline);
  ASSERT_FALSE(socket.has_value());
  EXPECT_EQ(socket.error().code, Code::kTimeout);
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
  const auto late = Socket::connect({silent.address()}, deadline);
  EXPECT_EQ(late.error().code, Code::kTimeout);
}

TEST(Socket, ASilentAddressLeavesTimeForTheOthers) {
  const SilentListener silent;
  const auto listener = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listener.has_value());
  // Half of this is spent on the silent one; the rest is ample for the kernel to answer.
  const TimePoint deadline = std::chrono::steady_clock::now() + 4s;
  const auto socket = Socket::connect({silent.address(), listener->local()}, deadline);
  ASSERT_TRUE(socket.has_value()) << to_sentence(socket.error());
  EXPECT_EQ(socket->peer(), listener->local());
}

TEST(Socket, ConnectionsAreTuned) {
  const Pair pair;
  for (const Socket* socket : {&pair.near, &pair.away}) {
    EXPECT_EQ(option(*socket, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(*socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(*socket, IPPROTO_TCP, TCP_USER_TIMEOUT),
              std::chrono::milliseconds(kUnacknowledgedTimeout).count());
    const auto noticed =
        option(*socket, IPPROTO_TCP, TCP_KEEPIDLE) +
        option(*socket, IPPROTO_TCP, TCP_KEEPINTVL) * option(*socket, IPPROTO_TCP, TCP_KEEPCNT);
    EXPECT_LE(noticed, kIdleTimeout.count());
    // Older kernels than 6.15 know no such limit.
    int longest = 0;
    socklen_t bytes = sizeof longest;
    if (::getsockopt(socket->descriptor(), IPPROTO_TCP, kRetransmissionTimeoutMax, &longest,
                     &bytes) == 0) {
      EXPECT_EQ(longest, 3000);
    }
    EXPECT_NE(::fcntl(socket->descriptor(), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(::fcntl(pair.near.descriptor(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Socket, CongestionControlIsAskedForByName) {
  const Pair pair;
  EXPECT_TRUE(pair.near.use_congestion_control("reno"));  // in every kernel
  EXPECT_FALSE(pair.near.use_congestion_control("none-of-that-name"));
}

TEST(Socket, ConnectionsBeginWithTheirListenersCongestionControl) {
  const auto listener = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listener.has_value());
  EXPECT_TRUE(listener->use_congestion_control("reno"));
  EXPECT_FALSE(listener->use_congestion_control("none-of-that-name"));
  const auto near = Socket::connect({listener->local()}, far());
  EXPECT_EQ(congestion_control_of(take(*listener)), "reno");
}

TEST(Socket, CountsWhatIsNotAcknowledged) {
  const Pair pair;
  EXPECT_EQ(pair.near.unacknowledged_bytes(), 0u);
  pair.near.set_blocking(false);
  const ByteVector data(256 * kKiB);
  Result<void> sent;
  while (sent) sent = pair.near.send_all(data);
  EXPECT_EQ(sent.error().code, Code::kTimeout);
  EXPECT_EQ(sent.error().os_errno, EAGAIN);
  EXPECT_TRUE(sent.error().retryable);
  EXPECT_GT(pair.near.unacknowledged_bytes(), 0u);
}

TEST(ListenSocket, AcceptsWithoutWaiting) {
  const auto listener = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listener.has_value());
  EXPECT_NE(listener->local().port, 0);
  const auto none = listener->accept();
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());

  const auto near = Socket::connect({listener->local()}, far());
  ASSERT_TRUE(near.has_value());
  const Socket away = take(*listener);
  EXPECT_EQ(away.peer(), near->local());
  EXPECT_EQ(away.local(), near->peer());
  ByteVector buffer(1);
  const auto nothing_yet = away.receive_some(buffer);
  ASSERT_FALSE(nothing_yet.has_value());
  EXPECT_EQ(nothing_yet.error().os_errno, EAGAIN);
  EXPECT_TRUE(nothing_yet.error().retryable);
}

// What a controller of streams goes by, at either end.
TEST(Socket, TellsWhatWasCarriedAndHowLongItTakes) {
  Pair pair;
  const ByteVector block(kMiB);
  ByteVector received(block.size());
  for (int i = 0; i < 4; ++i) {
    std::jthread sending([&] { ASSERT_TRUE(pair.near.send_all(block).has_value()); });
    ASSERT_TRUE(pair.away.receive_all(received, {}).has_value());
  }
  const auto arrived = pair.away.arrived();
  ASSERT_TRUE(arrived.has_value());
  EXPECT_GE(std::uint64_t{arrived->segments} * arrived->segment_bytes, 4 * kMiB);
  ASSERT_TRUE(arrived->round_trip.has_value()) << "are TCP's timestamps off?";
  EXPECT_GT(*arrived->round_trip, 0us);
  // The last acknowledgement may still be on its way.
  const auto delivered = pair.near.delivered();
  ASSERT_TRUE(delivered.has_value());
  EXPECT_GT(delivered->bytes, 0U);
  EXPECT_LE(delivered->bytes, 4 * kMiB + 1);
  EXPECT_GT(delivered->round_trip, 0us);
  const auto nothing = pair.near.arrived();
  ASSERT_TRUE(nothing.has_value());
  EXPECT_EQ(nothing->segments, 0U);
  EXPECT_FALSE(nothing->round_trip.has_value());
}

TEST(ListenSocket, WhoHasGoneAgainCanStillBeTold) {
  const auto listener = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(listener.has_value());
  auto near = Socket::connect({listener->local()}, far());
  ASSERT_TRUE(near.has_value());
  const Address from = near->local();
  reset(*near);
  EXPECT_EQ(take(*listener).peer(), from);
}

TEST(ListenSocket, ATakenPortIsToldByItsErrno) {
  const auto first = ListenSocket::open("127.0.0.1", 0);
  ASSERT_TRUE(first.has_value());
  for (const char* host : {"127.0.0.1", ""}) {
    const auto second = ListenSocket::open(host, first->local().port);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Code::kConnect);
    EXPECT_EQ(second.error().os_errno, EADDRINUSE);
  }
  EXPECT_EQ(ListenSocket::open("192.0.2.1", 0).error().os_errno, EADDRNOTAVAIL);
}

TEST(ListenSocket, AnyInterfaceTakesBothFamilies) {
  const auto listener = ListenSocket::open("", 0);
  ASSERT_TRUE(listener.has_value());
  const std::uint16_t port = listener->local().port;
  const auto v4 = Socket::connect({{.ip = "127.0.0.1", .port = port}}, far());
  ASSERT_TRUE(v4.has_value());
  const Address seen = take(*listener).peer();
  EXPECT_EQ(seen.ip, "127.0.0.1");  // not ::ffff:127.0.0.1
  EXPECT_FALSE(seen.is_v6);

  const auto v6 = Socket::connect({{.ip = "::1", .port = port, .is_v6 = true}}, far());
  if (!v6) GTEST_SKIP() << "no IPv6 loopback here: " << to_sentence(v6.error());
  const Socket away = take(*listener);
  EXPECT_EQ(away.peer(), v6->local());
  EXPECT_TRUE(away.peer().is_v6);
  EXPECT_EQ(away.peer().ip, "::1");
}

TEST(Address, IsWrittenAsOneTypesIt) {
  EXPECT_EQ((Address{.ip = "192.0.2.1", .port = 7117}).to_string(), "192.0.2.1:7117");
  EXPECT_EQ((Address{.ip = "2001:db8::1:2:3:4", .is_v6 = true}).of_one_peer(), "2001:db8::/64");
  EXPECT_EQ((Address{.ip = "2001:db8:0:1::2", .is_v6 = true}).of_one_peer(), "2001:db8:0:1::/64");
  // On this link, where nobody has a network of his own.
  EXPECT_EQ((Address{.ip = "fe80::1%eth0", .is_v6 = true}).of_one_peer(), "fe80::1%eth0");
  EXPECT_EQ((Address{.ip = "192.0.2.1"}).of_one_peer(), "192.0.2.1");
  EXPECT_EQ((Address{.ip = "2001:db8::1", .port = 1, .is_v6 = true}).to_string(),
            "[2001:db8::1]:1");
}

TEST(Resolve, TakesNumericAddressesAsTheyAre) {
  const auto v4 = resolve("192.0.2.7", 7117);
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(*v4, (std::vector<Address>{{.ip = "192.0.2.7", .port = 7117}}));
  const auto v6 = resolve("2001:DB8:0::7", 7117);
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(*v6, (std::vector<Address>{{.ip = "2001:db8::7", .port = 7117, .is_v6 = true}}));
}

TEST(Resolve, FindsThisMachine) {
  const auto found = resolve("localhost", 1);
  ASSERT_TRUE(found.has_value()) << to_sentence(found.error());
  EXPECT_TRUE(std::ranges::any_of(*found, [](const Address& address) {
    return address.ip == "127.0.0.1" || address.ip == "::1";
  }));
}

TEST(Resolve, RefusesWhatIsNoHost) {
  // None of these is a name that a resolver could ask for.
  for (const std::string& host : {std::string(), std::string("a\0b", 3), std::string(300, 'a')}) {
    const auto found = resolve(host, 1);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, Code::kConnect);
    EXPECT_FALSE(found.error().detail.empty());
  }
}

TEST(LocalAddresses, AreThoseAnotherMachineCouldUse) {
  const auto addresses = local_addresses(7117);
  ASSERT_FALSE(addresses.empty());
  const auto is_loopback = [](const Address& address) {
    return address.ip.starts_with("127.") || address.ip == "::1";
  };
  const bool only_loopback = std::ranges::all_of(addresses, is_loopback);
  for (const Address& address : addresses) {
    EXPECT_EQ(address.port, 7117);
    EXPECT_FALSE(address.ip.starts_with("169.254.")) << address.ip;
    EXPECT_FALSE(address.ip.starts_with("fe80:")) << address.ip;
    EXPECT_EQ(is_loopback(address), only_loopback) << address.ip;
    EXPECT_EQ(resolve(address.ip, address.port)->front(), address);
  }
}

}  // namespace
}  // namespace wormhole::platform
