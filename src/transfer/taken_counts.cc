#include "transfer/taken_counts.h"

#include <array>

namespace wormhole::transfer {
namespace {

using Count = std::atomic<std::uint64_t> TakenCounters::*;

// In the order of docs/formats/messages.md: others are added at the end.
constexpr std::array<Count, wire::kTakenCounts> kCounts = {
    &TakenCounters::announced_files, &TakenCounters::announced_bytes,
    &TakenCounters::bytes,           &TakenCounters::files,
    &TakenCounters::file_bytes,      &TakenCounters::directories,
    &TakenCounters::links,           &TakenCounters::hard_links,
    &TakenCounters::copied_links,    &TakenCounters::skipped_files,
    &TakenCounters::skipped_bytes,   &TakenCounters::left_files,
    &TakenCounters::left_bytes,      &TakenCounters::resumed_bytes,
    &TakenCounters::reused_bytes,    &TakenCounters::kept_bytes,
    &TakenCounters::specials,        &TakenCounters::failed,
    &TakenCounters::deleted,         &TakenCounters::owners_lost,
    &TakenCounters::groups_lost,     &TakenCounters::xattrs_lost,
    &TakenCounters::acls_lost,       &TakenCounters::capabilities_lost,
    &TakenCounters::hole_bytes,      &TakenCounters::refused_bytes};

}  // namespace

wire::Taken to_wire(const TakenCounters& counters) {
  wire::Taken taken{.all_announced = counters.all_announced, .made_root = counters.made_root};
  for (std::size_t i = 0; i < kCounts.size(); ++i) taken.counts[i] = counters.*kCounts[i];
  return taken;
}

void set_from(const wire::Taken& taken, TakenCounters& counters) {
  for (std::size_t i = 0; i < kCounts.size(); ++i) counters.*kCounts[i] = taken.counts[i];
  counters.made_root = taken.made_root;
  counters.all_announced = taken.all_announced;
}

}  // namespace wormhole::transfer
