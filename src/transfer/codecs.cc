#include "transfer/codecs.h"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace wormhole::transfer {
namespace {

static_assert(wire::kFramePayloadMaxBytes <= kBlockBytes, "a context's buffer holds any frame");

// Worth its expanding at the other end.
constexpr std::size_t kSavedMin = 16;  // the sixteenth part

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

int zstd_level(Effort effort) {
  switch (effort) {
    case Effort::kZstd1:
      return 1;
    case Effort::kZstd3:
      return 3;
    case Effort::kZstd7:
      return 7;
    case Effort::kNone:
    case Effort::kLz4:
      break;
  }
  WH_CHECK(false);
  return 0;
}

// The length written, or 0 when it does not fit `out`.
std::size_t compress_zstd(ZSTD_CCtx* context, int level, Bytes in, MutableBytes out) {
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);  // the frame says it already
  const std::size_t size = ZSTD_compress2(context, out.data(), out.size(), in.data(), in.size());
  return ZSTD_isError(size) != 0U ? 0 : size;
}

std::size_t compress_lz4(Bytes in, MutableBytes out) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): LZ4 speaks char
  return static_cast<std::size_t>(LZ4_compress_default(
      reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(out.data()),
      static_cast<int>(in.size()), static_cast<int>(out.size())));
}

// These two: whether exactly out.size() bytes came of it; they never write past them.

// One frame of RFC 8878 and nothing else: the library would also take several, skippable ones, and
// those of its versions before the standard, by decoders that nobody else exercises any more.
bool expand_zstd(ZSTD_DCtx* context, Bytes in, MutableBytes out) {
  if (in.size() < sizeof(std::uint32_t) || load_le<std::uint32_t>(in.data()) != ZSTD_MAGICNUMBER ||
      ZSTD_findFrameCompressedSize(in.data(), in.size()) != in.size()) {
    return false;
  }
  return ZSTD_decompressDCtx(context, out.data(), out.size(), in.data(), in.size()) == out.size();
}

bool expand_lz4(Bytes in, MutableBytes out) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): LZ4 speaks char
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()),
                                       reinterpret_cast<char*>(out.data()),
                                       static_cast<int>(in.size()), static_cast<int>(out.size()));
  return size >= 0 && static_cast<std::size_t>(size) == out.size();
}

}  // namespace

struct Codecs::Context {
  std::unique_ptr<ZSTD_CCtx, FreeZstd> compressor;  // each made when first needed
  std::unique_ptr<ZSTD_DCtx, FreeZstd> expander;
  ByteVector buffer = ByteVector(kBlockBytes);
};

// A context in use.
class Codecs::Loan {
 public:
  explicit Loan(Codecs& owner) : owner_(owner) {
    std::unique_lock lock(owner_.mutex_);
    owner_.freed_.wait(lock, [&] { return !owner_.free_.empty() || owner_.unmade_ > 0; });
    if (owner_.free_.empty()) {
      --owner_.unmade_;
      lock.unlock();
      context_ = std::make_unique<Context>();
      return;
    }
    context_ = std::move(owner_.free_.back());
    owner_.free_.pop_back();
  }
  ~Loan() {
    std::scoped_lock lock(owner_.mutex_);
    owner_.free_.push_back(std::move(context_));
    owner_.freed_.notify_one();
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;

  [[nodiscard]] MutableBytes buffer() const { return context_->buffer; }
  [[nodiscard]] ZSTD_CCtx* compressor() const {
    if (context_->compressor == nullptr) context_->compressor.reset(ZSTD_createCCtx());
    WH_CHECK(context_->compressor != nullptr);
    return context_->compressor.get();
  }
  [[nodiscard]] ZSTD_DCtx* expander() const {
    if (context_->expander == nullptr) context_->expander.reset(ZSTD_createDCtx());
    WH_CHECK(context_->expander != nullptr);
    return context_->expander.get();
  }

 private:
  Codecs& owner_;
  std::unique_ptr<Context> context_;
};

Codecs::Codecs(std::size_t contexts_max) : unmade_(contexts_max) {
  WH_CHECK(contexts_max > 0);
  free_.reserve(contexts_max);
}

Codecs::~Codecs() = default;

std::optional<std::uint32_t> Codecs::compress(Effort effort, wire::FrameType type, Block& block,
                                              std::uint32_t length) {
  WH_CHECK(effort != Effort::kNone && length <= kBlockBytes);
  constexpr std::size_t kHeader = wire::kCompressedHeaderBytes;
  const std::size_t most = length - length / kSavedMin;
  if (most <= kHeader) return std::nullopt;
  const Bytes plain = Bytes(block.payload()).first(length);
  const Loan loan(*this);
  const MutableBytes out = loan.buffer().first(most - kHeader);
  const bool is_lz4 = effort == Effort::kLz4;
  const std::size_t size = is_lz4
                               ? compress_lz4(plain, out)
                               : compress_zstd(loan.compressor(), zstd_level(effort), plain, out);
  if (size == 0) return std::nullopt;
  wire::encode({.codec = is_lz4 ? wire::Codec::kLz4 : wire::Codec::kZstd,
                .type = type,
                .plain_bytes = length},
               block.payload().first<kHeader>());
  std::ranges::copy(out.first(size), block.payload().subspan(kHeader).begin());
  return static_cast<std::uint32_t>(kHeader + size);
}

Result<wire::CompressedHeader> Codecs::expand(Block& block, std::uint32_t length) {
  const Bytes payload = Bytes(block.payload()).first(length);
  WH_ASSIGN(const auto header, wire::decode_compressed(payload));
  const Loan loan(*this);
  const MutableBytes out = loan.buffer().first(header.plain_bytes);
  const Bytes in = payload.subspan(wire::kCompressedHeaderBytes);
  const bool is_whole = header.codec == wire::Codec::kZstd ? expand_zstd(loan.expander(), in, out)
                                                           : expand_lz4(in, out);
  if (!is_whole) {
    return fail({.code = Code::kProtocol,
                 .operation = "expand compressed data",
                 .detail = "it is damaged, or not as long as declared"});
  }
  std::ranges::copy(out, block.payload().begin());
  return header;
}

Result<wire::FrameHeader> expanded(Codecs* codecs, wire::FrameHeader header, Block& block) {
  if (codecs == nullptr) {
    return fail({.code = Code::kProtocol,
                 .operation = "fetch",
                 .detail = "the other side sent compressed data that was not asked for"});
  }
  WH_ASSIGN(const auto inner, codecs->expand(block, header.payload_bytes));
  header.type = inner.type;
  header.payload_bytes = inner.plain_bytes;
  return header;
}

}  // namespace wormhole::transfer
