#include "store/user_secret.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "platform/file_system.h"
#include "platform/process.h"
#include "store/private_directory.h"

namespace wormhole::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMachineLabel = "wormhole secret of a machine and user 1, ";

std::optional<Hash> parse(std::string_view text) {
  const auto bytes = from_hex(text);
  Hash parsed;
  if (!bytes.has_value() || bytes->size() != parsed.size()) return std::nullopt;
  std::ranges::copy(*bytes, parsed.begin());
  return parsed;
}

// The secret that was read from the file, if it is one and nobody else could read it. An error: it
// is another user's.
Result<std::optional<Hash>> private_secret(const fs::path& file, std::string_view text) {
  WH_ASSIGN(const auto directory, platform::Directory::open_path(file.parent_path().string()));
  WH_ASSIGN(const auto status, directory.status_of(file.filename().string()));
  if (status.owner != platform::user_id()) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "use the secret file",
                 .object = file.string(),
                 .detail = "it is another user's"});
  }
  const auto is_exposed = [](const platform::FileStatus& seen) { return (seen.mode & 077) != 0; };
  if (!is_exposed(status)) return parse(text);
  std::error_code ignored;
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write, ignored);
  WH_ASSIGN(const auto changed, directory.status_of(file.filename().string()));
  // Where that changes nothing, the file system has no permissions: others never had them either.
  return is_exposed(changed) ? parse(text) : std::nullopt;
}

// Under its name at once and whole, or not at all. False: another was first.
Result<bool> make(const fs::path& file, const Hash& secret, Random& random) {
  std::array<std::byte, 8> suffix;
  random.fill(suffix);
  const std::string beside = file.string() + "." + to_hex(suffix);
  WH_TRY(platform::write_secret_file(beside, to_hex(secret)));
  std::error_code error;
  fs::create_hard_link(beside, file, error);
  const bool is_taken = error == std::errc::file_exists;
  // No hard links here: of two that come at once the later one stays.
  if (error && !is_taken) fs::rename(beside, file, error);
  std::error_code ignored;
  fs::remove(beside, ignored);
  if (!error || is_taken) return !is_taken;
  return fail({.code = Code::kLocalIo,
               .operation = "keep a secret",
               .object = file.string(),
               .detail = error.message()});
}

}  // namespace

UserSecret UserSecret::of_machine_and_user() {
  return UserSecret(hash(as_bytes(std::string(kMachineLabel) + platform::machine_and_user())));
}

Result<UserSecret> UserSecret::open(const std::string& file, Random& random) {
  const auto text = platform::read_secret_file(file);
  if (text.has_value()) {
    WH_ASSIGN(const auto kept, private_secret(file, *text));
    if (kept.has_value()) return UserSecret(*kept);
    std::error_code ignored;
    fs::remove(file, ignored);
  } else if (text.error().code != Code::kNotFound) {
    return fail(text.error());
  }
  make_private_directory(fs::path(file).parent_path());
  Hash secret;
  random.fill(secret);
  WH_ASSIGN(const bool is_ours, make(file, secret, random));
  if (is_ours) return UserSecret(secret);
  WH_ASSIGN(const std::string theirs, platform::read_secret_file(file));
  WH_ASSIGN(const auto kept, private_secret(file, theirs));
  if (kept.has_value()) return UserSecret(*kept);
  return fail({.code = Code::kLocalIo,
               .operation = "read a secret",
               .object = file,
               .detail = "it is not one"});
}

Hash UserSecret::key(std::string_view purpose) const {
  return keyed_hash(bytes_, as_bytes(purpose));
}

}  // namespace wormhole::store
