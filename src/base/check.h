// Assertions for our own bugs. They stay on in release; bytes from peer, disk or kernel never
// reach one (they become Error).
#pragma once

namespace wormhole {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace wormhole

#define WH_CHECK(condition)                            \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::wormhole::check_failed(#condition, __FILE__, __LINE__))
