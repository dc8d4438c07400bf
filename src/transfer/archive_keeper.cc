#include "transfer/archive_keeper.h"

#include <algorithm>
#include <cerrno>

#include "platform/ownership.h"

namespace wormhole::transfer {
namespace {

constexpr std::uint32_t kOwnerWrites = 0200;
constexpr std::uint32_t kGroupBits = 0070;

Error broken(const wire::Entry& entry, std::string_view why) {
  return {.code = Code::kProtocol,
          .operation = "fetch",
          .object = entry.name,
          .detail = std::string(why)};
}

const Attribute* find(const std::vector<Attribute>& among, std::string_view name) {
  const auto found = std::ranges::find(among, name, &Attribute::name);
  return found == among.end() ? nullptr : &*found;
}

}  // namespace

Result<void> ArchiveKeeper::check(const wire::Entry& entry) const {
  if (entry.archived == nullptr) return {};
  if (!keeps_.any()) return fail(broken(entry, "the other side told of owners unasked"));
  const auto& attributes = entry.archived->attributes;
  if (!keeps_.archive && !attributes.empty()) {
    return fail(broken(entry, "the other side sent attributes unasked"));
  }
  for (const Attribute& one : attributes) {
    if (!platform::is_kept_attribute(one.name)) {
      return fail(broken(entry, "the other side sent an attribute that is not to be taken"));
    }
  }
  return {};
}

std::uint32_t ArchiveKeeper::keep(const platform::File& file, const wire::Archived* archived,
                                  std::uint32_t mode, const std::string& path) {
  return keep_open(file, archived, mode, path, Others::kGo);
}

std::uint32_t ArchiveKeeper::keep(const platform::Directory& directory,
                                  const wire::Archived* archived, std::uint32_t mode,
                                  const std::string& path, Others others) {
  return keep_open(directory, archived, mode, path, others);
}

void ArchiveKeeper::keep(const platform::Directory& directory, const std::string& name,
                         const wire::Archived* archived, const std::string& path) {
  if (!keeps_.archive) return;
  const auto link = directory.open_symlink(name);
  if (link.has_value()) return give(link->handle.get(), link->status, archived, path);
  lose_owner(path, link.error().detail);
}

template <typename Handle>
std::uint32_t ArchiveKeeper::keep_open(const Handle& handle, const wire::Archived* archived,
                                       std::uint32_t mode, const std::string& path, Others others) {
  if (!keeps_.archive) return mode;
  if (const auto now = handle.status(); now.has_value()) {
    give(handle.descriptor(), *now, archived, path);
  } else {
    lose_owner(path, now.error().detail);
  }
  if (archived == nullptr) return mode;

  bool is_writable = false;
  const auto set = [&](const Attribute& one) {
    auto done = platform::set_attribute(handle.descriptor(), one);
    // What stood there without leave for its owner to write: `user.*` takes that.
    if (done.has_value() || done.error().os_errno != EACCES || is_writable) return done;
    is_writable = handle.set_mode(mode | kOwnerWrites).has_value();
    return is_writable ? platform::set_attribute(handle.descriptor(), one) : done;
  };
  const platform::Attributes there = platform::read_attributes(handle.descriptor());
  // What was inherited from the directory, or is of an earlier run.
  for (const Attribute& one : there.kept) {
    if (find(archived->attributes, one.name) != nullptr) continue;
    if (others == Others::kStay && !platform::is_acl(one.name)) continue;
    const auto removed = platform::remove_attribute(handle.descriptor(), one.name);
    if (removed.has_value()) continue;
    lose(platform::is_acl(one.name) ? counters_.acls_lost : counters_.xattrs_lost,
         "remove an attribute of", path, one.name + ": " + removed.error().detail);
  }
  for (const Attribute& one : archived->attributes) {
    const Attribute* same = find(there.kept, one.name);
    if (same != nullptr && same->value == one.value) continue;
    const auto done = set(one);
    if (done.has_value()) continue;
    const bool is_acl = platform::is_acl(one.name);
    lose(is_acl ? counters_.acls_lost : counters_.xattrs_lost,
         is_acl ? "keep the ACL of" : "keep an attribute of", path,
         one.name + ": " + done.error().detail);
    if (one.name != platform::kAccessAcl) continue;
    // The mode has the mask where the group's own bits would be: without the ACL it would let the
    // group do what only others of the ACL may.
    const auto group = platform::group_bits_of_acl(one.value);
    if (group.has_value()) mode &= ~kGroupBits | (*group << 3);
  }
  if (archived->left_out > 0) {
    lose(counters_.xattrs_lost, "keep attributes of", path,
         "too long, too many, or the host may not read them", archived->left_out);
  }
  if (archived->has_capabilities) {
    lose(counters_.capabilities_lost, "keep the capabilities of", path,
         "they are as good as set-user-ID, and dropped as that is");
  }
  return mode;
}

void ArchiveKeeper::give(int handle, const platform::FileStatus& now,
                         const wire::Archived* archived, const std::string& path) {
  if (archived == nullptr) {
    return lose_owner(path, "the other side does not tell it");
  }
  const std::uint32_t user = accounts_.user_here(archived->owner_name, archived->owner);
  const std::uint32_t group = accounts_.group_here(archived->group_name, archived->group);
  if (now.owner == user && now.group == group) return;
  if (platform::set_owner(handle, user, group).has_value()) return;
  // Who may not give a file away may still be in its group: first, as it takes the owner.
  if (now.group != group) {
    const auto done = platform::set_owner(handle, std::nullopt, group);
    if (!done.has_value()) {
      lose(counters_.groups_lost, "keep the group of", path, done.error().detail);
    }
  }
  if (now.owner != user) {
    const auto done = platform::set_owner(handle, user, std::nullopt);
    if (!done.has_value()) {
      lose(counters_.owners_lost, "keep the owner of", path, done.error().detail);
    }
  }
}

std::optional<platform::Timestamp> ArchiveKeeper::accessed(const wire::Archived* archived) const {
  if (!keeps_.access_times || archived == nullptr) return std::nullopt;
  return platform::Timestamp{archived->atime_seconds, archived->atime_nanoseconds};
}

std::optional<std::uint32_t> ArchiveKeeper::owner(const wire::Archived* archived) {
  if (!keeps_.archive || archived == nullptr) return std::nullopt;
  return accounts_.user_here(archived->owner_name, archived->owner);
}

void ArchiveKeeper::lose_owner(const std::string& path, const std::string& why) {
  lose(counters_.owners_lost, "keep the owner of", path, why);
  lose(counters_.groups_lost, "keep the group of", path, why);
}

void ArchiveKeeper::lose(std::atomic<std::uint64_t>& counter, std::string_view operation,
                         const std::string& path, const std::string& why, std::uint64_t count) {
  counter += count;
  events_.on_not_kept(
      path,
      {.code = Code::kLocalIo, .operation = std::string(operation), .object = path, .detail = why});
}

}  // namespace wormhole::transfer
