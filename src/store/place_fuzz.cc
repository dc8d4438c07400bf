#include "store/place_fuzz.h"

#include <algorithm>

#include "base/check.h"
#include "store/place.h"

namespace wormhole::store {

void fuzz_place(Bytes input) {
  const std::size_t record_bytes = std::min(input.size(), kPlaceRecordBytes);
  const Bytes record = input.first(record_bytes);
  const auto place = decode_place(std::string(as_text(input.subspan(record_bytes))), record);
  if (!place.has_value()) return;
  WH_CHECK(!place->path.empty() && place->path.front() == '/');
  WH_CHECK(place->modified.nanoseconds < 1'000'000'000);
  WH_CHECK(place->changed.nanoseconds < 1'000'000'000);
  WH_CHECK(std::ranges::equal(encode_place(*place), record));
}

}  // namespace wormhole::store

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::store::fuzz_place(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
