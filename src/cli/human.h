// Sizes, rates and times as people read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace wormhole::cli {

// Decimal units, as links and disks are sold: "1.23 GB".
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
// "118 MB/s"; "-" while unknown.
[[nodiscard]] std::string human_rate(std::uint64_t bytes, std::chrono::duration<double> time);
// "4.2 s", "1:05", "2:03:04".
[[nodiscard]] std::string human_time(std::chrono::duration<double> time);
// "1,234,567".
[[nodiscard]] std::string human_count(std::uint64_t count);
// "1 file", "1,234 files".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

}  // namespace wormhole::cli
