#include "transfer/destination.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "store/hash.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;

// Narrowed or widened to the source's mode once its contents are there.
constexpr std::uint32_t kNewDirectoryMode = 0700;

constexpr std::uint32_t kUsualDirectoryMode = 0777;

bool ends_in_slash(const std::string& path) { return path.ends_with('/'); }

bool is_directory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) && !error;
}

std::vector<std::string> parts_of(const fs::path& path) {
  std::vector<std::string> parts;
  for (const fs::path& part : path) {
    if (!part.empty() && part != ".") parts.push_back(part.string());
  }
  return parts;
}

Result<platform::Directory> open_below(const platform::Directory& base, const std::string& path) {
  WH_ASSIGN(auto directory, base.reopen());
  for (const std::string& part : parts_of(path)) {
    WH_ASSIGN(directory, directory.open_directory(part));
  }
  return directory;
}

Result<platform::Directory> open_at(const Destination& destination, const std::string& path) {
  if (destination.base != nullptr) return open_below(*destination.base, path);
  return platform::Directory::open_path(path);
}

bool is_directory(const Destination& destination, const std::string& path) {
  if (destination.base != nullptr) return open_below(*destination.base, path).has_value();
  return is_directory(path);
}

struct Made {
  platform::Directory directory;
  bool made = false;  // false: it was there
};

Result<Made> make_below(const platform::Directory& base, const std::string& path) {
  WH_ASSIGN(auto here, base.reopen());
  Made last{.directory = std::move(here)};
  for (const std::string& part : parts_of(path)) {
    const auto made = last.directory.make_directory(part, kUsualDirectoryMode);
    if (!made.has_value() && made.error().code == Code::kExists) {
      return fail({.code = Code::kExists,
                   .operation = "make directory",
                   .object = path,
                   .detail = "what stands at '" + part + "' is no directory"});
    }
    WH_ASSIGN(last.made, made);
    WH_ASSIGN(last.directory, last.directory.open_directory(part));
  }
  return last;
}

// True when made, false when it was there.
Result<bool> make_directories(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return false;
  if (fs::exists(status)) {
    return fail({.code = Code::kExists,
                 .operation = "make directory",
                 .object = path,
                 .detail = "a file of that name is there",
                 .advice = "name another destination"});
  }
  fs::create_directories(path, error);
  if (error) return fail(os_error(error.value(), "make directory", path));
  return true;
}

Result<Made> make_at(const Destination& destination, const std::string& path) {
  if (destination.base != nullptr) return make_below(*destination.base, path);
  WH_ASSIGN(const bool made, make_directories(path));
  WH_ASSIGN(auto directory, platform::Directory::open_path(path));
  return Made{std::move(directory), made};
}

// As a client sees it, who knows nothing of where a share stands.
std::string shown_here(const Destination& destination, const std::string& name) {
  return destination.base != nullptr ? name : "./" + name;
}

// A root whose name is not known could be anything that is there.
bool may_have_below(const Destination& destination, const std::string& requested_name) {
  const fs::path path(destination.path.value_or(requested_name));
  const auto is_empty = [](const platform::Directory& directory) {
    auto entries = directory.read();
    if (!entries.has_value()) return false;
    const auto first = entries->next();
    return first.has_value() && !first->has_value();
  };
  if (const auto there = open_below(*destination.base, path.string()); there.has_value()) {
    return !is_empty(*there);
  }
  const auto parent = open_below(*destination.base, path.parent_path().string());
  if (!parent.has_value()) return false;
  const std::string name = path.filename().string();
  const auto stands = [&](const std::string& entry) {
    const auto status = parent->status_of(entry);
    return status.has_value() || status.error().code != Code::kNotFound;
  };
  return !name.empty() && (stands(name) || stands(store::partial_name(name)));
}

std::string joined(const std::string& directory, const std::string& name) {
  return ends_in_slash(directory) ? directory + name : directory + "/" + name;
}

}  // namespace

