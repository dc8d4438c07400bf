// Emulates a wide-area link between two network namespaces (the kernel's netem is often absent):
// opens a TUN device in each and relays packets through two LinkModels.
//
//     link_emulator --a NETNS:DEVICE --b NETNS:DEVICE
//                   [--rate 100mbit] [--rtt 50ms] [--loss 1%] [--queue BYTES] [--seed N]
//
// Prints {"event":"ready"} once both devices exist; the caller then gives them addresses. Lines on
// stdin change the link under way: "rate 50mbit", "rtt 20ms", "loss 0", "stats". The end of stdin
// ends it (so it never outlives the script that started it), and it prints its counters then.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "link_model.h"

namespace wormhole::lab {
namespace {

// Under load the devices are looked at once a tick, rather than woken for each packet: at 1 Gbit/s
// packets come every 12 us, and one wake-up for each would take a core. 1 % of a WAN's round trip
// is no matter.
constexpr Nanoseconds kTick = 500'000;
// The default slack of 50 us would add to every delay.
constexpr unsigned long kTimerSlackNanoseconds = 5'000;
// One direction never keeps the other waiting for more than this many packets.
constexpr int kMaxPacketsPerRound = 1024;

[[noreturn]] void die(const std::string& what) {
  const int error = errno;
  std::fprintf(stderr, "link_emulator: %s: %s\n", what.c_str(), std::strerror(error));
  std::exit(1);
}

[[noreturn]] void usage(const std::string& what) {
  std::fprintf(stderr,
               "link_emulator: %s\n"
               "usage: link_emulator --a NETNS:DEVICE --b NETNS:DEVICE [--rate 100mbit]\n"
               "         [--rtt 50ms] [--loss 1%%] [--queue BYTES] [--seed N]\n",
               what.c_str());
  std::exit(2);
}

Nanoseconds monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanoseconds>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Opens DEVICE in namespace NETNS. Leaves this thread in that namespace, which is harmless: all
// later I/O is on descriptors already open.
int open_tun(const std::string& place) {
  const std::size_t colon = place.rfind(':');
  if (colon == std::string::npos) usage("not NETNS:DEVICE: " + place);
  const std::string device = place.substr(colon + 1);
  if (device.empty() || device.size() >= IFNAMSIZ) usage("bad device name: " + device);
  const std::string path = "/run/netns/" + place.substr(0, colon);

  const int netns = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (netns < 0) die("open " + path);
  if (setns(netns, CLONE_NEWNET) != 0) die("enter " + path);
  close(netns);

  const int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (tun < 0) die("open /dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::memcpy(request.ifr_name, device.c_str(), device.size());
  if (ioctl(tun, TUNSETIFF, &request) != 0) die("create " + place);
  return tun;
}

// Reads what waits in the device into the model. Returns the number of packets.
int drain(int tun, LinkModel& link) {
  static std::array<std::byte, kMaxPacketBytes> buffer;
  int packets = 0;
  while (packets < kMaxPacketsPerRound) {
    const ssize_t size = read(tun, buffer.data(), buffer.size());
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EIO) break;  // EIO: the device is not up
      die("read from device");
    }
    link.offer(LinkModel::Packet(buffer.data(), buffer.data() + size), monotonic_now());
    ++packets;
  }
  return packets;
}

// Writes the packets whose time has come. A device that is down loses them, as a cable would.
void deliver(LinkModel& link, int tun, Nanoseconds now) {
  link.advance(now);
  while (auto packet = link.take_due(now)) {
    while (write(tun, packet->data(), packet->size()) < 0 && errno == EINTR) {
    }
  }
}

void print_counters(const char* event, const LinkModel& forward, const LinkModel& backward) {
  auto print = [](const char* name, const LinkCounters& counters) {
    std::printf(",\"%s\":{\"packets\":%llu,\"bytes\":%llu,\"lost\":%llu,\"dropped\":%llu}", name,
                static_cast<unsigned long long>(counters.packets),
                static_cast<unsigned long long>(counters.bytes),
                static_cast<unsigned long long>(counters.lost),
                static_cast<unsigned long long>(counters.dropped));
  };
  std::printf("{\"event\":\"%s\"", event);
  print("a_to_b", forward.counters());
  print("b_to_a", backward.counters());
  std::printf("}\n");
  std::fflush(stdout);
}

// Applies "rate", "rtt" or "loss" to both directions. False if it is not understood.
bool apply_setting(std::string_view name, const char* value, LinkModel& forward,
                   LinkModel& backward) {
  for (LinkModel* link : {&forward, &backward}) {
    LinkSettings& settings = link->settings();
    if (name == "rate") {
      const auto rate = parse_rate(value);
      if (!rate) return false;
      settings.bits_per_second = *rate;
    } else if (name == "rtt") {
      const auto round_trip = parse_duration(value);
      if (!round_trip) return false;
      settings.one_way_delay = *round_trip / 2;
    } else if (name == "loss") {
      const auto loss = parse_probability(value);
      if (!loss) return false;
      settings.loss = *loss;
    } else {
      return false;
    }
  }
  return true;
}

// Lines from stdin. take() returns false at its end.
class Commands {
 public:
  bool take(LinkModel& forward, LinkModel& backward) {
    std::array<char, 256> buffer;
    const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size < 0) return errno == EINTR || errno == EAGAIN;
    if (size == 0) return false;
    pending_.append(buffer.data(), static_cast<std::size_t>(size));
    for (std::size_t end; (end = pending_.find('\n')) != std::string::npos;) {
      run(pending_.substr(0, end), forward, backward);
      pending_.erase(0, end + 1);
    }
    return pending_.size() < buffer.size();
  }

