#include "session/cpace.h"

#include <sodium.h>

#include <utility>

#include "session/raw_bytes.h"

namespace wormhole::session {
namespace {

constexpr std::string_view kDsi = "CPaceRistretto255";
constexpr std::string_view kDsiIsk = "CPaceRistretto255_ISK";
constexpr std::string_view kDsiSidOutput = "CPaceSidOutput";
constexpr std::size_t kHashBlockBytes = 128;  // s_in_bytes of SHA-512

// Uniform modulo the group order: 64 random bytes reduced, a bias of 2^-252.
constexpr std::size_t kScalarSeedBytes = crypto_core_ristretto255_NONREDUCEDSCALARBYTES;

static_assert(kCpacePointBytes == crypto_core_ristretto255_BYTES);
static_assert(kCpaceKeyBytes == crypto_hash_sha512_BYTES);
static_assert(kCpaceSidBytes == crypto_hash_sha512_BYTES);
static_assert(crypto_core_ristretto255_HASHBYTES == crypto_hash_sha512_BYTES);

// Fixed-size secret bytes on the stack or in a State; wiped when they go.
template <std::size_t size>
struct Secret {
  Secret() = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { sodium_memzero(bytes.data(), size); }
  std::array<std::byte, size> bytes{};
};

// LEB128, the draft's prepend_len; a size_t takes at most ten bytes.
struct EncodedLength {
  explicit EncodedLength(std::size_t length) {
    do {
      bytes[size] = std::byte(length & 0x7f);
      length >>= 7;
      if (length != 0) bytes[size] |= std::byte{0x80};
      ++size;
    } while (length != 0);
  }
  [[nodiscard]] Bytes view() const { return Bytes(bytes).first(size); }

  std::array<std::byte, 10> bytes{};
  std::size_t size = 0;
};

// SHA-512 fed with the draft's encodings, so that no string with secrets is ever built.
class Hash {
 public:
  Hash() { good_ = crypto_hash_sha512_init(&state_) == 0; }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() { sodium_memzero(&state_, sizeof state_); }

  void add(Bytes bytes) {
    good_ = good_ && crypto_hash_sha512_update(&state_, raw(bytes.data()), bytes.size()) == 0;
  }
  void add_with_length(Bytes bytes) {  // one element of lv_cat
    add(EncodedLength(bytes.size()).view());
    add(bytes);
  }
  [[nodiscard]] bool finish(std::span<std::byte, crypto_hash_sha512_BYTES> out) {
    return good_ && crypto_hash_sha512_final(&state_, raw(out.data())) == 0;
  }

