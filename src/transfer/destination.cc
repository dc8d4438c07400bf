#include "transfer/destination.h"

#include <filesystem>
#include <system_error>

#include "store/hash.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;

// Narrowed or widened to the source's mode once its contents are there.
constexpr std::uint32_t kNewDirectoryMode = 0700;

bool ends_in_slash(const std::string& path) { return path.ends_with('/'); }

bool is_directory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) && !error;
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

Result<PlacedRoot> in_directory(const std::string& path, std::string name, std::string shown) {
  WH_ASSIGN(const bool made, make_directories(path));
  WH_ASSIGN(auto directory, platform::Directory::open_path(path));
  return PlacedRoot{std::move(directory), std::move(name), made, std::move(shown)};
}

std::string joined(const std::string& directory, const std::string& name) {
  return ends_in_slash(directory) ? directory + name : directory + "/" + name;
}

}  // namespace

bool may_have(const Destination& destination, const std::string& requested_name) {
  if (!destination.path.has_value() && requested_name.empty()) return true;  // name unknown
  const std::string path = destination.path.value_or(requested_name);
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

Result<PlacedRoot> place_root(const Destination& destination, const wire::Entry& root,
                              bool name_was_typed) {
  const bool is_virtual = root.name.empty();
  if (is_virtual && root.type != wire::EntryType::kDirectory) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "fetch",
                 .detail = "the host sent a file without a name"});
  }
  if (!is_virtual) WH_TRY(platform::check_name(root.name));

  // A name the host chose lands where the user stands: it must not be one that configures
  // something there (CVE-2019-6111), nor lead elsewhere.
  if (!destination.path.has_value() && root.name.starts_with('.') && !name_was_typed) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "fetch",
                 .object = root.name,
                 .detail = "the host chose a hidden name",
                 .advice = "name a destination"});
  }
  if (!destination.path.has_value() && !is_virtual && root.type == wire::EntryType::kDirectory) {
    WH_ASSIGN(const auto here, platform::Directory::open_path("."));
    WH_ASSIGN(const bool made, here.make_directory(root.name, kNewDirectoryMode));
    WH_ASSIGN(auto directory, here.open_directory(root.name));
    return PlacedRoot{std::move(directory), "", made, "./" + root.name};
  }
  if (root.type == wire::EntryType::kDirectory) {
    const std::string path = destination.path.value_or(".");
    return in_directory(path, "", path);
  }
  if (!destination.path.has_value()) return in_directory(".", root.name, "./" + root.name);
  const std::string& path = *destination.path;
  if (ends_in_slash(path) || is_directory(path)) {
    return in_directory(path, root.name, joined(path, root.name));
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
  return in_directory(parent.empty() ? "." : parent, name, path);
}

}  // namespace wormhole::transfer