 private:
  static void run(const std::string& line, LinkModel& forward, LinkModel& backward) {
    if (line == "stats") return print_counters("stats", forward, backward);
    const std::size_t space = line.find(' ');
    const bool understood =
        space != std::string::npos &&
        apply_setting(line.substr(0, space), line.c_str() + space + 1, forward, backward);
    std::printf("{\"event\":\"%s\"}\n", understood ? "changed" : "not understood");
    std::fflush(stdout);
  }

  std::string pending_;
};

// Sleeps until there is something to do. After a round that read packets it sleeps a whole tick,
// without looking at the devices; otherwise until a packet, a command or the next event comes.
// Returns false when stdin has something.
bool wait(int tun_a, int tun_b, bool busy, const LinkModel& forward, const LinkModel& backward) {
  Nanoseconds until = -1;
  for (const LinkModel* link : {&forward, &backward}) {
    const auto next = link->next_event();
    if (next && (until < 0 || *next < until)) until = *next;
  }
  const Nanoseconds now = monotonic_now();
  timespec timeout{};
  timespec* timeout_or_null = &timeout;
  if (busy) {
    timeout.tv_nsec = kTick;
  } else if (until < 0) {
    timeout_or_null = nullptr;
  } else if (until > now) {
    timeout.tv_sec = (until - now) / 1'000'000'000;
    timeout.tv_nsec = (until - now) % 1'000'000'000;
  }
  pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {tun_a, POLLIN, 0}, {tun_b, POLLIN, 0}};
  if (ppoll(waits, busy ? 1 : 3, timeout_or_null, nullptr) < 0 && errno != EINTR) die("poll");
  return waits[0].revents == 0;
}

int run(int tun_a, int tun_b, LinkModel& forward, LinkModel& backward) {
  Commands commands;
  std::printf("{\"event\":\"ready\"}\n");
  std::fflush(stdout);
  for (;;) {
    const bool busy = drain(tun_a, forward) + drain(tun_b, backward) > 0;
    const Nanoseconds now = monotonic_now();
    deliver(forward, tun_b, now);
    deliver(backward, tun_a, now);
    if (wait(tun_a, tun_b, busy, forward, backward)) continue;
    if (!commands.take(forward, backward)) break;
  }
  print_counters("end", forward, backward);
  return 0;
}

int main_with(int argc, char** argv) {
  std::string place_a;
  std::string place_b;
  std::uint64_t seed = 1;
  LinkModel settings_of_both({}, 0);
  LinkSettings& settings = settings_of_both.settings();
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) usage("no value for " + std::string(name));
    const char* value = argv[i + 1];
    if (name == "--a") {
      place_a = value;
    } else if (name == "--b") {
      place_b = value;
    } else if (name == "--seed") {
      seed = std::strtoull(value, nullptr, 10);
    } else if (name == "--queue") {
      settings.queue_bytes = std::strtoull(value, nullptr, 10);
    } else if (name.size() < 3 ||
               !apply_setting(name.substr(2), value, settings_of_both, settings_of_both)) {
      usage("not understood: " + std::string(name) + " " + value);
    }
  }
  if (place_a.empty() || place_b.empty()) usage("--a and --b are needed");

  signal(SIGPIPE, SIG_IGN);  // a caller that is gone shows as the end of stdin
  prctl(PR_SET_TIMERSLACK, kTimerSlackNanoseconds);
  const int tun_a = open_tun(place_a);
  const int tun_b = open_tun(place_b);
  // The directions lose different packets, or an answer would share its question's fate.
  LinkModel forward(settings, 2 * seed);
  LinkModel backward(settings, 2 * seed + 1);
  return run(tun_a, tun_b, forward, backward);
}

}  // namespace
}  // namespace wormhole::lab

int main(int argc, char** argv) { return wormhole::lab::main_with(argc, argv); }
