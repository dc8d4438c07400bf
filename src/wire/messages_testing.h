// A message as its bytes: for tests.
#pragma once

#include <gtest/gtest.h>

#include "base/block.h"
#include "wire/messages.h"

namespace wormhole::wire {

class Encoded {
 public:
  explicit Encoded(const Message& message) : block_(pool().acquire()) {
    const auto size = encode(message, block_.payload());
    EXPECT_TRUE(size.has_value()) << message_name(message);
    if (size.has_value()) size_ = *size;
  }
  [[nodiscard]] MutableBytes bytes() const { return block_.payload().first(size_); }

 private:
  static BlockPool& pool() {
    static BlockPool pool(4);
    return pool;
  }
  Block block_;
  std::size_t size_ = 0;
};

}  // namespace wormhole::wire
