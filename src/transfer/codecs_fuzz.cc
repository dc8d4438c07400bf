#include "transfer/codecs_fuzz.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "transfer/codecs.h"

namespace wormhole::transfer {

void fuzz_codecs(Bytes input) {
  static BlockPool pool(1);
  static Codecs codecs(1);
  // Whole blocks are set and compared by memcpy and memcmp: byte by byte took ten times as long as
  // what is tested.
  static const ByteVector canary(kBlockBytes, std::byte{0x5a});
  if (input.size() > kBlockBytes) return;
  Block expanding = pool.acquire();
  std::memcpy(expanding.payload().data(), canary.data(), canary.size());
  std::ranges::copy(input, expanding.payload().begin());
  const auto header = codecs.expand(expanding, static_cast<std::uint32_t>(input.size()));
  if (!header.has_value()) {
    WH_CHECK(header.error().code == Code::kProtocol);
    WH_CHECK(std::ranges::equal(input, expanding.payload().first(input.size())));
    return;
  }
  WH_CHECK(header->plain_bytes > 0 && header->plain_bytes <= kBlockBytes);
  const std::size_t touched = std::max<std::size_t>(header->plain_bytes, input.size());
  WH_CHECK(
      std::memcmp(expanding.payload().data() + touched, canary.data(), kBlockBytes - touched) == 0);
  // What it says compresses again, or does not, and comes back the same.
  const Bytes plain = Bytes(expanding.payload()).first(header->plain_bytes);
  const ByteVector before(plain.begin(), plain.end());
  for (const Effort effort : {Effort::kLz4, Effort::kZstd1}) {
    const auto length = codecs.compress(effort, header->type, expanding, header->plain_bytes);
    if (!length.has_value()) continue;
    const auto again = codecs.expand(expanding, *length);
    WH_CHECK(again.has_value() && again->plain_bytes == header->plain_bytes);
    WH_CHECK(std::ranges::equal(before, expanding.payload().first(before.size())));
  }
}

}  // namespace wormhole::transfer

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::transfer::fuzz_codecs(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
