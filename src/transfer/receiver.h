// Who takes the answers to one request: a tree, or one file's bytes in their order.
//
// The thread of the first connection calls on_message(), every stream's on_frame(); the rest any.
#pragma once

#include <cstdint>
#include <optional>

#include "base/block.h"
#include "base/error.h"
#include "base/result.h"
#include "wire/frame_header.h"
#include "wire/messages.h"

namespace wormhole::transfer {

class Receiver {
 public:
  virtual ~Receiver() = default;

  // A message of this request, from the first connection.
  [[nodiscard]] virtual Result<void> on_message(const wire::Message& message) = 0;
  // A frame of data from any stream; its payload stands in `block`. `on_first_connection` says
  // whether waiting for an announcement is allowed.
  [[nodiscard]] virtual Result<void> on_frame(const wire::FrameHeader& received, Block& block,
                                              bool on_first_connection) = 0;
  // Ends the request from outside (a stream failed, the user stopped it). The first error wins.
  virtual void fail_with(Error error) = 0;
  [[nodiscard]] virtual bool is_over() const = 0;

  // For who gives: a file's data has begun to leave. Any thread.
  virtual void on_begun(const std::string& /*path*/) {}

  // File bytes that came.
  [[nodiscard]] virtual std::uint64_t taken_bytes() const = 0;
  // File bytes that are still to come, about: nullopt while more may be announced.
  [[nodiscard]] virtual std::optional<std::uint64_t> left_bytes() const = 0;
};

}  // namespace wormhole::transfer
