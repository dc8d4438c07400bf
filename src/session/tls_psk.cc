#include "session/tls_psk.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <utility>

#include "base/check.h"

namespace wormhole::session {
namespace {

constexpr char kCipherSuite[] = "TLS_AES_256_GCM_SHA384";
constexpr unsigned char kCipherSuiteNumber[] = {0x13, 0x02};
constexpr char kGroup[] = "X25519";
// The largest record of a well-behaved handshake is far below this.
constexpr std::size_t kOutputStepBytes = 4096;

struct SslDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslDeleter>;
using SslSession = std::unique_ptr<SSL_SESSION, SslDeleter>;

Error library_error(std::string_view operation) {
  Error error{.code = Code::kCrypto, .operation = std::string(operation), .object = "TLS"};
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  if (reason != nullptr) error.detail = reason;
  ERR_clear_error();
  return error;
}

// The library begins with what this program uses of it: no configuration file (a system's may
// switch off the one suite there is, or load code), no table of every cipher, no cleaning up
// before the end of the process. Half a millisecond of every start.
void begin_library() {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
                          OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                          OPENSSL_INIT_NO_ATEXIT,
                      nullptr);
}

// What both roles have in common; false when the library refuses.
bool configure(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Neither a bare-PSK key exchange (no forward secrecy) nor the fake ChangeCipherSpec records
  // for middleboxes, which would not know our first bytes anyway.
  SSL_CTX_clear_options(context, SSL_OP_ALLOW_NO_DHE_KEX | SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 0);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, kCipherSuite) == 1 &&
         SSL_CTX_set1_groups_list(context, kGroup) == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_recv_max_early_data(context, 0) == 1;
}

// The PSK in the only form the library takes one with SHA-384: a session to be resumed.
SslSession session_of(SSL* ssl, const Psk& psk) {
  SslSession session(SSL_SESSION_new());
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, kCipherSuiteNumber);
  const auto* key = reinterpret_cast<const unsigned char*>(psk.bytes().data());
  if (!session || cipher == nullptr ||
      SSL_SESSION_set1_master_key(session.get(), key, psk.bytes().size()) != 1 ||
      SSL_SESSION_set_cipher(session.get(), cipher) != 1 ||
      SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1) {
    return nullptr;
  }
  return session;
}

}  // namespace

struct TlsContext::State {
  SslContext context;
};

struct TlsPsk::State {
  std::unique_ptr<SSL, SslDeleter> ssl;
  BIO* incoming = nullptr;  // owned by ssl
  BIO* outgoing = nullptr;
  std::size_t received_bytes = 0;
  PskIdentity identity{};       // client
  std::optional<Psk> psk;       // client
  PskSource* source = nullptr;  // server
  bool asked = false;
  bool complete = false;

  static Result<std::unique_ptr<State>> make(SSL_CTX* context);
  static int use_psk(SSL* ssl, const EVP_MD* md, const unsigned char** identity,
                     std::size_t* length, SSL_SESSION** session);
  static int find_psk(SSL* ssl, const unsigned char* identity, std::size_t length,
                      SSL_SESSION** session);
  Result<void> judge() const;
  void take_outgoing(ByteVector& out);
};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&&) noexcept = default;
TlsContext::~TlsContext() = default;

Result<TlsContext> TlsContext::client() {
  begin_library();
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_client_method()));
  if (!state->context || !configure(state->context.get())) return fail(library_error("prepare"));
  // Against a trust store that stays empty: no certificate is good enough.
  SSL_CTX_set_verify(state->context.get(), SSL_VERIFY_PEER, nullptr);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::server() {
  begin_library();
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_server_method()));
  if (!state->context || !configure(state->context.get())) return fail(library_error("prepare"));
  SSL_CTX_set_verify(state->context.get(), SSL_VERIFY_NONE, nullptr);
  return TlsContext(std::move(state));
}

Result<std::unique_ptr<TlsPsk::State>> TlsPsk::State::make(SSL_CTX* context) {
  auto state = std::make_unique<State>();
  state->ssl.reset(SSL_new(context));
  BIO* incoming = BIO_new(BIO_s_mem());
  BIO* outgoing = BIO_new(BIO_s_mem());
  if (!state->ssl || incoming == nullptr || outgoing == nullptr) {
    BIO_free(incoming);
    BIO_free(outgoing);
    return fail(library_error("prepare"));
  }
  SSL_set_bio(state->ssl.get(), incoming, outgoing);
  state->incoming = incoming;
  state->outgoing = outgoing;
  SSL_set_app_data(state->ssl.get(), state.get());
  return state;
}

// The client offers its one key. `md` is set after a HelloRetryRequest, which no host of ours
// sends: both know only X25519.
int TlsPsk::State::use_psk(SSL* ssl, const EVP_MD* /*md*/, const unsigned char** identity,
                           std::size_t* length, SSL_SESSION** session) {
  auto* state = static_cast<State*>(SSL_get_app_data(ssl));
  SslSession offered = session_of(ssl, *state->psk);
  if (!offered) return 0;
  *identity = reinterpret_cast<const unsigned char*>(state->identity.data());
  *length = state->identity.size();
  *session = offered.release();
  return 1;
}

