// Small files that hold a secret.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/units.h"
#include "platform/file_system.h"
#include "platform/process.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {
namespace {

constexpr std::size_t kSecretFileMaxBytes = 4 * kKiB;

std::unexpected<Error> refused(Code code, const std::string& path, std::string_view detail) {
  return fail({.code = code,
               .operation = "use the secret file",
               .object = path,
               .detail = std::string(detail)});
}

Result<void> check_path(const std::string& path) {
  if (path.find('\0') == std::string::npos) return {};
  return refused(Code::kUnsafeName, path, "the path holds a NUL byte");
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  WH_TRY(check_path(path));
  Fd fd(retry([&] {
    return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  }));
  if (!fd && errno == ELOOP) return refused(Code::kUnsafeName, path, "it is a symbolic link");
  if (!fd) return fail(os_error(errno, "open", path));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return fail(os_error(errno, "look at", path));
  if (!S_ISREG(status.st_mode)) {
    return refused(Code::kUnsafeName, path, "it is not a regular file");
  }

  // One byte more than allowed tells too long from just long enough.
  std::array<std::byte, kSecretFileMaxBytes + 1> buffer;
  auto got = File(std::move(fd)).read_at(buffer, 0);
  if (!got) {
    got.error().object = path;
    return fail(std::move(got).error());
  }
  std::string secret;
  if (*got <= kSecretFileMaxBytes) secret = as_text(Bytes(buffer).first(*got));
  ::explicit_bzero(buffer.data(), buffer.size());
  if (*got > kSecretFileMaxBytes) return refused(Code::kLimit, path, "it is longer than 4 KiB");
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  return secret;
}

Result<void> write_secret_file(const std::string& path, std::string_view secret) {
  WH_TRY(check_path(path));
  Fd fd(retry([&] {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  }));
  if (!fd) {
    const Code otherwise = errno == EEXIST ? Code::kExists : Code::kLocalIo;
    return fail(os_error(errno, "create", path, otherwise));
  }
  std::string line(secret);
  line += '\n';
  const File file(std::move(fd));
  auto written = file.set_mode(0600);  // a umask may have taken even the owner's bits
  if (written) written = file.write_at(as_bytes(line), 0);
  ::explicit_bzero(line.data(), line.size());
  if (written) return {};
  ::unlink(path.c_str());  // half a secret is none
  written.error().object = path;
  return fail(std::move(written).error());
}

}  // namespace wormhole::platform
