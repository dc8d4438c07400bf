// How long until the first byte: cold (from nothing, by code) and warm (a Get on an open
// session). Prints one JSON line, with the timeline of the cold start.
//
//   WORMHOLE_CODE=... first_byte_probe HOST PORT [RUNS]
//
// Fetches everything the host shares (share one small file) into fresh temporary directories.
// The times are medians of RUNS (9) cold starts and as many warm Gets.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/process.h"
#include "platform/socket.h"
#include "session/join_code.h"
#include "transfer/client.h"

namespace {

using wormhole::Result;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr unsigned kRunsByDefault = 9;

class NoEvents final : public wormhole::transfer::TakerEvents {
 public:
  void on_failed(const std::string& path, const wormhole::Error& error) override {
    fmt::print(stderr, "{}: {}\n", path, wormhole::to_sentence(error));
    failed = true;
  }
  void on_file(const std::string&) override {}
  bool failed = false;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Samples {
  std::vector<double> connect, exchange, authenticate, cold, warm;
};

Result<double> fetch(wormhole::transfer::Client& client, const std::string& destination,
                     wormhole::TimePoint since) {
  wormhole::transfer::TakenCounters counters;
  NoEvents events;
  WH_TRY(client.get("", {.destination = {destination}}, events, counters));
  if (events.failed || !client.first_byte().has_value()) {
    return wormhole::fail({.code = wormhole::Code::kRemoteIo,
                           .operation = "measure",
                           .detail = "no byte of a file arrived"});
  }
  return Milliseconds(*client.first_byte() - since).count();
}

Result<void> measure(const std::vector<wormhole::platform::Address>& addresses,
                     const wormhole::session::JoinCode& code, const std::string& box,
                     Samples& samples) {
  const wormhole::SystemClock clock;
  wormhole::platform::SystemRandom random;
  wormhole::BlockPool pool;
  wormhole::transfer::Client client(clock, random, pool, {});
  const std::string name = box + "/" + std::to_string(samples.cold.size());
  WH_TRY(client.connect(addresses, code));
  const auto& line = client.timeline();
  WH_ASSIGN(const double cold, fetch(client, name + "-cold", line.started));
  const auto asked = clock.now();
  WH_ASSIGN(const double warm, fetch(client, name + "-warm", asked));
  samples.connect.push_back(Milliseconds(line.connected - line.started).count());
  samples.exchange.push_back(Milliseconds(line.key_exchanged - line.connected).count());
  samples.authenticate.push_back(Milliseconds(line.authenticated - line.key_exchanged).count());
  samples.cold.push_back(cold);
  samples.warm.push_back(warm);
  return {};
}

Result<Samples> measure_all(const std::string& host, std::uint16_t port, unsigned runs,
                            const std::string& box) {
  const char* text = std::getenv("WORMHOLE_CODE");
  WH_ASSIGN(const auto code, wormhole::session::JoinCode::parse(text == nullptr ? "" : text));
  WH_ASSIGN(const auto addresses, wormhole::platform::resolve(host, port));
  Samples samples;
  for (unsigned run = 0; run < runs; ++run) WH_TRY(measure(addresses, code, box, samples));
  return samples;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: WORMHOLE_CODE=... first_byte_probe HOST PORT [RUNS]\n");
    return 2;
  }
  const unsigned runs = argc > 3 ? static_cast<unsigned>(std::stoul(argv[3])) : kRunsByDefault;
  std::string box =
      (std::filesystem::temp_directory_path() / "wormhole-first-byte-XXXXXX").string();
  if (mkdtemp(box.data()) == nullptr) return 6;
  const auto samples =
      measure_all(argv[1], static_cast<std::uint16_t>(std::stoul(argv[2])), runs, box);
  std::filesystem::remove_all(box);
  if (!samples.has_value()) {
    fmt::print(stderr, "first_byte_probe: {}\n", wormhole::to_sentence(samples.error()));
    return 1;
  }
  fmt::print(
      "{{\"runs\":{},\"connect_ms\":{:.3f},\"key_exchange_ms\":{:.3f},\"tls_ms\":{:.3f},"
      "\"cold_ms\":{:.3f},\"warm_ms\":{:.3f}}}\n",
      runs, median(samples->connect), median(samples->exchange), median(samples->authenticate),
      median(samples->cold), median(samples->warm));
  return 0;
}
