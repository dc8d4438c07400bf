#include "transfer/chunk_teller.h"

#include <algorithm>

#include "base/limits.h"
#include "base/start_thread.h"
#include "transfer/chunk_scan.h"
#include "transfer/failure.h"
#include "wire/messages.h"

namespace wormhole::transfer {
namespace {

// Messages double up to so many chunks: what is missing at the start is asked for at once.
constexpr std::size_t kChunksTogetherMax = 16;
static_assert(kChunksTogetherMax <= wire::kChunksPerMessageMax);

// Messages of fine chunks have so many, and those of a block more.
constexpr std::size_t kFineChunksTogether = 512;
static_assert(kFineChunksTogether + kBlockBytes / kFineChunkMinBytes + 1 <
              wire::kChunksPerMessageMax);

std::uint64_t total_bytes(const std::vector<Chunk>& chunks) {
  std::uint64_t bytes = 0;
  for (const Chunk& chunk : chunks) bytes += chunk.length;
  return bytes;
}

// The taker may need nothing else to have the whole file: it must be the announced version.
Result<void> check_version(const GivenFile& file, const platform::File& opened) {
  WH_ASSIGN(const bool is_the_same, opened.is_version(file.status));
  if (is_the_same) return {};
  return fail({.code = Code::kChanged,
               .operation = "read",
               .object = file.name,
               .detail = "it changed while it was read"});
}

}  // namespace

ChunkTeller::~ChunkTeller() {
  stop();
  if (thread_.joinable()) thread_.join();
}

Result<void> ChunkTeller::add_fine(GivenFilePtr file, std::vector<RangeSet::Range> ranges) {
  std::uint64_t bytes = 0;
  for (const RangeSet::Range& range : ranges) bytes += range.length;
  std::scoped_lock lock(mutex_);
  if (bytes > kRefinedMaxBytes || fine_ranges_ + ranges.size() > kOpenEntriesMax) {
    return fail({.code = Code::kProtocol,
                 .operation = "answer request",
                 .object = "WantFineChunks",
                 .detail = "more than is ever looked at once more"});
  }
  fine_ranges_ += ranges.size();
  return push({std::move(file), std::move(ranges)});
}

Result<void> ChunkTeller::add(GivenFilePtr file) {
  std::scoped_lock lock(mutex_);
  return push({std::move(file), {}});
}

Result<void> ChunkTeller::push(Job job) {
  if (!thread_.joinable()) WH_TRY(start_thread(thread_, [this] { run(); }));
  jobs_.push_back(std::move(job));
  wake_.notify_one();
  return {};
}

void ChunkTeller::stop() {
  std::scoped_lock lock(mutex_);
  stopped_ = true;
  wake_.notify_one();
}

void ChunkTeller::run() {
  ByteVector buffer(kBlockBytes);
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
      if (stopped_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      fine_ranges_ -= job.fine_ranges.size();
    }
    if (!tell(job, buffer)) return;
  }
}

bool ChunkTeller::tell(const Job& job, MutableBytes buffer) {
  GivenFile& file = *job.file;
  const auto told =
      job.fine_ranges.empty() ? tell_chunks(file, buffer) : tell_fine_chunks(job, buffer);
  if (told.has_value()) return *told;
  if (file.stopped.exchange(true)) return true;  // a stream said so already
  return control_.push_waiting(wire::Failed{.request = file.request,
                                            .has_file = true,
                                            .file = file.id,
                                            .code = failure_code(told.error()),
                                            .reason = failure_reason(told.error())});
}

Result<bool> ChunkTeller::tell_chunks(GivenFile& file, MutableBytes buffer) {
  WH_ASSIGN(const auto opened, file.open());
  ChunkScan scan(opened, {0, file.status.size_bytes});
  return tell_range<wire::Chunks>(file, *opened, scan, {.first = 1, .most = kChunksTogetherMax},
                                  /*is_last=*/true, buffer);
}

Result<bool> ChunkTeller::tell_fine_chunks(const Job& job, MutableBytes buffer) {
  GivenFile& file = *job.file;
  WH_ASSIGN(const auto opened, file.open());
  for (const RangeSet::Range& range : job.fine_ranges) {
    ChunkScan scan(opened, range, store::kFineChunkRule);
    const bool is_last = &range == &job.fine_ranges.back();
    WH_ASSIGN(const bool goes_on,
              tell_range<wire::FineChunks>(
                  file, *opened, scan, {.first = kFineChunksTogether, .most = kFineChunksTogether},
                  is_last, buffer));
    if (!goes_on) return false;
  }
  return true;
}

template <typename Message>
Result<bool> ChunkTeller::tell_range(GivenFile& file, const platform::File& opened, ChunkScan& scan,
                                     Together together, bool is_last, MutableBytes buffer) {
  std::size_t enough = together.first;
  Message next{.request = file.request, .file = file.id, .offset = scan.position()};
  while (!scan.is_over()) {
    if (stopped_) return false;
    if (file.stopped || (file.told_last && !file.lends)) return true;
    WH_TRY(scan.step(buffer, next.chunks));
    if (scan.is_over()) {
      if (is_last) WH_TRY(check_version(file, opened));
    } else if (next.chunks.size() < enough) {
      continue;
    }
    const std::uint64_t behind = next.offset + total_bytes(next.chunks);
    if (!control_.push_waiting(std::move(next))) return false;
    next = {.request = file.request, .file = file.id, .offset = behind};
    enough = std::min(2 * enough, together.most);
  }
  return true;
}

}  // namespace wormhole::transfer
