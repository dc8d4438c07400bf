// For tests: the two ends of an authenticated connection over loopback.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "session/listener_testing.h"
#include "wire/messages.h"

namespace wormhole::transfer::testing {

class ConnectionPair {
 public:
  ConnectionPair() {
    auto joined = session::testing::join(host_.address());
    EXPECT_TRUE(joined.has_value());
    near_ = std::move(*joined);
    auto session = host_.sessions.pop();
    EXPECT_TRUE(session.has_value());
    far_ = std::move(*session);
  }

  // The end under test, and the one that looks at what it sent.
  [[nodiscard]] session::Connection& near() { return *near_; }
  [[nodiscard]] session::Connection& far() { return *far_; }

  // The next frame at the far end; its payload stands in `block`.
  [[nodiscard]] wire::FrameHeader receive(Block& block) {
    const auto header = far_->reader->receive(block);
    EXPECT_TRUE(header.has_value());
    return header.value_or(wire::FrameHeader{});
  }
  // The next control message at the far end.
  [[nodiscard]] wire::Message receive_message() {
    BlockPool pool(1);
    Block block = pool.acquire();
    const auto header = receive(block);
    EXPECT_EQ(header.type, wire::FrameType::kControl);
    auto message = wire::decode(Bytes(block.payload()).first(header.payload_bytes));
    EXPECT_TRUE(message.has_value());
    return message.value_or(wire::Message(wire::Bye{}));
  }

 private:
  session::testing::LoopbackHost host_;
  std::unique_ptr<session::Connection> near_;
  std::unique_ptr<session::Connection> far_;
};

}  // namespace wormhole::transfer::testing
