#include "session/stream_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/limits.h"

namespace wormhole::session {
namespace {

constexpr std::string_view kPskInfo = "wormhole 1 tls psk";

struct KdfDeleter {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

bool hkdf_sha384(Bytes key, std::string_view info, MutableBytes out) {
  const std::unique_ptr<EVP_KDF, KdfDeleter> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  if (!kdf) return false;
  const std::unique_ptr<EVP_KDF_CTX, KdfDeleter> context(EVP_KDF_CTX_new(kdf.get()));
  if (!context) return false;
  std::string digest = "SHA384";
  // The parameters are only read, but their type has no const.
  const std::array<OSSL_PARAM, 4> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::byte*>(key.data()),
                                        key.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(info.data()),
                                        info.size()),
      OSSL_PARAM_construct_end()};
  return EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(),
                        parameters.data()) == 1;
}

}  // namespace

PskIdentity psk_identity(const SessionId& session, unsigned stream) {
  WH_CHECK(stream < kStreamsMax);
  PskIdentity identity{};
  std::ranges::copy(session, identity.begin());
  identity.back() = static_cast<std::byte>(stream);
  return identity;
}

Psk::Psk(std::span<const std::byte, kPskBytes> bytes) { std::ranges::copy(bytes, bytes_.begin()); }

Psk::~Psk() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<Psk> Psk::from_key_exchange(Bytes isk) {
  std::array<std::byte, kPskBytes> key{};
  const bool derived = hkdf_sha384(isk, kPskInfo, key);
  Psk psk{std::span<const std::byte, kPskBytes>(key)};
  OPENSSL_cleanse(key.data(), key.size());
  if (!derived) {
    return fail({.code = Code::kCrypto, .operation = "derive", .object = "the TLS key"});
  }
  return psk;
}

}  // namespace wormhole::session
