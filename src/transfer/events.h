// What a transfer tells the program while it runs: counters to read, failures as they come.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace wormhole::transfer {

// Written by the transfer's threads, read by any.
struct TakenCounters {
  std::atomic<std::uint64_t> announced_files = 0;
  std::atomic<std::uint64_t> announced_bytes = 0;
  std::atomic<bool> all_announced = false;

  std::atomic<std::uint64_t> bytes = 0;       // file bytes that arrived, holes not counted
  std::atomic<std::uint64_t> files = 0;       // put in place
  std::atomic<std::uint64_t> file_bytes = 0;  // the sizes of those
  std::atomic<std::uint64_t> directories = 0;
  std::atomic<std::uint64_t> links = 0;
  std::atomic<std::uint64_t> hard_links = 0;     // of files: other names of those
  std::atomic<std::uint64_t> copied_links = 0;   // of files: that could only be copies of those
  std::atomic<std::uint64_t> skipped_files = 0;  // there already, equal
  std::atomic<std::uint64_t> skipped_bytes = 0;
  std::atomic<std::uint64_t> left_files = 0;  // there already, different, and to stay (TakeOptions)
  std::atomic<std::uint64_t> left_bytes = 0;  // the sizes of the host's
  std::atomic<std::uint64_t> resumed_bytes = 0;  // there from an earlier run, and intact
  std::atomic<std::uint64_t> reused_bytes = 0;   // from other versions, or the same file elsewhere
  std::atomic<std::uint64_t> kept_bytes = 0;     // of unfinished files, for the next run
  std::atomic<std::uint64_t> hole_bytes = 0;     // that are nothing: they are done without coming
  std::atomic<std::uint64_t> refused_bytes = 0;  // of files of which nothing will come
  std::atomic<bool> made_root = false;           // it was not there before this run
  std::atomic<std::uint64_t> specials = 0;       // devices, sockets, pipes: reported, not a failure
  std::atomic<std::uint64_t> failed = 0;
  std::atomic<std::uint64_t> deleted = 0;  // entries that the giver has not (TakeOptions)
  // Of what is in place all the same, where it was asked for (wire::Keeps): owners and groups of
  // entries, and single attributes.
  std::atomic<std::uint64_t> owners_lost = 0;
  std::atomic<std::uint64_t> groups_lost = 0;
  std::atomic<std::uint64_t> xattrs_lost = 0;
  std::atomic<std::uint64_t> acls_lost = 0;
  std::atomic<std::uint64_t> capabilities_lost = 0;  // files that had some

  // Bytes of files; nullopt while more may be announced. Of files that fail on their way the rest
  // counts as still to come: an estimate that is too large harms nobody.
  [[nodiscard]] std::optional<std::uint64_t> left_to_come() const {
    if (!all_announced) return std::nullopt;
    const std::uint64_t done = bytes + skipped_bytes + left_bytes + resumed_bytes + reused_bytes +
                               hole_bytes + refused_bytes;
    return announced_bytes - std::min(announced_bytes.load(), done);
  }
};

class TakerEvents {
 public:
  virtual ~TakerEvents() = default;
  // Any thread. `path` is relative to the destination, raw bytes.
  virtual void on_failed(const std::string& path, const Error& error) = 0;
  // A file whose data has begun to arrive (large files), or was put in place (small ones). At the
  // end that gives: whose data has begun to leave.
  virtual void on_file(const std::string& path) = 0;
  // One of what those counters count.
  virtual void on_not_kept(const std::string& /*path*/, const Error& /*error*/) {}
};

}  // namespace wormhole::transfer
