#include "transfer/present.h"

#include "base/block.h"
#include "transfer/reconstruction.h"
#include "transfer/taken_file.h"

namespace wormhole::transfer {
namespace {

using platform::FileType;

// Of a time in whole seconds that proves nothing: it may be any file of an archive.
bool is_emptied(const wire::Entry& entry, const platform::FileStatus& status) {
  return status.type == FileType::kRegular && status.size_bytes == 0 &&
         status.modified == modified_of(entry) && status.modified.nanoseconds != 0;
}

std::string_view difference(const wire::Entry& entry, const platform::FileStatus& status) {
  if (status.type == FileType::kSymlink) return "a symlink is there";
  if (status.type != FileType::kRegular) return "something else is there";
  if (status.modified < modified_of(entry)) return "newer at the source";
  if (modified_of(entry) < status.modified) return "older at the source";
  return entry.size > status.size_bytes ? "longer at the source" : "shorter at the source";
}

}  // namespace

Result<Standing> look(const wire::Entry& entry, const platform::Directory& directory,
                      const PresentRules& rules) {
  const auto status = directory.status_of(entry.name);
  if (!status.has_value()) {
    if (status.error().code == Code::kNotFound) return Standing{};
    return fail(status.error());
  }
  if (!looks_equal(entry, *status)) {
    const bool may_be_emptied = !rules.only_adds && is_emptied(entry, *status);
    return Standing{may_be_emptied ? Present::kEmptied : Present::kDifferent, *status};
  }
  const Standing equal{Present::kEqual, *status};
  // Files of a pack are written at once, and are whole or empty; and nobody is told anything of
  // what is here who is not to be.
  const bool may_be_hollow = entry.size > kPackedFileMaxBytes &&
                             entry.size <= kReconstructedMaxBytes && !entry.sparse && rules.reuse &&
                             directory.loses_data_as_holes();
  if (!rules.sync && !may_be_hollow) return equal;
  const auto file = directory.open_file(entry.name);
  if (rules.sync) {
    if (!file.has_value()) return fail(file.error());
    WH_TRY(file->sync());
  }
  // Where it cannot be told, it is what it looks like.
  if (!may_be_hollow || !file.has_value()) return equal;
  const auto data = file->next_data(0);
  const bool is_hollow =
      data.has_value() && (!data->has_value() || (*data)->start > 0 || (*data)->end < entry.size);
  return is_hollow ? Standing{Present::kHollow, *status} : equal;
}

Judgement judge(const wire::Entry& entry, const Standing& standing, const PresentRules& rules) {
  switch (standing.present) {
    case Present::kMissing:
      return {Action::kFetch, "new"};
    case Present::kEqual:
      return {Action::kKeep, "the same size and time"};
    case Present::kEmptied:
    case Present::kHollow:
      if (rules.leaves == Leaves::kAll) break;
      return {Action::kReplace, "a power cut took its contents"};
    case Present::kDifferent:
      break;
  }
  if (rules.leaves == Leaves::kAll) return {Action::kLeave, "it is there"};
  if (standing.status->type == FileType::kDirectory) {
    return {Action::kRefuse, "a directory is there"};
  }
  const bool is_newer = modified_of(entry) < standing.status->modified;
  if (rules.leaves == Leaves::kNewer && is_newer) return {Action::kLeave, "newer here"};
  if (!rules.overwrite) return {Action::kRefuse, "a different file is there"};
  return {Action::kReplace, difference(entry, *standing.status)};
}

bool leaves_to_symlink(const wire::Entry& symlink, const platform::FileStatus& there,
                       Leaves leaves) {
  if (leaves == Leaves::kAll) return true;
  return leaves == Leaves::kNewer && there.type == FileType::kRegular &&
         modified_of(symlink) < there.modified;
}

}  // namespace wormhole::transfer
