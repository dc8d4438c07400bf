#include "transfer/source_versions.h"

#include <array>

#include "base/limits.h"
#include "platform/process.h"

namespace wormhole::transfer {
namespace {

constexpr std::string_view kKeyLabel = "wormhole source version 1, ";

// Read once a process: a session begins without a file to open.
const store::Hash& key_of_machine_and_user() {
  static const store::Hash key =
      store::hash(as_bytes(std::string(kKeyLabel) + platform::machine_and_user()));
  return key;
}

}  // namespace

SourceVersions::SourceVersions() : key_(key_of_machine_and_user()) {}

std::uint64_t SourceVersions::of(const platform::FileStatus& status) const {
  if (status.size_bytes < kReusableMinBytes) return 0;
  // Not the device: its number may be another after the next boot.
  const std::array<std::uint64_t, 6> fields = {status.inode,
                                               status.size_bytes,
                                               static_cast<std::uint64_t>(status.modified.seconds),
                                               status.modified.nanoseconds,
                                               static_cast<std::uint64_t>(status.changed.seconds),
                                               status.changed.nanoseconds};
  return store::keyed_name(key_, std::as_bytes(std::span(fields)));
}

}  // namespace wormhole::transfer
