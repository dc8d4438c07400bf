#include "session/handshake_format.h"

#include <algorithm>

namespace wormhole::session {
namespace {

constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kKindAt = 9;  // kind of a hello, status of a reply
constexpr std::size_t kSuiteAt = 10;
constexpr std::size_t kFeaturesAt = 12;  // the byte before is reserved: sent as 0, ignored
static_assert(kHandshakeMagic.size() == kVersionAt);
static_assert(kFeaturesAt + sizeof(Features) == kHeadBytes);

Head encode_fields(std::uint8_t version, std::uint8_t kind, std::uint8_t suite, Features features) {
  Head head{};
  std::ranges::copy(as_bytes(kHandshakeMagic), head.begin());
  head[kVersionAt] = std::byte{version};
  head[kKindAt] = std::byte{kind};
  head[kSuiteAt] = std::byte{suite};
  store_le(head.data() + kFeaturesAt, features);
  return head;
}

Result<void> check_magic(const Head& head) {
  if (may_be_head(head)) return {};
  return fail({.code = Code::kProtocol,
               .operation = "read",
               .object = "the first bytes",
               .detail = "they are not Wormhole's"});
}

}  // namespace

Offer own_offer() {
  Offer offer;
  if (has_hardware_aes()) offer.suites |= suite_bit(Suite::kAes256Gcm);
  return offer;
}

std::optional<Suite> choose_suite(SuiteMask client, SuiteMask host) {
  for (const Suite suite : {Suite::kAes256Gcm, Suite::kChaCha20Poly1305}) {
    if ((client & host & suite_bit(suite)) != 0) return suite;
  }
  return std::nullopt;
}

Head encode(const HelloHead& hello) {
  return encode_fields(hello.version, static_cast<std::uint8_t>(hello.kind), hello.suites,
                       hello.features);
}

Head encode(const ReplyHead& reply) {
  return encode_fields(reply.version, static_cast<std::uint8_t>(reply.status), reply.suite,
                       reply.features);
}

Result<HelloHead> decode_hello(const Head& head) {
  WH_TRY(check_magic(head));
  return HelloHead{.version = std::to_integer<std::uint8_t>(head[kVersionAt]),
                   .kind = static_cast<HelloKind>(head[kKindAt]),
                   .suites = std::to_integer<SuiteMask>(head[kSuiteAt]),
                   .features = load_le<Features>(head.data() + kFeaturesAt)};
}

Result<ReplyHead> decode_reply(const Head& head) {
  WH_TRY(check_magic(head));
  return ReplyHead{.version = std::to_integer<std::uint8_t>(head[kVersionAt]),
                   .status = static_cast<ReplyStatus>(head[kKindAt]),
                   .suite = std::to_integer<std::uint8_t>(head[kSuiteAt]),
                   .features = load_le<Features>(head.data() + kFeaturesAt)};
}

bool may_be_head(Bytes so_far) {
  const std::size_t compared = std::min(so_far.size(), kHandshakeMagic.size());
  return as_text(so_far.first(compared)) == kHandshakeMagic.substr(0, compared);
}

}  // namespace wormhole::session
