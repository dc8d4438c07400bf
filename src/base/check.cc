#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace wormhole {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "wormhole: internal error: %s:%d: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace wormhole
