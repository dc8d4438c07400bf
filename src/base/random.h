// Randomness as a value that is handed down: tests hand down a seeded one.
#pragma once

#include "base/bytes.h"

namespace wormhole {

class Random {
 public:
  virtual ~Random() = default;
  // Fills `out` with bytes fit for keys. Thread-safe. Does not fail: a system without a source
  // of randomness aborts.
  virtual void fill(MutableBytes out) = 0;
};

}  // namespace wormhole