bool may_have(const Destination& destination, const std::string& requested_name) {
  if (destination.base != nullptr) return may_have_below(destination, requested_name);
  if (!destination.path.has_value() && requested_name.empty()) return true;  // name unknown
  const std::string path = destination.name.empty() ? destination.path.value_or(requested_name)
                                                    : joined(*destination.path, destination.name);
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status)) {
    // A single file that an earlier run began.
    const fs::path as_path(path);
    const std::string name = as_path.filename().string();
    return !name.empty() &&
           fs::exists(fs::symlink_status(as_path.parent_path() / store::partial_name(name), error));
  }
  return !(is_directory(path) && fs::is_empty(path, error) && !error);
}

std::string written_below(const Destination& destination) {
  for (fs::path path = destination.path.value_or("."); !path.empty(); path = path.parent_path()) {
    if (is_directory(path.string())) return path.string();
    if (path == path.parent_path()) break;
  }
  return ".";
}

Result<RootPlace> locate_root(const Destination& destination, const wire::Entry& root,
                              bool name_was_typed) {
  const bool is_virtual = root.name.empty();
  const bool is_whole_directory = root.type == wire::EntryType::kDirectory;
  if (is_virtual && !is_whole_directory) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "fetch",
                 .detail = "the other side sent a file without a name"});
  }
  if (!is_virtual) WH_TRY(platform::check_name(root.name));

  // A name the host chose lands where the user stands: it must not be one that configures
  // something there (CVE-2019-6111), nor lead elsewhere.
  if (!destination.path.has_value() && root.name.starts_with('.') && !name_was_typed) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "fetch",
                 .object = root.name,
                 .detail = "the other side chose a hidden name",
                 .advice = "name a destination"});
  }
  if (!destination.path.has_value()) {
    if (is_virtual) return RootPlace{.path = ".", .shown = "."};
    std::string shown = shown_here(destination, root.name);
    if (is_whole_directory) {
      return RootPlace{.path = ".", .directory = root.name, .shown = std::move(shown)};
    }
    return RootPlace{.path = ".", .file = root.name, .shown = std::move(shown)};
  }
  const std::string& path = *destination.path;
  if (!destination.name.empty()) {
    RootPlace place{.path = path, .shown = joined(path, destination.name)};
    (is_whole_directory ? place.directory : place.file) = destination.name;
    return place;
  }
  if (is_whole_directory) return RootPlace{.path = path, .shown = path};
  if (ends_in_slash(path) || is_directory(destination, path)) {
    return RootPlace{.path = path, .file = root.name, .shown = joined(path, root.name)};
  }
  const fs::path as_path(path);
  const std::string parent = as_path.parent_path().string();
  const std::string name = as_path.filename().string();
  if (!platform::check_name(name)) {
    return fail({.code = Code::kUsage,
                 .operation = "fetch to",
                 .object = path,
                 .detail = "a file cannot have that name",
                 .advice = "name another destination"});
  }
  return RootPlace{.path = parent.empty() ? "." : parent, .file = name, .shown = path};
}

Result<PlacedRoot> place_root(const Destination& destination, const wire::Entry& root,
                              bool name_was_typed) {
  WH_ASSIGN(auto place, locate_root(destination, root, name_was_typed));
  if (!place.directory.empty()) {
    WH_ASSIGN(const auto here, make_at(destination, place.path));
    WH_ASSIGN(const bool made, here.directory.make_directory(place.directory, kNewDirectoryMode));
    WH_ASSIGN(auto directory, here.directory.open_directory(place.directory));
    return PlacedRoot{std::move(directory), "", made, std::move(place.shown)};
  }
  WH_ASSIGN(auto there, make_at(destination, place.path));
  return PlacedRoot{std::move(there.directory), std::move(place.file), there.made,
                    std::move(place.shown)};
}

Result<std::optional<platform::Directory>> find_root(const Destination& destination,
                                                     const RootPlace& place) {
  auto found = open_at(destination, place.path);
  if (found.has_value() && !place.directory.empty()) {
    found = found->open_directory(place.directory);
  }
  if (found.has_value()) return std::optional(std::move(*found));
  if (found.error().code == Code::kNotFound) return std::optional<platform::Directory>();
  return fail(found.error());
}

}  // namespace wormhole::transfer
