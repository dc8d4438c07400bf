#include "session/listener_slots.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace wormhole::session {

std::optional<ListenerSlots::Id> ListenerSlots::admit(Id id, const std::string& ip,
                                                      std::size_t of_address_max) {
  std::optional<Id> evicted;
  const auto held = static_cast<std::size_t>(std::ranges::count_if(
      joining_, [&](const Slots::value_type& entry) { return entry.second.ip == ip; }));
  if (held >= of_address_max) {
    evicted = first_to_go(ip);
  } else if (joining_.size() >= kPendingMax) {
    evicted = first_to_go(fullest_address());
  }
  if (evicted) joining_.erase(*evicted);
  joining_.emplace(id, Slot{.ip = ip});
  return evicted;
}

void ListenerSlots::said_hello(Id id) {
  if (const auto found = joining_.find(id); found != joining_.end()) {
    found->second.said_hello = true;
  }
}

std::optional<ListenerSlots::Id> ListenerSlots::move_to_streams(Id id) {
  auto node = joining_.extract(id);
  if (node.empty()) return std::nullopt;
  std::optional<Id> evicted;
  if (streams_.size() >= kPendingStreamsMax) {
    evicted = streams_.begin()->first;
    streams_.erase(streams_.begin());
  }
  streams_.insert(std::move(node));
  return evicted;
}

void ListenerSlots::release(Id id) {
  joining_.erase(id);
  streams_.erase(id);
}

// Of several that hold as many, the one whose oldest has waited longest.
std::string ListenerSlots::fullest_address() const {
  WH_CHECK(!joining_.empty());
  std::map<std::string, std::size_t> held;
  for (const auto& [id, slot] : joining_) ++held[slot.ip];
  const std::string* fullest = nullptr;
  for (const auto& [id, slot] : joining_) {
    if (fullest == nullptr || held[slot.ip] > held[*fullest]) fullest = &slot.ip;
  }
  return *fullest;
}

ListenerSlots::Id ListenerSlots::first_to_go(const std::string& ip) const {
  std::optional<Id> oldest;
  for (const auto& [id, slot] : joining_) {
    if (slot.ip != ip) continue;
    if (!slot.said_hello) return id;
    if (!oldest) oldest = id;
  }
  WH_CHECK(oldest.has_value());
  return *oldest;
}

}  // namespace wormhole::session
