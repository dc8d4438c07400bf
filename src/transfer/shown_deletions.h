// What a plan said would be deleted: where the user was asked, nothing else goes.
//
// One thread at a time: that of a plan, then that of the run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace wormhole::transfer {

// Of one plan. What is beyond it stays, and the next plan shows it.
inline constexpr std::size_t kShownDeletionsMax = 1'000'000;

class ShownDeletions {
 public:
  // `place`: which of several things that are mirrored; `path`: below it.
  void add(std::string_view place, std::string_view path) {
    if (hashes_.size() >= kShownDeletionsMax) return;
    hashes_.push_back(hash_of(place, path));
    is_sorted_ = false;
  }
  [[nodiscard]] bool contains(std::string_view place, std::string_view path) {
    if (!is_sorted_) std::ranges::sort(hashes_);
    is_sorted_ = true;
    return std::ranges::binary_search(hashes_, hash_of(place, path));
  }

 private:
  std::uint64_t hash_of(std::string_view place, std::string_view path) const {
    return std::hash<std::string>{}(seed_ + std::string(place).append(1, '\0').append(path));
  }

  // Nobody makes a name up that passes for another.
  const std::string seed_ = std::to_string(std::random_device{}());
  std::vector<std::uint64_t> hashes_;
  bool is_sorted_ = true;
};

}  // namespace wormhole::transfer
