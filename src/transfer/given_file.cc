#include "transfer/given_file.h"

namespace wormhole::transfer {

Result<std::shared_ptr<const platform::File>> GivenFile::open() {
  std::scoped_lock lock(mutex_);
  if (auto file = file_.lock()) return file;
  WH_ASSIGN(const auto handle, tree->open(directory));
  WH_ASSIGN(auto opened, handle->open_file(name));
  opened.advise_sequential();
  if (uncached) opened.keep_cache_as_found();
  auto file = std::make_shared<const platform::File>(std::move(opened));
  file_ = file;
  return file;
}

Result<std::shared_ptr<const platform::File>> GivenFile::open_to_send() {
  WH_ASSIGN(auto file, open());
  if (uncached) {
    std::scoped_lock lock(mutex_);
    kept_ = file;
  }
  return file;
}

void GivenFile::close() {
  std::shared_ptr<const platform::File> last;  // closed without the lock
  std::scoped_lock lock(mutex_);
  last.swap(kept_);
}

}  // namespace wormhole::transfer