int TlsPsk::State::find_psk(SSL* ssl, const unsigned char* identity, std::size_t length,
                            SSL_SESSION** session) {
  auto* state = static_cast<State*>(SSL_get_app_data(ssl));
  *session = nullptr;
  // One identity per connection: a ClientHello with many, or a second one, is one guess.
  if (std::exchange(state->asked, true)) return 0;
  const std::optional<Psk> psk =
      state->source->find_psk(std::as_bytes(std::span(identity, length)));
  if (!psk) return 0;
  SslSession found = session_of(ssl, *psk);
  if (!found) return 0;
  *session = found.release();
  return 1;
}

Result<void> TlsPsk::State::judge() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl.get());
  if (SSL_session_reused(ssl.get()) == 1 && SSL_get0_peer_certificate(ssl.get()) == nullptr &&
      SSL_version(ssl.get()) == TLS1_3_VERSION && cipher != nullptr &&
      SSL_CIPHER_get_id(cipher) == TLS1_3_CK_AES_256_GCM_SHA384) {
    return {};
  }
  return fail({.code = Code::kProtocol,
               .operation = "authenticate",
               .object = "the other side",
               .detail = "it did not use the agreed key"});
}

void TlsPsk::State::take_outgoing(ByteVector& out) {
  for (;;) {
    const std::size_t before = out.size();
    out.resize(before + kOutputStepBytes);
    const int count = BIO_read(outgoing, out.data() + before, static_cast<int>(kOutputStepBytes));
    out.resize(before + static_cast<std::size_t>(count > 0 ? count : 0));
    if (count <= 0) return;
  }
}

TlsPsk::TlsPsk(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsPsk::TlsPsk(TlsPsk&&) noexcept = default;
TlsPsk& TlsPsk::operator=(TlsPsk&&) noexcept = default;
TlsPsk::~TlsPsk() = default;

Result<TlsPsk> TlsPsk::client(const TlsContext& context, const PskIdentity& identity,
                              const Psk& psk) {
  WH_ASSIGN(auto state, State::make(context.state_->context.get()));
  state->identity = identity;
  state->psk = psk;
  SSL_set_psk_use_session_callback(state->ssl.get(), &State::use_psk);
  SSL_set_connect_state(state->ssl.get());
  return TlsPsk(std::move(state));
}

Result<TlsPsk> TlsPsk::server(const TlsContext& context, PskSource& source) {
  WH_ASSIGN(auto state, State::make(context.state_->context.get()));
  state->source = &source;
  SSL_set_psk_find_session_callback(state->ssl.get(), &State::find_psk);
  SSL_set_accept_state(state->ssl.get());
  return TlsPsk(std::move(state));
}

Result<bool> TlsPsk::advance(Bytes in, ByteVector& out) {
  WH_CHECK(!state_->complete);
  ERR_clear_error();
  SSL* const ssl = state_->ssl.get();
  if (!in.empty() && BIO_write(state_->incoming, in.data(), static_cast<int>(in.size())) !=
                         static_cast<int>(in.size())) {
    return fail(library_error("buffer"));
  }
  state_->received_bytes += in.size();
  const int result = SSL_do_handshake(ssl);
  const int reason = SSL_get_error(ssl, result);
  state_->take_outgoing(out);
  if (result == 1) {
    WH_TRY(state_->judge());
    state_->complete = true;
    return true;
  }
  if (reason != SSL_ERROR_WANT_READ) {
    Error error = library_error("agree with");
    error.code = Code::kProtocol;
    return fail(std::move(error));
  }
  if (state_->received_bytes > kTlsInputMaxBytes) {
    return fail({.code = Code::kProtocol,
                 .operation = "agree with",
                 .object = "TLS",
                 .detail = "the handshake is too long"});
  }
  return false;
}

bool TlsPsk::key_confirmed() const { return SSL_session_reused(state_->ssl.get()) == 1; }

Result<std::array<std::byte, kPskBytes>> TlsPsk::export_secret(std::string_view label,
                                                               Bytes context) const {
  WH_CHECK(state_->complete);
  std::array<std::byte, kPskBytes> secret{};
  if (SSL_export_keying_material(state_->ssl.get(), reinterpret_cast<unsigned char*>(secret.data()),
                                 secret.size(), label.data(), label.size(),
                                 reinterpret_cast<const unsigned char*>(context.data()),
                                 context.size(), 1) != 1) {
    return fail(library_error("export a key from"));
  }
  return secret;
}

ByteVector TlsPsk::left_over() {
  WH_CHECK(state_->complete);
  ByteVector bytes(BIO_ctrl_pending(state_->incoming));
  if (!bytes.empty()) {
    const int count = BIO_read(state_->incoming, bytes.data(), static_cast<int>(bytes.size()));
    WH_CHECK(count == static_cast<int>(bytes.size()));
  }
  return bytes;
}

}  // namespace wormhole::session
