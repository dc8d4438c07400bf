#include "cli/get_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/escape.h"
#include "cli/human.h"

namespace wormhole::cli {
namespace {

// How fast the shown rate follows the real one: about three seconds.
constexpr double kSmoothingSeconds = 3;
constexpr std::size_t kBarCells = 20;

// As much of the end of a path as fits, cut between characters.
std::string tail(const std::string& text, std::size_t room) {
  if (text.size() <= room) return text;
  if (room < 4) return {};
  std::size_t from = text.size() - (room - 3);
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
  return "..." + text.substr(from);
}

}  // namespace

std::string ProgressLine::render(const ProgressSnapshot& now, Seconds elapsed, unsigned columns) {
  const double step = (elapsed - last_at_).count();
  if (step > 0) {
    const double present =
        static_cast<double>(now.bytes_moved - std::min(last_moved_, now.bytes_moved)) / step;
    const double weight = last_moved_ == 0 ? 1 : 1 - std::exp(-step / kSmoothingSeconds);
    rate_ += (present - rate_) * weight;
    last_at_ = elapsed;
    last_moved_ = now.bytes_moved;
  }
  // The counters are read one by one while they move: more may be done than was known.
  const auto done = static_cast<double>(std::min(now.bytes_done, now.bytes_known));
  const double share = now.bytes_known == 0 ? 0 : done / static_cast<double>(now.bytes_known);
  std::string line;
  line += human_bytes(now.bytes_done);
  // Until everything is announced the total is only what is known of it.
  line += fmt::format(" of {}{}", human_bytes(now.bytes_known), now.all_known ? "" : "+");
  if (now.files_known > 1) {
    line +=
        fmt::format("  {} of {} files", human_count(now.files_done), human_count(now.files_known));
  }
  if (now.files_there > 0) line += fmt::format(", {} there", human_count(now.files_there));
  if (now.bytes_reused > 0) line += fmt::format(", {} reused", human_bytes(now.bytes_reused));
  if (now.failed > 0) line += fmt::format(", {} failed", human_count(now.failed));
  line += fmt::format("  {}", human_rate(static_cast<std::uint64_t>(rate_), Seconds(1)));
  if (now.all_known && rate_ > 1 && now.bytes_done < now.bytes_known) {
    const double left = static_cast<double>(now.bytes_known - now.bytes_done) / rate_;
    line += fmt::format("  {} left", human_time(Seconds(left)));
  }
  if (now.all_known) {
    const auto percent = fmt::format("{:3.0f}% ", std::floor(share * 100));
    const auto cells = static_cast<std::size_t>(share * kBarCells);
    const auto bar =
        fmt::format("[{}{}] ", std::string(cells, '='), std::string(kBarCells - cells, ' '));
    const bool has_room = percent.size() + bar.size() + line.size() < columns;
    line = percent + (has_room ? bar : "") + line;
  }
  const std::size_t room = columns > line.size() + 3 ? columns - line.size() - 3 : 0;
  const std::string file = tail(escape(now.current), room);
  if (!file.empty()) line += "  " + file;
  // The last column stays free: a full line would wrap.
  line.resize(std::min<std::size_t>(line.size(), columns == 0 ? 0 : columns - 1));
  return line;
}

}  // namespace wormhole::cli