 private:
  crypto_hash_sha512_state state_;
  bool good_;
};

auto sodium_failed(std::string_view what) {
  return fail({.code = Code::kCrypto,
               .operation = "exchange keys",
               .object = {},
               .detail = "libsodium refused: " + std::string(what)});
}

// generator_string hashed: lv_cat(DSI, PRS, zero padding, CI, sid). The padding fills the first
// hash block, so that CI and sid are mixed into a state that already depends on the secret.
bool hash_generator_string(Bytes prs, Bytes ci, Bytes sid,
                           std::span<std::byte, crypto_hash_sha512_BYTES> out) {
  constexpr std::array<std::byte, kHashBlockBytes> zeros{};
  const std::size_t used = 1 + EncodedLength(prs.size()).size + prs.size() +
                           EncodedLength(kDsi.size()).size + kDsi.size();
  const std::size_t padding = used < kHashBlockBytes ? kHashBlockBytes - used : 0;
  Hash hash;
  hash.add_with_length(as_bytes(kDsi));
  hash.add_with_length(prs);
  hash.add_with_length(Bytes(zeros).first(padding));
  hash.add_with_length(ci);
  hash.add_with_length(sid);
  return hash.finish(out);
}

}  // namespace

CpaceResult::CpaceResult(CpaceResult&& other) noexcept
    : isk(other.isk), sid_output(other.sid_output) {
  sodium_memzero(other.isk.data(), other.isk.size());
}

CpaceResult& CpaceResult::operator=(CpaceResult&& other) noexcept {
  if (this != &other) {
    isk = other.isk;
    sid_output = other.sid_output;
    sodium_memzero(other.isk.data(), other.isk.size());
  }
  return *this;
}

CpaceResult::~CpaceResult() { sodium_memzero(isk.data(), isk.size()); }

struct Cpace::State {
  CpaceRole role;
  ByteVector sid;
  ByteVector own_ad;
  CpacePoint own_point{};
  Secret<crypto_core_ristretto255_SCALARBYTES> scalar;
};

Cpace::Cpace(std::unique_ptr<State> state) : state_(std::move(state)) {}
Cpace::Cpace(Cpace&&) noexcept = default;
Cpace& Cpace::operator=(Cpace&&) noexcept = default;
Cpace::~Cpace() = default;

Result<Cpace> Cpace::begin(CpaceRole role, Bytes prs, Bytes ci, Bytes sid, Bytes own_ad,
                           Random& random) {
  if (sodium_init() < 0) return sodium_failed("initialisation");
  auto state = std::make_unique<State>();
  state->role = role;
  state->sid.assign(sid.begin(), sid.end());
  state->own_ad.assign(own_ad.begin(), own_ad.end());

  Secret<crypto_hash_sha512_BYTES> hashed;
  Secret<kCpacePointBytes> generator;
  if (!hash_generator_string(prs, ci, sid, hashed.bytes) ||
      crypto_core_ristretto255_from_hash(raw(generator.bytes.data()), raw(hashed.bytes.data())) !=
          0) {
    return sodium_failed("generator");
  }
  Secret<kScalarSeedBytes> seed;
  random.fill(seed.bytes);
  crypto_core_ristretto255_scalar_reduce(raw(state->scalar.bytes.data()), raw(seed.bytes.data()));
  if (crypto_scalarmult_ristretto255(raw(state->own_point.data()), raw(state->scalar.bytes.data()),
                                     raw(generator.bytes.data())) != 0) {
    return sodium_failed("own point");
  }
  return Cpace(std::move(state));
}

const CpacePoint& Cpace::own_point() const { return state_->own_point; }

Result<CpaceResult> Cpace::finish(const CpacePoint& peer_point, Bytes peer_ad) && {
  const std::unique_ptr<State> state = std::move(state_);
  const auto refuse = [](std::string_view why) {
    return fail({.code = Code::kProtocol,
                 .operation = "exchange keys",
                 .object = {},
                 .detail = std::string(why)});
  };
  // An honest peer draws our point with probability 2^-252: this is a mirror.
  if (peer_point == state->own_point) return refuse("the peer returned our own point");
  // Fails for an encoding that is not canonical and for the identity as a result.
  Secret<kCpacePointBytes> shared;
  if (crypto_scalarmult_ristretto255(raw(shared.bytes.data()), raw(state->scalar.bytes.data()),
                                     raw(peer_point.data())) != 0) {
    return refuse("the peer sent an invalid point");
  }

  const bool initiator = state->role == CpaceRole::kInitiator;
  const auto add_transcript = [&](Hash& hash) {  // transcript_ir: the initiator's half first
    hash.add_with_length(initiator ? Bytes(state->own_point) : Bytes(peer_point));
    hash.add_with_length(initiator ? Bytes(state->own_ad) : peer_ad);
    hash.add_with_length(initiator ? Bytes(peer_point) : Bytes(state->own_point));
    hash.add_with_length(initiator ? peer_ad : Bytes(state->own_ad));
  };
  CpaceResult result;
  Hash isk;
  isk.add_with_length(as_bytes(kDsiIsk));
  isk.add_with_length(state->sid);
  isk.add_with_length(shared.bytes);
  add_transcript(isk);
  Hash sid_output;
  sid_output.add(as_bytes(kDsiSidOutput));
  add_transcript(sid_output);
  if (!isk.finish(result.isk) || !sid_output.finish(result.sid_output)) {
    return sodium_failed("hash");
  }
  return result;
}

ByteVector channel_identifier(std::string_view channel) {
  // Names of our own, so that another protocol's exchange over the same words never completes
  // with ours.
  ByteVector ci;
  for (const std::string_view part :
       {std::string_view("wormhole dialler"), std::string_view("wormhole listener"), channel}) {
    const EncodedLength length(part.size());
    ci.insert(ci.end(), length.view().begin(), length.view().end());
    const Bytes text = as_bytes(part);
    ci.insert(ci.end(), text.begin(), text.end());
  }
  return ci;
}

}  // namespace wormhole::session
