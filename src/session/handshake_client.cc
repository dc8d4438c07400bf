#include <algorithm>
#include <future>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "base/start_thread.h"
#include "session/handshake.h"

namespace wormhole::session {
namespace {

enum class Step : std::uint8_t { kReply, kTls, kDone, kFailed };

constexpr std::string_view kHost = "the host";

Error not_wormhole() {
  return {.code = Code::kConnect,
          .operation = "connect to",
          .object = std::string(kHost),
          .detail = "no Wormhole answers there",
          .advice = "check the address and the port"};
}

Error other_version(unsigned theirs) {
  return {.code = Code::kVersion,
          .operation = "join",
          .object = std::string(kHost),
          .detail = "it speaks version " + std::to_string(theirs) + " of the protocol, this is " +
                    std::to_string(kProtocolVersion),
          .advice = "install the same version of Wormhole on both sides"};
}

Error bad_reply(std::string_view why) {
  return {.code = Code::kProtocol,
          .operation = "join",
          .object = std::string(kHost),
          .detail = std::string(why)};
}

Error refused(ReplyStatus status) {
  Error error{.code = Code::kRefused, .operation = "join", .object = std::string(kHost)};
  switch (status) {
    case ReplyStatus::kNoCode:
      error.detail = "it takes nobody new: its code is used up or it serves one client only";
      error.advice = "ask there for a new code";
      return error;
    case ReplyStatus::kBusy:
      error.detail = "it is busy";
      error.advice = "try again in a while";
      error.retryable = true;
      return error;
    case ReplyStatus::kTryLater:
      error.detail = "too many wrong codes came from this address";
      error.advice = "check the code and try again in a few minutes";
      error.retryable = true;
      return error;
    case ReplyStatus::kNoSuite:
      error.code = Code::kVersion;
      error.detail = "it knows none of our ciphers";
      error.advice = "install the same version of Wormhole on both sides";
      return error;
    case ReplyStatus::kOk:
    case ReplyStatus::kVersion:
      break;
  }
  return bad_reply("it refused for a reason this version does not know");
}

// Which of the two it was, nobody can tell before a common key is proven.
Error no_common_key() {
  return {.code = Code::kWrongCode,
          .operation = "join",
          .object = std::string(kHost),
          .detail = "the code does not fit",
          .advice = "check the code (and that this is the right host) and type it again"};
}

Error stream_refused() {
  return {.code = Code::kRefused,
          .operation = "add a stream to",
          .object = std::string(kHost),
          .detail = "it does not let this stream in"};
}

}  // namespace

struct ClientHandshake::State {
  explicit State(const Offer& own) : offer(own) {}

  std::future<Result<TlsContext>> preparing_tls;  // join() only
  std::optional<TlsContext> tls_context;
  Offer offer;
  Step step = Step::kReply;
  unsigned stream = 0;
  SessionId session{};
  Suite suite = Suite::kChaCha20Poly1305;
  std::optional<Cpace> cpace;
  std::optional<TlsPsk> tls;
  ByteVector reply;  // as far as it has come
  ByteVector output;
  std::optional<Error> error;
  std::optional<Established> established;

