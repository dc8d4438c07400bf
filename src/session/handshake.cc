#include "session/handshake.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace wormhole::session {
namespace {

// RFC 5705 section 4 keeps this prefix free for labels that nobody registered.
constexpr std::string_view kClientLabel = "EXPERIMENTAL wormhole 1 client to host";
constexpr std::string_view kHostLabel = "EXPERIMENTAL wormhole 1 host to client";
constexpr std::string_view kTicketLabel = "EXPERIMENTAL wormhole 1 further streams";

Result<TrafficSecret> traffic_secret(const TlsPsk& tls, std::string_view label, Bytes context) {
  static_assert(kTrafficSecretBytes == kPskBytes);
  WH_ASSIGN(auto bytes, tls.export_secret(label, context));
  TrafficSecret secret{std::span<const std::byte, kTrafficSecretBytes>(bytes)};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

Result<std::shared_ptr<const StreamTicket>> make_ticket(const TlsPsk& tls, const SessionId& session,
                                                        Suite suite, Bytes context) {
  WH_ASSIGN(auto bytes, tls.export_secret(kTicketLabel, context));
  Psk psk{std::span<const std::byte, kPskBytes>(bytes)};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return std::make_shared<const StreamTicket>(session, suite, std::move(psk));
}

}  // namespace

ByteVector exporter_context(const SessionId& session, unsigned stream, Suite suite) {
  ByteVector context(session.begin(), session.end());
  context.push_back(static_cast<std::byte>(stream));
  context.push_back(static_cast<std::byte>(suite));
  return context;
}

Result<Established> establish(TlsPsk& tls, Side side, const SessionId& session, unsigned stream,
                              Suite suite) {
  const ByteVector context = exporter_context(session, stream, suite);
  const bool is_client = side == Side::kClient;
  WH_ASSIGN(auto sending, traffic_secret(tls, is_client ? kClientLabel : kHostLabel, context));
  WH_ASSIGN(auto receiving, traffic_secret(tls, is_client ? kHostLabel : kClientLabel, context));
  std::shared_ptr<const StreamTicket> ticket;
  if (stream == 0) {
    WH_ASSIGN(ticket, make_ticket(tls, session, suite, context));
  }
  return Established{.session_id = session,
                     .stream = stream,
                     .suite = suite,
                     .sending = std::move(sending),
                     .receiving = std::move(receiving),
                     .early = tls.left_over(),
                     .ticket = std::move(ticket)};
}

ByteVector refusal(ReplyStatus status) {
  const Head head = encode(ReplyHead{.status = status, .features = kFeatures});
  ByteVector bytes(head.begin(), head.end());
  bytes.resize(kReplyBytes);
  return bytes;
}

}  // namespace wormhole::session
