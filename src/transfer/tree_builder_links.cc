// Other names of files that are in place.
#include <algorithm>
#include <utility>

#include "base/block.h"
#include "store/hash.h"
#include "transfer/archive_teller.h"
#include "transfer/failure.h"
#include "transfer/tree_builder.h"

namespace wormhole::transfer {
namespace {

using platform::FileType;

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

}  // namespace

Result<void> TreeBuilder::on_hard_link(const wire::Entry& entry, const OpenDirectory& parent) {
  ++counters_.announced_files;
  std::optional<HardLinks::Ready> ready;
  {
    std::scoped_lock lock(mutex_);
    bool is_known = false;
    ready = hard_links_.add(entry.link_of, {parent.node, entry}, is_known);
    if (!is_known) return fail(broken("the other side named a hard link of no file"));
  }
  return ready.has_value() ? finish_link(*ready) : Result<void>();
}

Result<void> TreeBuilder::settle_links(std::uint64_t id, std::optional<HardLinks::Source> source) {
  std::vector<HardLinks::Ready> ready;
  {
    std::scoped_lock lock(mutex_);
    if (!hard_links_.has(id)) return {};
    ready = hard_links_.settle(id, std::move(source));
  }
  for (const HardLinks::Ready& one : ready) WH_TRY(finish_link(one));
  if (!ready.empty()) close_directories();
  return {};
}

Result<void> TreeBuilder::finish_link(const HardLinks::Ready& ready) {
  const wire::Entry& entry = ready.link.entry;
  const std::string path = DirectoryTree::path_of(ready.link.directory, entry.name);
  auto made = make_link(ready);
  if (!made.has_value()) {
    if (ends_session(made.error())) return made;
    return entry_failed(entry, path, made.error());
  }
  finished_in(entry.parent, entry.cost());
  return {};
}

Result<void> TreeBuilder::make_link(const HardLinks::Ready& ready) {
  const HardLinks::Link& link = ready.link;
  const wire::Entry& entry = link.entry;
  WH_ASSIGN(const auto directory, tree_->open(link.directory));
  WH_ASSIGN(const auto standing, look(entry, *directory, options_.present_rules()));
  const auto is_source = [&](const platform::FileStatus& status) {
    const auto& first = ready.source;
    return first.has_value() && first->is(status);
  };
  if (standing.status.has_value() && is_source(*standing.status)) {
    ++counters_.skipped_files;
    return {};
  }
  WH_ASSIGN(const Judgement judged, judge_link(ready, standing, *directory));
  const bool replaces = standing.present != Present::kMissing;
  const bool is_of_this_run =
      replaces && options_.former->is_since(*standing.status, rules_.started);
  // Another file of the same contents is not replaced by a name unless that was asked for; one that
  // an earlier attempt copied because it could not be linked is as good as it gets.
  const bool may_become_a_name = options_.overwrite && !is_of_this_run && ready.source.has_value();
  // With nothing to compare it with, nobody has looked at it.
  const bool is_unseen = options_.checksum && !ready.source.has_value() && entry.size > 0;
  const bool stays = judged.action == Action::kKeep && !may_become_a_name && !is_unseen;
  if (stays) ++counters_.skipped_files;
  if (judged.action == Action::kLeave) ++counters_.left_files;
  if (stays || judged.action == Action::kLeave) return {};
  const std::string path = DirectoryTree::path_of(link.directory, entry.name);
  if (judged.action == Action::kRefuse || is_of_this_run) {
    return fail({.code = Code::kExists,
                 .operation = "make hard link",
                 .object = path,
                 .detail = std::string(is_of_this_run ? "a file of that name was made since this "
                                                        "transfer began"
                                                      : judged.reason),
                 .advice = options_.overwrite ? "" : "use --overwrite to replace it"});
  }
  if (!ready.source.has_value()) {
    return fail({.code = Code::kNotFound,
                 .operation = "fetch",
                 .object = path,
                 .detail = "it is another name of a file that did not come by its first one",
                 .advice = "see what became of that, or fetch this one by its name"});
  }
  const HardLinks::Source& source = *ready.source;
  const std::string name = replaces ? store::partial_name(entry.name) : entry.name;
  if (replaces) static_cast<void>(directory->remove_file(name));
  WH_ASSIGN(const auto from, tree_->open(source.directory));
  WH_ASSIGN(const bool linked, directory->make_hard_link(name, *from, source.name));
  if (!linked && judged.action == Action::kKeep) {
    WH_TRY(match_copy(link, source));
    ++counters_.skipped_files;
    return {};
  }
  if (!linked) return copy_instead(link, source, replaces);
  // By its name: another file may have taken it meanwhile.
  const auto made = directory->status_of(name);
  if (!made.has_value() || !is_source(*made)) {
    static_cast<void>(directory->remove_file(name));
    return fail({.code = Code::kChanged,
                 .operation = "make hard link",
                 .object = path,
                 .detail = "the file that it is another name of was changed meanwhile",
                 .advice = "run the same command again"});
  }
  options_.former->on_replace(*made);  // its other names are as they were
  if (replaces) {
    options_.former->on_replace(*standing.status);
    const auto published = directory->publish(name, entry.name, platform::Replace::kYes);
    if (!published.has_value()) {
      static_cast<void>(directory->remove_file(name));
      return published;
    }
  }
  ++counters_.files;
  ++counters_.hard_links;
  events_.on_file(path);
  renew_place(source, *made);
  return {};
}

// What stands where another name is to go. Where its size and time are not to be believed it is
// compared with the file, which is here: nothing of it comes.
Result<Judgement> TreeBuilder::judge_link(const HardLinks::Ready& ready, const Standing& standing,
                                          const platform::Directory& directory) {
  const wire::Entry& entry = ready.link.entry;
  const Judgement judged = judge(entry, standing, options_.present_rules());
  const bool is_hollow = standing.present == Present::kHollow;
  const bool is_to_be_compared =
      is_hollow || (standing.present == Present::kEqual && options_.checksum && entry.size > 0);
  const bool can_be = ready.source.has_value() && judged.action != Action::kLeave;
  if (!is_to_be_compared || !can_be) return judged;
  WH_ASSIGN(const auto original, open_source(*ready.source));
  WH_ASSIGN(const auto there, directory.open_file(entry.name));
  WH_ASSIGN(const bool is_same, have_same_data(original, there, entry.size));
  if (is_same) return Judgement{Action::kKeep, "the same content"};
  if (options_.overwrite) return Judgement{Action::kReplace, "other content"};
  // What the file was that is mended in this run: this is a name of it still.
  if (is_hollow && options_.former->was_mended(standing.status->id())) return judged;
  return Judgement{Action::kRefuse, "a different file is there"};
}

Result<platform::File> TreeBuilder::open_source(const HardLinks::Source& source) {
  WH_ASSIGN(const auto directory, tree_->open(source.directory));
  return directory->open_file(source.name);
}

// What an earlier run copied: its mode, and what else is kept, are as the file's, if they are to
// be.
Result<void> TreeBuilder::match_copy(const HardLinks::Link& link, const HardLinks::Source& source) {
  WH_ASSIGN(const auto original, open_source(source));
  WH_ASSIGN(const auto status, original.status());
  WH_ASSIGN(const auto directory, tree_->open(link.directory));
  WH_ASSIGN(const auto copy, directory->open_file(link.entry.name));
  std::optional<wire::Archived> archived;
  if (options_.keeps.any()) archived = archived_of(status, original.descriptor());
  return match_open(copy, archived.has_value() ? &*archived : nullptr, received_mode(status.mode),
                    DirectoryTree::path_of(link.directory, link.entry.name));
}

Result<bool> TreeBuilder::have_same_data(const platform::File& a, const platform::File& b,
                                         std::uint64_t size) {
  ByteVector from_a(std::min<std::uint64_t>(kBlockBytes, size));
  ByteVector from_b(from_a.size());
  for (std::uint64_t offset = 0; offset < size; offset += kBlockBytes) {
    if (is_woken()) return fail({.code = Code::kInterrupted, .operation = "compare"});
    WH_ASSIGN(const std::size_t of_a, a.read_at(from_a, offset));
    WH_ASSIGN(const std::size_t of_b, b.read_at(from_b, offset));
    const bool is_whole =
        of_a == of_b && of_a == std::min<std::uint64_t>(kBlockBytes, size - offset);
    if (!is_whole || !std::ranges::equal(Bytes(from_a).first(of_a), Bytes(from_b).first(of_b))) {
      return false;
    }
  }
  return true;
}

// Another name is a change of the file, as the index would see it; not one of its bytes.
void TreeBuilder::renew_place(const HardLinks::Source& source, const platform::FileStatus& status) {
  if (status.size_bytes < kReusableMinBytes) return;
  const auto here = place_in(source.name, source.directory);
  if (!here.has_value()) return;
  {
    std::scoped_lock lock(mutex_);
    const auto found = originals_.find(status.size_bytes);
    if (found != originals_.end() && found->second.place.inode == status.inode) {
      found->second.place.changed = status.changed;
    }
  }
  if (options_.index == nullptr) return;
  auto known = options_.index->at(here->path);
  if (!known.has_value() || known->inode != status.inode) return;
  known->changed = status.changed;
  options_.index->add(std::move(*known));
}

// The data of the file, and not its holes.
Result<void> TreeBuilder::copy_data(const platform::File& from, const platform::File& to,
                                    std::uint64_t size) {
  WH_ASSIGN(const bool is_cloned, to.clone(from));
  if (is_cloned) return {};
  ByteVector buffer(kBlockBytes);
  for (std::uint64_t offset = 0; offset < size;) {
    WH_ASSIGN(const auto data, from.next_data(offset));
    if (!data.has_value()) break;
    for (offset = data->start; offset < data->end;) {
      if (is_woken()) return fail({.code = Code::kInterrupted, .operation = "copy"});
      const auto part = std::min<std::uint64_t>(buffer.size(), data->end - offset);
      WH_ASSIGN(const std::size_t length, from.read_at(MutableBytes(buffer).first(part), offset));
      if (length == 0) return to.truncate(size);  // it became shorter, as its version will tell
      WH_TRY(to.write_at(Bytes(buffer).first(length), offset));
      offset += length;
    }
  }
  return to.truncate(size);
}

// Where the file can have no more names: the bytes are what counts, and it is told.
Result<void> TreeBuilder::copy_instead(const HardLinks::Link& link, const HardLinks::Source& source,
                                       bool replaces) {
  const wire::Entry& entry = link.entry;
  WH_ASSIGN(const auto original, open_source(source));
  WH_ASSIGN(const auto status, original.status());
  const auto changed = [&]() -> Result<void> {
    return fail({.code = Code::kChanged,
                 .operation = "copy",
                 .object = DirectoryTree::path_of(link.directory, entry.name),
                 .detail = "the file that it is another name of was changed meanwhile",
                 .advice = "run the same command again"});
  };
  if (!source.is(status)) return changed();
  WH_ASSIGN(const auto directory, tree_->open(link.directory));
  const std::string partial = store::partial_name(entry.name);
  WH_ASSIGN(const auto file, directory->open_partial(partial));
  auto copied = [&]() -> Result<void> {
    WH_TRY(copy_data(original, file, status.size_bytes));
    WH_ASSIGN(const auto after, original.status());
    if (!after.same_version(status)) return changed();
    WH_TRY(file.flush());
    std::uint32_t mode = received_mode(status.mode);
    std::optional<platform::Timestamp> accessed;
    if (options_.keeps.any()) {
      const wire::Archived archived = archived_of(status, original.descriptor());
      mode =
          keeper_.keep(file, &archived, mode, DirectoryTree::path_of(link.directory, entry.name));
      accessed = keeper_.accessed(&archived);
    }
    WH_TRY(file.set_mode(mode));
    WH_TRY(file.set_modified(status.modified, accessed));
    if (rules_.sync) WH_TRY(file.sync());
    return directory->publish(partial, entry.name,
                              replaces ? platform::Replace::kYes : platform::Replace::kNo);
  }();
  if (!copied.has_value()) {
    static_cast<void>(directory->remove_file(partial));
    return copied;
  }
  ++counters_.files;
  ++counters_.copied_links;
  events_.on_file(DirectoryTree::path_of(link.directory, entry.name));
  return {};
}

std::optional<HardLinks::Source> TreeBuilder::link_source(const std::string& name,
                                                          const NodePtr& parent) const {
  const auto directory = tree_->open(parent);
  if (!directory.has_value()) return std::nullopt;
  const auto status = (*directory)->status_of(name);
  if (!status.has_value() || status->type != FileType::kRegular) return std::nullopt;
  return HardLinks::Source{parent, name, status->id(), status->size_bytes, status->modified};
}

}  // namespace wormhole::transfer
