#include "session/connection.h"

#include <gtest/gtest.h>

#include "platform/readiness.h"
#include "platform/test_sockets.h"
#include "session/frame_cipher.h"
#include "session/listener_testing.h"

namespace wormhole::session {
namespace {

struct SocketPair {
  platform::Socket near;
  platform::Socket far;
};

SocketPair loopback_pair() {
  auto listening = platform::ListenSocket::open("127.0.0.1", 0);
  EXPECT_TRUE(listening.has_value());
  auto near = platform::connect_from("127.0.0.1", listening->local());
  EXPECT_TRUE(near.has_value());
  platform::Watch watch{.descriptor = listening->descriptor()};
  EXPECT_TRUE(platform::wait_ready({&watch, 1}, std::nullopt).has_value());
  auto far = listening->accept();
  EXPECT_TRUE(far.has_value() && far->has_value());
  return {std::move(*near), std::move(**far)};
}

// The first frame in the same segment as Finished, cut in two at every byte: what came early and
// what comes by the socket make one frame.
TEST(Connection, FramesMayBeCutAnywhere) {
  constexpr std::string_view kText = "the first request";
  const wire::FrameHeader header{.payload_bytes = kText.size()};
  const std::size_t frame_bytes = wire::kFrameHeaderBytes + kText.size() + kTagBytes;
  for (std::size_t cut = 0; cut <= frame_bytes; ++cut) {
    testing::TestGate gate;
    testing::TestHost host(gate);
    ClientHandshake client = testing::joining();
    for (int flight = 0; flight < 2; ++flight) {
      ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
      ASSERT_TRUE(client.receive(host.handshake.take_output()).has_value());
    }
    ASSERT_TRUE(client.done());
    ByteVector segment = client.take_output();
    Established at_client = client.take();
    auto sealer = make_sealer(at_client.suite, std::move(at_client.sending));
    ASSERT_TRUE(sealer.has_value());
    ByteVector frame(frame_bytes);
    const MutableBytes bytes(frame);
    wire::encode(header, bytes.first<wire::kFrameHeaderBytes>());
    std::ranges::copy(as_bytes(kText), frame.begin() + wire::kFrameHeaderBytes);
    ASSERT_TRUE((*sealer)
                    ->seal(bytes.first<wire::kFrameHeaderBytes>(),
                           bytes.subspan(wire::kFrameHeaderBytes, kText.size()),
                           bytes.last<kTagBytes>())
                    .has_value());
    const auto middle = frame.begin() + static_cast<std::ptrdiff_t>(cut);
    segment.insert(segment.end(), frame.begin(), middle);
    ASSERT_TRUE(host.handshake.receive(segment).has_value());
    ASSERT_TRUE(host.handshake.done());

    SocketPair sockets = loopback_pair();
    auto connection = make_connection(std::move(sockets.far), host.handshake.take());
    ASSERT_TRUE(connection.has_value());
    ASSERT_TRUE(sockets.near.send_all(ByteVector(middle, frame.end())).has_value());
    EXPECT_EQ(testing::receive_text(**connection), kText) << "cut at " << cut;
  }
}

// A frame of one stream, or of the other direction, sent again where it does not belong.
TEST(Connection, FramesOfOtherStreamsAndDirectionsDoNotOpen) {
  testing::LoopbackHost host;
  auto client = testing::join(host.address());
  ASSERT_TRUE(client.has_value());
  auto at_host = host.sessions.pop();
  auto stream = testing::add_stream(**client, 1);
  ASSERT_TRUE(stream.has_value());
  auto stream_at_host = host.streams.pop();

  testing::send_text(**client, "for the first connection");
  const auto stolen = testing::read_up_to((*at_host)->socket, 32 + 24 + 16);
  ASSERT_EQ(stolen.size(), 72U);
  ASSERT_TRUE((*stream)->socket.send_all(stolen).has_value());   // another stream
  ASSERT_TRUE((*at_host)->socket.send_all(stolen).has_value());  // reflected
  BlockPool pool(1);
  Block block = pool.acquire();
  const auto moved = (*stream_at_host)->reader->receive(block);
  ASSERT_FALSE(moved.has_value());
  EXPECT_EQ(moved.error().code, Code::kLost);
  const auto reflected = (*client)->reader->receive(block);
  ASSERT_FALSE(reflected.has_value());
  EXPECT_EQ(reflected.error().code, Code::kLost);
}

}  // namespace
}  // namespace wormhole::session
