#include "transfer/hard_links.h"

#include "transfer/taken_file.h"

namespace wormhole::transfer {

std::optional<std::uint64_t> LinkedNames::first_of(const platform::FileStatus& status,
                                                   std::uint64_t id) {
  is_full_ = false;
  const First new_first{id, status.links - 1, status.size_bytes, status.modified};
  if (const auto found = files_.find(status.id()); found != files_.end()) {
    First& first = found->second;
    if (first.size_bytes != status.size_bytes || first.modified != status.modified) {
      first = new_first;
      return std::nullopt;
    }
    const std::uint64_t first_id = first.id;
    if (--first.left == 0) files_.erase(found);
    return first_id;
  }
  is_full_ = files_.size() >= kLinkedFilesMax;
  if (is_full_) {
    ++left_out_;
  } else {
    files_.emplace(status.id(), new_first);
  }
  return std::nullopt;
}

bool HardLinks::begin(std::uint64_t id, const wire::Entry& first) {
  if (files_.size() >= kLinkedFilesTakenMax) return false;
  files_.emplace(id, File{.left = first.names - 1,
                          .size_bytes = first.size,
                          .modified = modified_of(first),
                          .source = {},
                          .waiting = {}});
  return true;
}

void HardLinks::drop(std::uint64_t first) {
  const auto found = files_.find(first);
  if (found == files_.end() || found->second.left == 0) return;
  if (--found->second.left == 0 && found->second.is_settled) files_.erase(found);
}

std::optional<HardLinks::Ready> HardLinks::add(std::uint64_t first, Link link, bool& is_known) {
  const auto found = files_.find(first);
  is_known = found != files_.end() && found->second.left > 0 &&
             found->second.size_bytes == link.entry.size &&
             found->second.modified == modified_of(link.entry);
  if (!is_known) return std::nullopt;
  File& file = found->second;
  --file.left;
  if (!file.is_settled) {
    file.waiting.push_back(std::move(link));
    return std::nullopt;
  }
  Ready ready{std::move(link), file.source};
  if (file.left == 0) files_.erase(found);
  return ready;
}

std::vector<HardLinks::Ready> HardLinks::settle(std::uint64_t id, std::optional<Source> source) {
  std::vector<Ready> ready;
  const auto found = files_.find(id);
  if (found == files_.end() || found->second.is_settled) return ready;
  File& file = found->second;
  file.is_settled = true;
  file.source = std::move(source);
  for (Link& link : file.waiting) ready.push_back({std::move(link), file.source});
  file.waiting.clear();
  if (file.left == 0) files_.erase(found);
  return ready;
}

}  // namespace wormhole::transfer
