#include "transfer/stream_join.h"

#include "wire/messages.h"

namespace wormhole::transfer {

Result<void> send_join(session::Connection& connection, Block& block, bool gives) {
  const wire::Join join{static_cast<std::uint8_t>(connection.stream), gives};
  WH_ASSIGN(const std::size_t size, wire::encode(join, block.payload()));
  return connection.writer->send(
      {.payload_bytes = static_cast<std::uint32_t>(size), .type = wire::FrameType::kControl},
      block);
}

Result<bool> receive_join(session::Connection& connection, Block& block) {
  WH_ASSIGN(const auto header, connection.reader->receive(block));
  if (header.type == wire::FrameType::kEndStream) return false;
  if (header.type == wire::FrameType::kControl) {
    WH_ASSIGN(const auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
    const auto* join = std::get_if<wire::Join>(&message);
    if (join != nullptr && join->stream == connection.stream) return true;
  }
  return fail({.code = Code::kProtocol,
               .operation = "add a stream",
               .detail = "the host answered with something else"});
}

}  // namespace wormhole::transfer