  Result<void> advance(Bytes in);
  Result<Bytes> take_reply(Bytes in);
  Result<void> agree_on_key();
  Result<void> start_tls(const Psk& psk);
  Result<void> advance_tls(Bytes in);
};

ClientHandshake::ClientHandshake(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientHandshake::ClientHandshake(ClientHandshake&&) noexcept = default;
ClientHandshake& ClientHandshake::operator=(ClientHandshake&&) noexcept = default;
ClientHandshake::~ClientHandshake() = default;

Result<ClientHandshake> ClientHandshake::join(const JoinCode& code, const Offer& offer,
                                              Random& random) {
  // TLS is not needed before the host's reply.
  auto state = std::make_unique<State>(offer);
  state->preparing_tls = std::async(kMeanwhile, &TlsContext::client);
  const Head hello = encode(
      HelloHead{.kind = HelloKind::kJoin, .suites = offer.suites, .features = offer.features});
  WH_ASSIGN(state->cpace, Cpace::begin(CpaceRole::kInitiator, as_bytes(code.secret()),
                                       channel_identifier(code.channel()), {}, hello, random));
  state->output.assign(hello.begin(), hello.end());
  std::ranges::copy(state->cpace->own_point(), std::back_inserter(state->output));
  return ClientHandshake(std::move(state));
}

Result<ClientHandshake> ClientHandshake::further_stream(const StreamTicket& ticket,
                                                        unsigned number) {
  WH_CHECK(number > 0 && number < kStreamsMax);
  auto state = std::make_unique<State>(Offer{});
  WH_ASSIGN(state->tls_context, TlsContext::client());
  state->stream = number;
  state->session = ticket.session();
  state->suite = ticket.suite();
  const Head hello = encode(HelloHead{.kind = HelloKind::kStream});
  state->output.assign(hello.begin(), hello.end());
  WH_TRY(state->start_tls(ticket.psk()));
  return ClientHandshake(std::move(state));
}

ByteVector ClientHandshake::take_output() { return std::exchange(state_->output, {}); }

Result<void> ClientHandshake::receive(Bytes in) {
  if (state_->step == Step::kFailed) return fail(*state_->error);
  WH_CHECK(state_->step != Step::kDone);
  auto result = state_->advance(in);
  if (!result) {
    state_->step = Step::kFailed;
    state_->error = result.error();
  }
  return result;
}

Error ClientHandshake::closed_early() const {
  if (state_->step == Step::kFailed) return *state_->error;
  if (state_->step == Step::kReply && state_->reply.empty()) return not_wormhole();
  return {.code = Code::kConnect,
          .operation = "join",
          .object = std::string(kHost),
          .detail = "it closed the connection before the handshake was complete",
          .retryable = true};
}

bool ClientHandshake::key_exchanged() const {
  return state_->step == Step::kTls || state_->step == Step::kDone;
}

bool ClientHandshake::done() const { return state_->step == Step::kDone; }

Established ClientHandshake::take() {
  WH_CHECK(state_->established.has_value());
  Established established = std::move(*state_->established);
  state_->established.reset();
  return established;
}

Result<void> ClientHandshake::State::advance(Bytes in) {
  if (step == Step::kReply) {
    WH_ASSIGN(in, take_reply(in));
    if (reply.size() < kReplyBytes) return {};
    WH_TRY(agree_on_key());
    // A host says nothing more until it has our ClientHello; if it did, TLS will judge it.
    if (in.empty()) return {};
  }
  return advance_tls(in);
}

// Returns what lies behind the reply.
Result<Bytes> ClientHandshake::State::take_reply(Bytes in) {
  const std::size_t taken = std::min(in.size(), kReplyBytes - reply.size());
  reply.insert(reply.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(taken));
  // An ssh or http server is known by its first byte; it may never send as many as we expect.
  if (!may_be_head(reply)) return fail(not_wormhole());
  if (reply.size() >= kHeadBytes) {
    // Judged on its head alone: another version's reply may have another length.
    Head head{};
    std::copy_n(reply.begin(), kHeadBytes, head.begin());
    WH_ASSIGN(const ReplyHead fields, decode_reply(head));
    if (fields.version != kProtocolVersion || fields.status == ReplyStatus::kVersion) {
      return fail(other_version(fields.version));
    }
    if (fields.status != ReplyStatus::kOk) return fail(refused(fields.status));
  }
  return in.subspan(taken);
}

Result<void> ClientHandshake::State::agree_on_key() {
  Head head{};
  CpacePoint point{};
  std::copy_n(reply.begin(), kHeadBytes, head.begin());
  std::copy_n(reply.begin() + kHeadBytes, kCpacePointBytes, point.begin());
  WH_ASSIGN(const ReplyHead fields, decode_reply(head));
  if (fields.suite != static_cast<std::uint8_t>(Suite::kAes256Gcm) &&
      fields.suite != static_cast<std::uint8_t>(Suite::kChaCha20Poly1305)) {
    return fail(bad_reply("it chose a cipher that does not exist"));
  }
  suite = static_cast<Suite>(fields.suite);
  if ((offer.suites & suite_bit(suite)) == 0) {
    return fail(bad_reply("it chose a cipher that was not offered"));
  }
  // Before anything else of its library is used: it begins there as we want it.
  WH_ASSIGN(tls_context, preparing_tls.get());
  WH_ASSIGN(const CpaceResult result, std::move(*cpace).finish(point, head));
  cpace.reset();
  std::copy_n(result.sid_output.begin(), session.size(), session.begin());
  WH_ASSIGN(const Psk psk, Psk::from_key_exchange(result.isk));
  return start_tls(psk);
}

Result<void> ClientHandshake::State::start_tls(const Psk& psk) {
  step = Step::kTls;
  WH_ASSIGN(tls, TlsPsk::client(*tls_context, psk_identity(session, stream), psk));
  return advance_tls({});
}

Result<void> ClientHandshake::State::advance_tls(Bytes in) {
  auto complete = tls->advance(in, output);
  if (!complete) {
    if (complete.error().code == Code::kCrypto) return fail(std::move(complete).error());
    return fail(stream == 0 ? no_common_key() : stream_refused());
  }
  if (!*complete) return {};
  WH_ASSIGN(established, establish(*tls, Side::kClient, session, stream, suite));
  tls.reset();
  step = Step::kDone;
  return {};
}

}  // namespace wormhole::session
