// Peers that speak the first bytes as we do and then TLS of another kind: OpenSSL itself, with
// its defaults, a certificate, an older version.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "session/handshake_testing.h"

namespace wormhole::session {
namespace {

using testing::joining;
using testing::TestGate;
using testing::TestHost;

struct Deleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

void give_certificate(SSL_CTX* context) {
  const std::unique_ptr<EVP_PKEY, Deleter> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Deleter> certificate(X509_new());
  ASSERT_TRUE(key != nullptr && certificate != nullptr);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  ASSERT_EQ(SSL_CTX_use_certificate(context, certificate.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
}

// A plain OpenSSL end over memory.
class Foreign {
 public:
  enum class Role : std::uint8_t { kClient, kServer };

  explicit Foreign(Role role, int version = 0)
      : context_(SSL_CTX_new(role == Role::kClient ? TLS_client_method() : TLS_server_method())) {
    if (version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), version);
      SSL_CTX_set_max_proto_version(context_.get(), version);
    }
    if (role == Role::kServer) give_certificate(context_.get());
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (role == Role::kClient) {
      SSL_set_connect_state(ssl_.get());
    } else {
      SSL_set_accept_state(ssl_.get());
    }
  }

  ByteVector exchange(Bytes in) {
    if (!in.empty()) {
      EXPECT_GT(BIO_write(SSL_get_rbio(ssl_.get()), in.data(), static_cast<int>(in.size())), 0);
    }
    SSL_do_handshake(ssl_.get());
    ByteVector out(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    if (!out.empty()) BIO_read(SSL_get_wbio(ssl_.get()), out.data(), static_cast<int>(out.size()));
    return out;
  }
  [[nodiscard]] bool done() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 private:
  std::unique_ptr<SSL_CTX, Deleter> context_;
  std::unique_ptr<SSL, Deleter> ssl_;
};

// A host that does not know the code: a well-formed reply with some valid point, then `tls`.
void expect_client_refuses(Foreign& tls) {
  ClientHandshake client = joining();
  TestGate other_code("0000-other-words-here");
  TestHost host(other_code);
  ASSERT_TRUE(host.handshake.receive(client.take_output()).has_value());
  ASSERT_TRUE(client.receive(host.handshake.take_output()).has_value());
  Result<void> result;
  for (int turn = 0; turn < 4 && result && !client.done(); ++turn) {
    const ByteVector answer = tls.exchange(client.take_output());
    if (answer.empty()) break;
    result = client.receive(answer);
  }
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kWrongCode);
  EXPECT_FALSE(client.done());
}

TEST(ForeignHost, WithACertificateInsteadOfTheKeyIsRefused) {
  Foreign host(Foreign::Role::kServer);
  expect_client_refuses(host);
}

TEST(ForeignHost, OfTls12IsRefused) {
  Foreign host(Foreign::Role::kServer, TLS1_2_VERSION);
  expect_client_refuses(host);
}

// The check behind the empty trust store, by itself: the same peer completes with a default
// client, so it is a good peer that we refuse, not a broken one.
TEST(ForeignHost, IsGoodEnoughForADefaultClient) {
  Foreign host(Foreign::Role::kServer);
  Foreign client(Foreign::Role::kClient);
  ByteVector bytes = client.exchange({});
  for (int turn = 0; turn < 4 && !bytes.empty(); ++turn) {
    bytes = client.exchange(host.exchange(bytes));
  }
  EXPECT_TRUE(client.done());
}

// A client that did the key exchange (with whatever code) and then `tls`.
void expect_host_refuses(Foreign& tls) {
  TestGate gate;
  TestHost host(gate);
  ASSERT_TRUE(host.handshake.receive(joining().take_output()).has_value());
  EXPECT_EQ(host.handshake.take_output().size(), kReplyBytes);
  Result<void> result;
  ByteVector answer;
  for (int turn = 0; turn < 4 && result && !host.handshake.done(); ++turn) {
    const ByteVector bytes = tls.exchange(answer);
    if (bytes.empty()) break;
    result = host.handshake.receive(bytes);
    answer = host.handshake.take_output();
  }
  EXPECT_FALSE(result.has_value());
  EXPECT_FALSE(host.handshake.done());
  EXPECT_EQ(gate.reserved, 0);  // no key was offered: no guess
}

TEST(ForeignClient, WithoutTheKeyIsRefused) {
  Foreign client(Foreign::Role::kClient);
  expect_host_refuses(client);
}

TEST(ForeignClient, OfTls12IsRefused) {
  Foreign client(Foreign::Role::kClient, TLS1_2_VERSION);
  expect_host_refuses(client);
}

// It holds the key but wants it without Diffie-Hellman: no forward secrecy, so no.
struct KeyOnly {
  PskIdentity identity{};
  std::optional<Psk> psk;
};

int offer_key(SSL* ssl, const EVP_MD* /*md*/, const unsigned char** identity, std::size_t* length,
              SSL_SESSION** session) {
  auto* key = static_cast<KeyOnly*>(SSL_get_app_data(ssl));
  const unsigned char suite[] = {0x13, 0x02};
  *session = SSL_SESSION_new();
  SSL_SESSION_set1_master_key(*session,
                              reinterpret_cast<const unsigned char*>(key->psk->bytes().data()),
                              key->psk->bytes().size());
  SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite));
  SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
  *identity = reinterpret_cast<const unsigned char*>(key->identity.data());
  *length = key->identity.size();
  return 1;
}

// Its only group is one the host does not know: with psk_ke allowed a lax host would go on.
TEST(ForeignClient, WithoutForwardSecrecyIsRefused) {
  TestGate gate;
  std::array<std::byte, kPskBytes> bytes{};
  bytes.fill(std::byte{7});
  const Psk psk{std::span<const std::byte, kPskBytes>(bytes)};
  const SessionId session{};
  gate.sessions.add(std::make_shared<const StreamTicket>(session, Suite::kAes256Gcm, psk),
                    "192.0.2.1");
  KeyOnly key{.identity = psk_identity(session, 1), .psk = psk};
  for (const char* groups : {"P-256", "X25519"}) {
    Foreign client(Foreign::Role::kClient, TLS1_3_VERSION);
    SSL_set_app_data(client.ssl(), &key);
    SSL_set_options(client.ssl(), SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_set1_groups_list(client.ssl(), groups);
    SSL_set_psk_use_session_callback(client.ssl(), &offer_key);
    TestHost host(gate);
    const Head head = encode(HelloHead{.kind = HelloKind::kStream});
    ByteVector hello(head.begin(), head.end());
    const ByteVector client_hello = client.exchange({});
    hello.insert(hello.end(), client_hello.begin(), client_hello.end());
    // With the right group the very same client is let in: it is the group that was refused.
    EXPECT_EQ(host.handshake.receive(hello).has_value(), std::string_view(groups) == "X25519");
  }
}

}  // namespace
}  // namespace wormhole::session
