#include "session/connection.h"

#include "session/handshake.h"

namespace wormhole::session {
namespace {

// True: what it came to slows down with each lost packet.
bool choose_congestion_control(const platform::Socket& socket) {
  const auto round_trip = socket.least_round_trip();
  const bool is_wired = round_trip.has_value() && *round_trip < kWiredRoundTrip;
  if (is_wired && socket.use_congestion_control(kWiredCongestionControl)) return true;
  return !socket.use_congestion_control("bbr");
}

}  // namespace

Result<std::unique_ptr<Connection>> make_connection(platform::Socket socket,
                                                    Established established) {
  WH_ASSIGN(auto sealer, make_sealer(established.suite, std::move(established.sending)));
  WH_ASSIGN(auto opener, make_opener(established.suite, std::move(established.receiving)));
  auto connection = std::make_unique<Connection>(std::move(socket));
  connection->socket.set_blocking(true);
  connection->is_loss_based = choose_congestion_control(connection->socket);
  connection->session_id = established.session_id;
  connection->stream = established.stream;
  connection->ticket = std::move(established.ticket);
  connection->writer = std::make_unique<SealedWriter>(connection->socket, std::move(sealer));
  connection->reader = std::make_unique<SealedReader>(connection->socket, std::move(opener),
                                                      std::move(established.early));
  return connection;
}

}  // namespace wormhole::session
