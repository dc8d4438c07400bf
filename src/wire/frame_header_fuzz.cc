#include "wire/frame_header_fuzz.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "wire/frame_header.h"

namespace wormhole::wire {

void fuzz_frame_header(Bytes input) {
  if (input.size() < kFrameHeaderBytes) return;
  const auto in = input.first<kFrameHeaderBytes>();
  const auto header = decode(in);
  if (!header) {
    WH_CHECK(header.error().code == Code::kProtocol);
    return;
  }
  WH_CHECK(header->payload_bytes <= kFramePayloadMaxBytes);
  WH_CHECK(header->offset <= kFileMaxBytes);
  std::array<std::byte, kFrameHeaderBytes> again;
  encode(*header, again);
  WH_CHECK(std::ranges::equal(in, again));
}

}  // namespace wormhole::wire

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::wire::fuzz_frame_header(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
