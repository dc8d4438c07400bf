#include "cli/spool.h"

#include <filesystem>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/index_file.h"
#include "platform/file_system.h"
#include "platform/process.h"
#include "store/private_directory.h"

namespace wormhole::cli {
namespace {

// As any new file has it, whatever the umask allows.
constexpr std::uint32_t kMode = 0644;

}  // namespace

std::optional<std::string> Spool::place() {
  const auto index = index_file();
  if (!index.has_value()) return std::nullopt;
  return std::filesystem::path(*index).parent_path().string();
}

Result<Spool> Spool::read(const std::string& name, int stop) {
  if (auto usable = platform::check_name(name); !usable.has_value()) {
    Error error = std::move(usable).error();
    error.code = Code::kUsage;  // it is the user's own
    return fail(std::move(error));
  }
  const auto parent = place();
  if (!parent.has_value()) {
    return fail({.code = Code::kLocalIo,
                 .operation = "keep standard input",
                 .detail = "this user has no cache directory",
                 .advice = "set XDG_CACHE_HOME, or put a file"});
  }
  store::make_private_directory(*parent);
  WH_ASSIGN(auto path, platform::make_temporary_directory(*parent + "/put-"));
  Spool spool(std::move(path), name);
  WH_ASSIGN(const auto directory, platform::Directory::open_path(spool.directory_));
  WH_ASSIGN(const auto file, directory.open_partial(name));
  ByteVector buffer(kBlockBytes);
  for (std::uint64_t offset = 0;;) {
    WH_ASSIGN(const std::size_t got, platform::read_standard_input(buffer, stop));
    if (got == 0) break;
    WH_TRY(file.write_at(Bytes(buffer).first(got), offset));
    offset += got;
  }
  WH_TRY(file.set_mode(kMode));
  WH_TRY(file.flush());
  return spool;
}

Spool::Spool(Spool&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), name_(std::move(other.name_)) {}

Spool::~Spool() {
  if (directory_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(path(), ignored);
  std::filesystem::remove(directory_, ignored);
}

}  // namespace wormhole::cli
