#include "link_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace wormhole::lab {

namespace {

constexpr double kNanosecondsPerSecond = 1e9;

// Splits "2.5gbit" into 2.5 and "gbit". None for negative, infinite or missing numbers.
std::optional<std::pair<double, std::string_view>> number_and_unit(const char* text) {
  char* end = nullptr;
  const double number = std::strtod(text, &end);
  if (end == text || !std::isfinite(number) || number < 0) return std::nullopt;
  return std::pair{number, std::string_view(end)};
}

}  // namespace

std::uint64_t LinkModel::queue_limit_bytes() const {
  if (settings_.queue_bytes != 0) return settings_.queue_bytes;
  const double round_trip_seconds =
      2.0 * static_cast<double>(settings_.one_way_delay) / kNanosecondsPerSecond;
  const double product = static_cast<double>(settings_.bits_per_second) / 8.0 * round_trip_seconds;
  return std::max(kMinQueueBytes, static_cast<std::uint64_t>(product));
}

void LinkModel::offer(Packet packet, Nanoseconds now) {
  if (queued_bytes_ + packet.size() > queue_limit_bytes()) {
    ++counters_.dropped;
    return;
  }
  queued_bytes_ += packet.size();
  queue_.push_back({std::move(packet), now});
}

Nanoseconds LinkModel::transmission_end(const Waiting& waiting) const {
  const Nanoseconds start = std::max(free_at_, waiting.arrived);
  if (settings_.bits_per_second == 0) return start;
  const double bits = static_cast<double>(waiting.packet.size()) * 8.0;
  return start + static_cast<Nanoseconds>(bits * kNanosecondsPerSecond /
                                          static_cast<double>(settings_.bits_per_second));
}

void LinkModel::advance(Nanoseconds now) {
  while (!queue_.empty()) {
    const Nanoseconds end = transmission_end(queue_.front());
    if (end > now) return;
    free_at_ = end;
    Packet packet = std::move(queue_.front().packet);
    queue_.pop_front();
    queued_bytes_ -= packet.size();
    if (settings_.loss > 0 &&
        std::uniform_real_distribution<double>(0.0, 1.0)(random_) < settings_.loss) {
      ++counters_.lost;
      continue;
    }
    line_.push_back({std::move(packet), end + settings_.one_way_delay});
  }
}

std::optional<LinkModel::Packet> LinkModel::take_due(Nanoseconds now) {
  if (line_.empty() || line_.front().due > now) return std::nullopt;
  Packet packet = std::move(line_.front().packet);
  line_.pop_front();
  ++counters_.packets;
  counters_.bytes += packet.size();
  return packet;
}

std::optional<Nanoseconds> LinkModel::next_event() const {
  std::optional<Nanoseconds> next;
  if (!line_.empty()) next = line_.front().due;
  if (!queue_.empty()) {
    const Nanoseconds end = transmission_end(queue_.front());
    next = next ? std::min(*next, end) : end;
  }
  return next;
}

std::optional<std::uint64_t> parse_rate(const char* text) {
  const auto parsed = number_and_unit(text);
  if (!parsed) return std::nullopt;
  const auto [number, unit] = *parsed;
  double factor = 0;
  if (unit == "gbit") factor = 1e9;
  if (unit == "mbit") factor = 1e6;
  if (unit == "kbit") factor = 1e3;
  if (unit == "bit" || (unit.empty() && number == 0)) factor = 1;
  if (factor == 0 || number * factor > 1e12) return std::nullopt;
  return static_cast<std::uint64_t>(number * factor);
}

std::optional<Nanoseconds> parse_duration(const char* text) {
  const auto parsed = number_and_unit(text);
  if (!parsed) return std::nullopt;
  const auto [number, unit] = *parsed;
  double factor = 0;
  if (unit == "s") factor = 1e9;
  if (unit == "ms") factor = 1e6;
  if (unit == "us") factor = 1e3;
  if (unit.empty() && number == 0) factor = 1;
  if (factor == 0 || number * factor > 60e9) return std::nullopt;
  return static_cast<Nanoseconds>(number * factor);
}

std::optional<double> parse_probability(const char* text) {
  const auto parsed = number_and_unit(text);
  if (!parsed) return std::nullopt;
  const auto [number, unit] = *parsed;
  if (!unit.empty() && unit != "%") return std::nullopt;
  const double probability = unit == "%" ? number / 100.0 : number;
  if (probability > 1.0) return std::nullopt;
  return probability;
}

}  // namespace wormhole::lab
