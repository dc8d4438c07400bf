#include "wire/pack_fuzz.h"

#include <algorithm>

#include "base/check.h"
#include "wire/pack.h"

namespace wormhole::wire {

void fuzz_pack(Bytes input) {
  if (input.size() > kBlockBytes) return;
  ByteVector copy(input.size());
  PackReader reader(input);
  PackWriter writer(copy);
  while (true) {
    const auto record = reader.next();
    if (!record.has_value()) {
      WH_CHECK(record.error().code == Code::kProtocol);
      return;
    }
    if (!record->has_value()) break;
    const auto& [file, data] = **record;
    WH_CHECK(data.size() <= kPackedFileMaxBytes);
    WH_CHECK(data.empty() || (data.data() > input.data() &&
                              data.data() + data.size() <= input.data() + input.size()));
    const auto room = writer.room_for(data.size());
    WH_CHECK(room.has_value() && room->size() == data.size());
    std::ranges::copy(data, room->begin());
    writer.add(file, data.size());
  }
  WH_CHECK(writer.size_bytes() == input.size() && std::ranges::equal(copy, input));
}

}  // namespace wormhole::wire

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::wire::fuzz_pack(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
