#include "transfer/archive_teller.h"

#include <utility>

#include "platform/ownership.h"

namespace wormhole::transfer {
namespace {

wire::Archived without_attributes(const platform::FileStatus& status) {
  wire::Archived archived;
  archived.owner = status.owner;
  archived.group = status.group;
  archived.atime_seconds = status.accessed.seconds;
  archived.atime_nanoseconds = status.accessed.nanoseconds;
  return archived;
}

}  // namespace

wire::Archived archived_of(const platform::FileStatus& status, int handle) {
  wire::Archived archived = without_attributes(status);
  platform::Attributes attributes = platform::read_attributes(handle);
  archived.attributes = std::move(attributes.kept);
  archived.left_out = attributes.left_out;
  archived.has_capabilities = attributes.has_capabilities;
  return archived;
}

wire::Archived archived_unopened(const platform::FileStatus& status) {
  wire::Archived archived = without_attributes(status);
  archived.left_out = 1;  // if not none
  return archived;
}

std::shared_ptr<const wire::Archived> ArchiveTeller::of_directory(
    const platform::FileStatus& status, const platform::Directory& directory,
    std::size_t room_bytes) const {
  if (!keeps_.archive) return named(without_attributes(status));
  wire::Archived archived = archived_of(status, directory.descriptor());
  if (archived.attribute_bytes() > room_bytes) {
    archived.left_out += static_cast<std::uint32_t>(archived.attributes.size());
    archived.attributes.clear();
  }
  return named(std::move(archived));
}

std::shared_ptr<const wire::Archived> ArchiveTeller::of_file(const platform::FileStatus& status,
                                                             const platform::Directory& directory,
                                                             std::string_view name) const {
  if (!keeps_.archive) return named(without_attributes(status));
  const auto opened = directory.open_file(name);
  if (!opened.has_value()) return named(archived_unopened(status));
  return named(archived_of(status, opened->descriptor()));
}

std::shared_ptr<const wire::Archived> ArchiveTeller::of_symlink(
    const platform::FileStatus& status) const {
  return named(without_attributes(status));
}

std::shared_ptr<const wire::Archived> ArchiveTeller::named(wire::Archived archived) const {
  if (keeps_.archive) {
    archived.owner_name = accounts_.user_name(archived.owner);
    archived.group_name = accounts_.group_name(archived.group);
  } else {
    archived.owner = archived.group = 0;  // nobody asked
  }
  if (!keeps_.access_times) {
    archived.atime_seconds = 0;
    archived.atime_nanoseconds = 0;
  }
  return std::make_shared<const wire::Archived>(std::move(archived));
}

}  // namespace wormhole::transfer
