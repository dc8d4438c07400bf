// A large file that stands on no disk: FUSE makes up its bytes, which never repeat and do not
// compress. For transfers that are larger than what the lab's disk holds twice.
//
//     generated_file mount DIRECTORY SIZE     serves DIRECTORY/large.bin until it is unmounted
//     generated_file check PATH SIZE          1 unless PATH holds exactly these bytes
//
// Each page is a page of a pool of random bytes, every word of it xored with a word that no other
// page has.
#define FUSE_USE_VERSION 34
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr char kName[] = "/large.bin";
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kWords = kPageBytes / sizeof(std::uint64_t);
constexpr std::uint64_t kPoolPages = 4096;  // 16 MiB
constexpr std::size_t kCheckBytes = std::size_t{4} << 20;

std::uint64_t file_bytes = 0;
std::vector<std::uint64_t> pool;

// SplitMix64 (Steele, Lea, Flood 2014): different for every page.
std::uint64_t key_of(std::uint64_t page) {
  std::uint64_t z = (page + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void make_pool() {
  std::mt19937_64 random(20'261'125);
  pool.resize(kPoolPages * kWords);
  for (std::uint64_t& word : pool) word = random();
}

// The first `size` bytes of a page, straight to where they are wanted: what the source costs is
// taken from the cores that the row measures.
void make_page(std::uint64_t page, char* out, std::size_t size) {
  const char* from = reinterpret_cast<const char*>(&pool[(page % kPoolPages) * kWords]);
  const std::uint64_t key = key_of(page);
  const auto make_word = [&](std::size_t at, std::size_t length) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, length);
    word ^= key;
    std::memcpy(out + at, &word, length);
  };
  const std::size_t words = size / sizeof key;
  for (std::size_t i = 0; i < words; ++i) make_word(i * sizeof key, sizeof key);
  make_word(words * sizeof key, size % sizeof key);
}

// `offset` is where a page begins: FUSE reads through the page cache, by whole pages.
void make_range(std::uint64_t offset, char* out, std::size_t size) {
  for (std::size_t i = 0; i < size; i += kPageBytes) {
    make_page((offset + i) / kPageBytes, out + i, std::min(kPageBytes, size - i));
  }
}

int get_attributes(const char* path, struct stat* status, fuse_file_info* /*file*/) {
  *status = {};
  if (std::string_view(path) == "/") {
    status->st_mode = S_IFDIR | 0755;
    status->st_nlink = 2;
    return 0;
  }
  if (std::string_view(path) != kName) return -ENOENT;
  status->st_mode = S_IFREG | 0444;
  status->st_nlink = 1;
  status->st_size = static_cast<off_t>(file_bytes);
  status->st_blocks = static_cast<blkcnt_t>((file_bytes + 511) / 512);  // no holes
  status->st_mtime = 1'700'000'000;
  return 0;
}

int list(const char* /*path*/, void* buffer, fuse_fill_dir_t fill, off_t /*offset*/,
         fuse_file_info* /*file*/, fuse_readdir_flags /*flags*/) {
  fill(buffer, kName + 1, nullptr, 0, fuse_fill_dir_flags{});
  return 0;
}

int read_range(const char* /*path*/, char* out, std::size_t size, off_t offset,
               fuse_file_info* /*file*/) {
  const auto at = static_cast<std::uint64_t>(offset);
  if (at >= file_bytes) return 0;
  if (at % kPageBytes != 0) return -EINVAL;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, file_bytes - at));
  make_range(at, out, size);
  return static_cast<int>(size);
}

void* begin(fuse_conn_info* connection, fuse_config* config) {
  connection->max_readahead = 1U << 20;
  config->kernel_cache = 1;
  config->attr_timeout = 3600;
  config->entry_timeout = 3600;
  return nullptr;
}

int mount_at(char* program, char* directory) {
  fuse_operations operations{};
  operations.getattr = get_attributes;
  operations.readdir = list;
  operations.read = read_range;
  operations.init = begin;
  std::string foreground = "-f";
  std::string options = "-oallow_other,default_permissions,max_threads=4,fsname=generated";
  std::array<char*, 5> arguments{program, foreground.data(), options.data(), directory, nullptr};
  return fuse_main(4, arguments.data(), &operations, nullptr);
}

int check(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 1;
  std::vector<char> found(kCheckBytes);
  std::vector<char> right(kCheckBytes);
  std::uint64_t at = 0;
  while (at <= file_bytes) {
    const ssize_t got = pread(fd, found.data(), kCheckBytes, static_cast<off_t>(at));
    if (got <= 0) break;
    make_range(at, right.data(), static_cast<std::size_t>(got));
    if (std::memcmp(found.data(), right.data(), static_cast<std::size_t>(got)) != 0) {
      std::printf("%s differs within the %zd bytes at %llu\n", path, got,
                  static_cast<unsigned long long>(at));
      return 1;
    }
    posix_fadvise(fd, static_cast<off_t>(at), got, POSIX_FADV_DONTNEED);
    at += static_cast<std::uint64_t>(got);
  }
  close(fd);
  if (at == file_bytes) return 0;
  std::printf("%s has %llu bytes, not %llu\n", path, static_cast<unsigned long long>(at),
              static_cast<unsigned long long>(file_bytes));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: generated_file mount DIRECTORY SIZE | check PATH SIZE\n");
    return 2;
  }
  file_bytes = std::strtoull(argv[3], nullptr, 10);
  make_pool();
  const std::string_view what = argv[1];
  if (what == "mount") return mount_at(argv[0], argv[2]);
  if (what == "check") return check(argv[2]);
  return 2;
}
