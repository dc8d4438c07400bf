#include "session/listener_slots.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace wormhole::session {

std::optional<ListenerSlots::Id> ListenerSlots::admit(Id id, const std::string& ip) {
  std::optional<Id> evicted;
  if (waiting_.size() >= kPendingMax) {
    const auto goes = oldest_of_fullest(waiting_);
    evicted = goes->first;
    waiting_.erase(goes);
  }
  waiting_.emplace(id, Slot{.ip = ip});
  return evicted;
}

bool ListenerSlots::may_speak(Id id, TimePoint now) const {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return true;
  const std::string& ip = found->second.ip;
  return !has_its_share(ip) || oldest_handshake_of(ip)->second.since + kUndisturbed <= now;
}

std::optional<TimePoint> ListenerSlots::next_change(TimePoint now) const {
  std::optional<TimePoint> next;
  for (const auto& [id, slot] : waiting_) {
    if (!has_its_share(slot.ip)) continue;
    const TimePoint gives_way = oldest_handshake_of(slot.ip)->second.since + kUndisturbed;
    if (gives_way > now && (!next || gives_way < *next)) next = gives_way;
  }
  return next;
}

std::optional<ListenerSlots::Id> ListenerSlots::said_hello(Id id, TimePoint now) {
  auto node = waiting_.extract(id);
  if (node.empty()) return std::nullopt;
  node.mapped().since = now;
  std::optional<Id> evicted;
  // One address takes from another at once: nobody keeps what is more than its share.
  const auto goes = has_its_share(node.mapped().ip)  ? oldest_handshake_of(node.mapped().ip)
                    : joining_.size() >= kPendingMax ? oldest_of_fullest(joining_)
                                                     : joining_.cend();
  if (goes != joining_.cend()) {
    evicted = goes->first;
    joining_.erase(goes);
  }
  joining_.insert(std::move(node));
  return evicted;
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
  waiting_.erase(id);
  joining_.erase(id);
  streams_.erase(id);
}

bool ListenerSlots::has_its_share(const std::string& ip) const {
  const auto held = static_cast<std::size_t>(std::ranges::count_if(
      joining_, [&](const Slots::value_type& entry) { return entry.second.ip == ip; }));
  return held >= of_address_max_(ip);
}

// Precondition: there is one.
ListenerSlots::Slots::const_iterator ListenerSlots::oldest_handshake_of(
    const std::string& ip) const {
  const auto oldest = std::ranges::min_element(joining_, {}, [&](const Slots::value_type& entry) {
    return std::pair(entry.second.ip != ip, entry.second.since);
  });
  WH_CHECK(oldest != joining_.end() && oldest->second.ip == ip);
  return oldest;
}

// Of several that hold as many, of the one whose oldest is older.
ListenerSlots::Slots::const_iterator ListenerSlots::oldest_of_fullest(const Slots& slots) {
  WH_CHECK(!slots.empty());
  std::map<std::string, std::size_t> held;
  for (const auto& [id, slot] : slots) ++held[slot.ip];
  auto oldest = slots.begin();
  for (auto it = slots.begin(); it != slots.end(); ++it) {
    if (held[it->second.ip] > held[oldest->second.ip]) oldest = it;
  }
  return oldest;
}

}  // namespace wormhole::session
