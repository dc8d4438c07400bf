#include "transfer/chunk_teller.h"

#include <algorithm>

#include "base/limits.h"
#include "transfer/chunk_scan.h"
#include "transfer/failure.h"
#include "wire/messages.h"

namespace wormhole::transfer {
namespace {

// Messages double up to so many chunks: what is missing at the start is asked for at once.
constexpr std::size_t kChunksTogetherMax = 16;
static_assert(kChunksTogetherMax <= wire::kChunksPerMessageMax);

}  // namespace

ChunkTeller::~ChunkTeller() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void ChunkTeller::add(GivenFilePtr file) {
  std::scoped_lock lock(mutex_);
  files_.push_back(std::move(file));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  wake_.notify_one();
}

void ChunkTeller::stop() {
  std::scoped_lock lock(mutex_);
  stopped_ = true;
  wake_.notify_one();
}

void ChunkTeller::run() {
  ByteVector buffer(kBlockBytes);
  while (true) {
    GivenFilePtr file;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopped_ || !files_.empty(); });
      if (stopped_) return;
      file = std::move(files_.front());
      files_.pop_front();
    }
    if (!tell(*file, buffer)) return;
  }
}

bool ChunkTeller::tell(GivenFile& file, MutableBytes buffer) {
  const auto told = tell_all(file, buffer);
  if (told.has_value()) return *told;
  if (file.stopped.exchange(true)) return true;  // a stream said so already
  return control_.push_waiting(wire::Failed{.request = file.request,
                                            .has_file = true,
                                            .file = file.id,
                                            .code = failure_code(told.error()),
                                            .reason = failure_reason(told.error())});
}

Result<bool> ChunkTeller::tell_all(GivenFile& file, MutableBytes buffer) {
  WH_ASSIGN(const auto opened, file.open());
  ChunkScan scan(opened, file.status.size_bytes, file.uncached);
  wire::Chunks next{.request = file.request, .file = file.id};
  std::size_t together = 1;
  std::uint64_t told_bytes = 0;
  while (!scan.is_over()) {
    if (stopped_) return false;
    if (file.stopped || file.told_last) return true;
    WH_TRY(scan.step(buffer, next.chunks));
    if (scan.is_over()) {
      // The taker may need nothing else to have the whole file: it must be the announced version.
      WH_ASSIGN(const auto now, opened->status());
      if (!now.same_version(file.status)) {
        return fail({.code = Code::kChanged,
                     .operation = "read",
                     .object = file.name,
                     .detail = "it changed while it was read"});
      }
    } else if (next.chunks.size() < together) {
      continue;
    }
    std::uint64_t bytes = 0;
    for (const Chunk& chunk : next.chunks) bytes += chunk.length;
    next.offset = told_bytes;
    told_bytes += bytes;
    if (!control_.push_waiting(std::move(next))) return false;
    next = {.request = file.request, .file = file.id};
    together = std::min(2 * together, kChunksTogetherMax);
  }
  return true;
}

}  // namespace wormhole::transfer
