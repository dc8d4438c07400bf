#include "transfer/shares.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <system_error>

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;

// "/a/b/" -> "b"; "." and ".." by what they lead to; "/" -> "root".
std::string share_name(const fs::path& given, const fs::path& canonical) {
  fs::path plain = given;
  if (!plain.has_filename()) plain = plain.parent_path();
  std::string last = plain.filename().string();
  if (!last.empty() && last != "." && last != "..") return last;
  const std::string resolved = canonical.filename().string();
  return resolved.empty() ? "root" : resolved;
}

Result<Share> open_share(const std::string& path, std::size_t open_max) {
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  if (error) return fail(os_error(error.value(), "share", path));
  const fs::file_status status = fs::status(canonical, error);
  if (error) return fail(os_error(error.value(), "share", path));

  Share share;
  share.name = share_name(path, canonical);
  share.is_directory = fs::is_directory(status);
  if (!share.is_directory && !fs::is_regular_file(status)) {
    return fail({.code = Code::kSkippedSpecial,
                 .operation = "share",
                 .object = path,
                 .detail = "it is neither a file nor a directory"});
  }
  const fs::path root = share.is_directory ? canonical : canonical.parent_path();
  WH_ASSIGN(auto directory, platform::Directory::open_path(root.string()));
  if (!share.is_directory) {
    share.file = canonical.filename().string();
    // Unreadable at the start is a mistake worth hearing of now, not when someone fetches.
    WH_TRY(directory.open_file(share.file));
  }
  share.tree = std::make_shared<DirectoryTree>(std::move(directory), open_max);
  return share;
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.push_back(part);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return parts;
}

Error not_found(std::string_view path) {
  return {.code = Code::kNotFound,
          .operation = "find",
          .object = std::string(path),
          .detail = "nothing of that name is shared"};
}

}  // namespace

std::string last_part(std::string_view path) {
  while (true) {
    const std::size_t slash = path.rfind('/');
    const std::string_view part = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!part.empty() && part != ".") return std::string(part);
    if (slash == std::string_view::npos) return {};
    path = path.substr(0, slash);
  }
}

Result<Shares> Shares::open(const std::vector<std::string>& paths) {
  std::vector<Share> shares;
  std::set<std::string> names;
  // One budget for all of them: each holds its root besides.
  const std::size_t open_max =
      std::max<std::size_t>(1, kOpenDirectoriesMax / std::max<std::size_t>(1, paths.size()));
  for (const std::string& path : paths) {
    WH_ASSIGN(auto share, open_share(path, open_max));
    if (!names.insert(share.name).second) {
      return fail({.code = Code::kUsage,
                   .operation = "share",
                   .object = path,
                   .detail = "another shared path has the same last name",
                   .advice = "share their common parent, or rename one"});
    }
    shares.push_back(std::move(share));
  }
  return Shares(std::move(shares));
}

bool Shares::is_all_directories() const {
  return std::ranges::all_of(shares_, &Share::is_directory);
}

Result<std::vector<std::string>> Shares::directories() const {
  std::vector<std::string> paths;
  for (const Share& share : shares_) {
    WH_ASSIGN(const auto root, share.tree->open(share.tree->root()));
    WH_ASSIGN(paths.emplace_back(), root->path());
  }
  return paths;
}

Result<Shares::Location> Shares::locate(std::string_view path) const {
  Location location{.parts = parts_of(path)};
  for (const std::string_view part : location.parts) WH_TRY(platform::check_name(part));
  if (shares_.size() == 1) {
    location.share = &shares_.front();
  } else if (!location.parts.empty()) {
    const auto found = std::ranges::find(shares_, location.parts.front(), &Share::name);
    if (found == shares_.end()) return fail(not_found(path));
    location.share = &*found;
    location.parts.erase(location.parts.begin());
  }
  if (location.share != nullptr && location.share->is_directory) return location;
  return fail({.code = Code::kNotFound,
               .operation = "find",
               .object = std::string(path),
               .detail = location.share == nullptr ? "several directories are shared: name one"
                                                   : "a file is shared there, no directory"});
}

Result<Shares::Place> Shares::find(std::string_view path) const {
  const std::vector<std::string_view> all_parts = parts_of(path);
  std::span<const std::string_view> parts = all_parts;
  const auto not_found = [&] {
    Error error = wormhole::transfer::not_found(path);
    const bool names_the_one = shares_.size() == 1 && shares_.front().is_directory &&
                               !all_parts.empty() && all_parts.front() == shares_.front().name;
    if (names_the_one) error.detail += ": a path begins in the directory that is shared";
    return fail(std::move(error));
  };
  for (const std::string_view part : parts) WH_TRY(platform::check_name(part));

  const Share* share = shares_.empty() ? nullptr : &shares_.front();
  const bool one_directory = shares_.size() == 1 && share->is_directory;
  if (!one_directory) {
    if (parts.empty()) {
      if (shares_.size() == 1) return Place(Single{share, share->tree->root(), share->file});
      return Place(All{});
    }
    share = nullptr;
    for (const Share& candidate : shares_) {
      if (candidate.name == parts.front()) share = &candidate;
    }
    if (share == nullptr) return not_found();
    parts = parts.subspan(1);
  }
  if (!share->is_directory) {
    if (!parts.empty()) return not_found();
    return Place(Single{share, share->tree->root(), share->file});
  }

  NodePtr node = share->tree->root();
  std::string name = share->name;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto directory = share->tree->open(node);
    if (!directory.has_value()) return not_found();
    const auto status = (*directory)->status_of(parts[i]);
    if (!status.has_value()) return not_found();
    name = std::string(parts[i]);
    if (status->type != platform::FileType::kDirectory) {
      if (i + 1 != parts.size()) return not_found();
      return Place(Single{share, node, name});
    }
    node = DirectoryTree::child(node, name);
  }
  return Place(WholeDirectory{share, node, name});
}

}  // namespace wormhole::transfer
