#include "session/join_code_fuzz.h"

#include "base/check.h"
#include "session/join_code.h"

namespace wormhole::session {

void fuzz_join_code(Bytes input) {
  const auto code = JoinCode::parse(as_text(input));
  if (!code) {
    WH_CHECK(code.error().code == Code::kUsage);
    return;
  }
  const std::string text = code->text();
  WH_CHECK(!code->secret().empty() && text.size() <= kCodeMaxBytes);
  WH_CHECK(code->channel().empty() != JoinCode::has_generated_shape(text));
  const auto again = JoinCode::parse(text);
  WH_CHECK(again && again->text() == text && again->secret() == code->secret());
}

}  // namespace wormhole::session

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::session::fuzz_join_code(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
