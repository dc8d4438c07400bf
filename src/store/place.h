// A place on this machine where a file stands that Wormhole put there, and how to tell that it is
// still the same file. What the index keeps: docs/formats/index.md. Stateless; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "platform/file_system.h"

namespace wormhole::store {

struct Place {
  std::string path;  // absolute, raw bytes
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
  platform::Timestamp modified;
  platform::Timestamp changed;
  // What this user calls the giver's word for exactly these bytes (docs/formats/messages.md); 0: it
  // had none.
  std::uint64_t version = 0;
  // The mount that it was written on (platform::Directory::mount_id): of what the kernel had not
  // yet written to disk, some may be lost after it. 0: it was flushed.
  std::uint64_t mount = 0;

  friend bool operator==(const Place&, const Place&) = default;
};

// Of a file of that status in a directory; its version is 0, and it counts as flushed. nullopt
// where the directory's path cannot be told.
[[nodiscard]] std::optional<Place> place_of(const platform::Directory& directory,
                                            const std::string& name,
                                            const platform::FileStatus& status);

// Nobody has touched the file since: its inode, size and times are the same. (Not its device,
// whose number may be another after the next boot.)
[[nodiscard]] bool is_untouched(const Place& place, const platform::FileStatus& status);

enum class Standing : std::uint8_t {
  kGone,       // it does not stand there, or somebody touched it
  kUntouched,  // by anyone; but some of its bytes may have been lost
  kSafe,       // and every byte of it is there
};
[[nodiscard]] Standing standing_of(const Place& place);

inline constexpr std::size_t kPlaceRecordBytes = 72;
using PlaceRecord = std::array<std::byte, kPlaceRecordBytes>;
[[nodiscard]] PlaceRecord encode_place(const Place& place);
// nullopt for what encode_place() did not make of this path.
[[nodiscard]] std::optional<Place> decode_place(std::string path, Bytes record);

}  // namespace wormhole::store
