#include "cli/target_fuzz.h"

#include "base/check.h"
#include "cli/target.h"

namespace wormhole::cli {

void fuzz_target(Bytes input) {
  const std::string_view text = as_text(input);
  if (const auto target = parse_target(text); target.has_value()) {
    WH_CHECK(!target->host.empty() && target->port != 0);
    WH_CHECK(target->host.find('/') == std::string::npos);
    WH_CHECK(text.ends_with(target->path));
    WH_CHECK(target->last_part().find('/') == std::string::npos);
    WH_CHECK(target->path.find(target->last_part()) != std::string::npos);
  } else {
    WH_CHECK(target.error().code == Code::kUsage && !target.error().detail.empty());
  }
  if (const auto listen = parse_listen(text); listen.has_value()) {
    WH_CHECK(listen->port_given || listen->port == kDefaultPort);
  } else {
    WH_CHECK(listen.error().code == Code::kUsage);
  }
}

}  // namespace wormhole::cli

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::cli::fuzz_target(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
