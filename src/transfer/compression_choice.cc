#include "transfer/compression_choice.h"

#include <algorithm>
#include <cmath>

namespace wormhole::transfer {
namespace {

using namespace std::chrono_literals;

// What is usual, of text and programs, on one core of 2023: seconds a byte, and what is left.
constexpr double kMegabyte = 1e6;
struct Usual {
  double seconds_per_byte;
  double left;
};
constexpr std::array<Usual, kEfforts> kUsual{{{0, 1},
                                              {1 / (700 * kMegabyte), 0.45},
                                              {1 / (450 * kMegabyte), 0.33},
                                              {1 / (350 * kMegabyte), 0.31},
                                              {1 / (120 * kMegabyte), 0.27}}};

// A frame says this much of what the next ones will be like.
constexpr double kWeight = 0.125;
// One frame that took so many times as long, or as short, says no more than that: its thread was
// not running.
constexpr double kSurpriseMax = 4;
// What was measured of an effort holds for so many frames of others.
constexpr std::uint32_t kAgeMax = 256;
// While nothing is compressed, what compressing did is forgotten by and by: other files come, and
// the machine has time again.
constexpr double kForgetting = 1.0 / 256;
// The kernel's pace is that of about so long.
constexpr std::chrono::duration<double> kPaceMemory = 500ms;

// Saving less time than this is not worth the other end's work, nor going to and fro.
constexpr double kWorthBeginning = 0.85;
constexpr double kWorthChanging = 0.95;

// Smaller frames are a few packets, whatever is done to them.
constexpr std::size_t kFrameMinBytes = 4 * kKiB;
// The sample, in stretches over the payload.
constexpr std::size_t kStretches = 16;
constexpr std::size_t kStretchBytes = 256;
// Random bytes come to 7.95 in a sample of this size; pictures, films and archives to 7.8 and more.
constexpr double kEntropyMax = 7.7;
constexpr std::uint32_t kSkipMaxLog2 = 6;

}  // namespace

double sampled_entropy(Bytes payload) {
  std::array<std::uint32_t, 256> count{};
  const std::size_t step = std::max(payload.size() / kStretches, kStretchBytes);
  std::size_t sampled = 0;
  for (std::size_t at = 0; at < payload.size(); at += step) {
    const Bytes stretch = payload.subspan(at, std::min(kStretchBytes, payload.size() - at));
    for (const std::byte value : stretch) ++count[std::to_integer<std::size_t>(value)];
    sampled += stretch.size();
  }
  double bits = 0;
  for (const std::uint32_t times : count) {
    if (times == 0) continue;
    const double share = static_cast<double>(times) / static_cast<double>(sampled);
    bits -= share * std::log2(share);
  }
  return bits;
}

CompressionChoice::CompressionChoice() {
  for (std::size_t effort = 0; effort < kEfforts; ++effort) {
    efforts_[effort] = {kUsual[effort].seconds_per_byte, kUsual[effort].left};
  }
}

Effort CompressionChoice::cheapest() const {
  if (sent_bytes_ <= 0) return Effort::kNone;  // nothing is known of the path yet
  const double sending = sending_seconds_ / sent_bytes_;
  const auto cost = [&](Effort effort) {
    const Measured& measured = efforts_[static_cast<std::size_t>(effort)];
    const double all = measured.seconds_per_byte + measured.left * sending;
    return effort == last_ ? kWorthChanging * all : all;
  };
  Effort best = Effort::kLz4;
  for (std::size_t effort = 2; effort < kEfforts; ++effort) {
    if (cost(static_cast<Effort>(effort)) < cost(best)) best = static_cast<Effort>(effort);
  }
  return cost(best) < kWorthBeginning * sending ? best : Effort::kNone;
}

Effort CompressionChoice::effort_for(std::uint64_t file, Bytes payload) {
  last_ = cheapest();
  if (last_ == Effort::kNone) {
    for (std::size_t effort = 1; effort < kEfforts; ++effort) {
      Measured& measured = efforts_[effort];
      measured.left += kForgetting * (kUsual[effort].left - measured.left);
      measured.seconds_per_byte +=
          kForgetting * (kUsual[effort].seconds_per_byte - measured.seconds_per_byte);
    }
    return Effort::kNone;
  }
  if (payload.size() < kFrameMinBytes) return Effort::kNone;
  if (file != file_) {
    file_ = file;
    fruitless_ = skip_ = 0;
  }
  if (skip_ > 0) {
    --skip_;
    return Effort::kNone;
  }
  return sampled_entropy(payload) > kEntropyMax ? Effort::kNone : last_;
}

void CompressionChoice::on_compressed(Effort effort, std::uint64_t plain, std::uint64_t left,
                                      Duration took) {
  if (left >= plain) {
    fruitless_ = std::min(fruitless_ + 1, kSkipMaxLog2);
    skip_ = 1U << fruitless_;
    return;
  }
  fruitless_ = 0;
  const auto used = static_cast<std::size_t>(effort);
  Measured& own = efforts_[used];
  const double seconds = std::chrono::duration<double>(took).count() / static_cast<double>(plain);
  own.seconds_per_byte += kWeight * (std::clamp(seconds, own.seconds_per_byte / kSurpriseMax,
                                                own.seconds_per_byte * kSurpriseMax) -
                                     own.seconds_per_byte);
  own.left += kWeight * (static_cast<double>(left) / static_cast<double>(plain) - own.left);
  own.age = 0;
  // Those that were not used lately are as far from what is usual.
  const double slower = own.seconds_per_byte / kUsual[used].seconds_per_byte;
  const double larger = own.left / kUsual[used].left;
  for (std::size_t other = 1; other < kEfforts; ++other) {
    Measured& measured = efforts_[other];
    if (other == used) continue;
    if (measured.age < kAgeMax) {
      ++measured.age;
      continue;
    }
    measured.seconds_per_byte = slower * kUsual[other].seconds_per_byte;
    measured.left = std::min(1.0, larger * kUsual[other].left);
  }
}

void CompressionChoice::on_sent(std::uint64_t bytes, Duration took, TimePoint now) {
  const double fade = std::exp(-std::chrono::duration<double>(now - last_sent_) / kPaceMemory);
  sent_bytes_ = fade * sent_bytes_ + static_cast<double>(bytes);
  sending_seconds_ = fade * sending_seconds_ + std::chrono::duration<double>(took).count();
  last_sent_ = now;
}

}  // namespace wormhole::transfer
