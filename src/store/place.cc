#include "store/place.h"

#include <algorithm>

#include "store/partial_journal.h"

namespace wormhole::store {
namespace {

constexpr std::size_t kFieldsBytes = kPlaceRecordBytes - sizeof(Checksum);
constexpr std::uint32_t kNanosecondsEnd = 1'000'000'000;

Checksum checksum_of(std::string_view path, Bytes fields) {
  ByteVector bytes(fields.begin(), fields.end());
  const Bytes name = as_bytes(path);
  bytes.insert(bytes.end(), name.begin(), name.end());
  return checksum(bytes, 0);
}

}  // namespace

std::optional<Place> place_of(const platform::Directory& directory, const std::string& name,
                              const platform::FileStatus& status) {
  const auto path = directory.path();
  if (!path.has_value()) return std::nullopt;
  return Place{.path = (*path == "/" ? "" : *path) + "/" + name,
               .inode = status.inode,
               .size_bytes = status.size_bytes,
               .modified = status.modified,
               .changed = status.changed};
}

bool is_untouched(const Place& place, const platform::FileStatus& status) {
  return status.type == platform::FileType::kRegular && status.inode == place.inode &&
         status.size_bytes == place.size_bytes && status.modified == place.modified &&
         status.changed == place.changed;
}

Standing standing_of(const Place& place) {
  const std::size_t slash = place.path.rfind('/');
  const auto directory = platform::Directory::open_path(place.path.substr(0, slash + 1));
  if (!directory.has_value()) return Standing::kGone;
  const auto status = directory->status_of(place.path.substr(slash + 1));
  if (!status.has_value() || !is_untouched(place, *status)) return Standing::kGone;
  const bool is_safe = place.mount == 0 || place.mount == directory->mount_id();
  return is_safe ? Standing::kSafe : Standing::kUntouched;
}

PlaceRecord encode_place(const Place& place) {
  PlaceRecord record{};
  store_le(record.data(), place.inode);
  store_le(record.data() + 8, place.size_bytes);
  store_le(record.data() + 16, static_cast<std::uint64_t>(place.modified.seconds));
  store_le(record.data() + 24, static_cast<std::uint64_t>(place.changed.seconds));
  store_le(record.data() + 32, place.modified.nanoseconds);
  store_le(record.data() + 36, place.changed.nanoseconds);
  store_le(record.data() + 40, place.version);
  store_le(record.data() + 48, place.mount);
  const Checksum sum = checksum_of(place.path, Bytes(record).first(kFieldsBytes));
  std::ranges::copy(sum, record.begin() + kFieldsBytes);
  return record;
}

std::optional<Place> decode_place(std::string path, Bytes record) {
  if (record.size() != kPlaceRecordBytes || path.empty() || path.front() != '/') {
    return std::nullopt;
  }
  if (!std::ranges::equal(checksum_of(path, record.first(kFieldsBytes)),
                          record.subspan(kFieldsBytes))) {
    return std::nullopt;
  }
  const auto seconds = [&](std::size_t at) {
    return static_cast<std::int64_t>(load_le<std::uint64_t>(record.data() + at));
  };
  Place place{.path = std::move(path),
              .inode = load_le<std::uint64_t>(record.data()),
              .size_bytes = load_le<std::uint64_t>(record.data() + 8),
              .modified = {seconds(16), load_le<std::uint32_t>(record.data() + 32)},
              .changed = {seconds(24), load_le<std::uint32_t>(record.data() + 36)},
              .version = load_le<std::uint64_t>(record.data() + 40),
              .mount = load_le<std::uint64_t>(record.data() + 48)};
  if (place.modified.nanoseconds >= kNanosecondsEnd ||
      place.changed.nanoseconds >= kNanosecondsEnd) {
    return std::nullopt;
  }
  return place;
}

}  // namespace wormhole::store
