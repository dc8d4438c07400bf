#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "session/handshake.h"

namespace wormhole::session {
namespace {

enum class Step : std::uint8_t { kHead, kPoint, kTls, kDone, kFailed };

Error refused(std::string_view why) {
  return {.code = Code::kRefused,
          .operation = "let in",
          .object = "a client",
          .detail = std::string(why)};
}

Error refused(ReplyStatus status) {
  switch (status) {
    case ReplyStatus::kVersion: {
      Error error = refused("it speaks another version of the protocol");
      error.code = Code::kVersion;
      return error;
    }
    case ReplyStatus::kBusy:
      return refused("there is no room for more sessions");
    case ReplyStatus::kTryLater:
      return refused("too many wrong codes came from its address");
    case ReplyStatus::kNoSuite:
      return refused("no cipher in common");
    case ReplyStatus::kNoCode:
    case ReplyStatus::kOk:
      break;
  }
  return refused("joining has stopped");
}

Error broken(std::string_view why) {
  return {.code = Code::kProtocol,
          .operation = "let in",
          .object = "a client",
          .detail = std::string(why)};
}

}  // namespace

struct ServerHandshake::State final : PskSource {
  State(const TlsContext& tls_context_in, ServerGate& gate_in, const Offer& offer_in,
        Random& random_in)
      : tls_context(tls_context_in), gate(gate_in), offer(offer_in), random(random_in) {}

  const TlsContext& tls_context;
  ServerGate& gate;
  const Offer offer;
  Random& random;
  Step step = Step::kHead;
  HelloKind kind = HelloKind::kJoin;
  ByteVector hello;  // as far as it has come
  ByteVector output;
  std::uint64_t generation = 0;
  std::optional<Psk> join_psk;
  bool guess_reserved = false;
  SessionId session{};
  unsigned stream = 0;
  Suite suite = Suite::kChaCha20Poly1305;
  std::shared_ptr<const StreamTicket> ticket;  // of the session a further stream belongs to
  std::optional<TlsPsk> tls;
  std::optional<Error> error;
  std::optional<Established> established;

  Result<void> advance(Bytes in);
  Bytes collect(Bytes in, std::size_t wanted);
  Result<void> read_head();
  Result<void> answer_join();
  Result<void> start_tls();
  Result<void> advance_tls(Bytes in);
  Result<void> refuse(ReplyStatus status);
  std::optional<Psk> find_psk(Bytes identity) override;
};

ServerHandshake::ServerHandshake(const TlsContext& tls, ServerGate& gate, const Offer& offer,
                                 Random& random)
    : state_(std::make_unique<State>(tls, gate, offer, random)) {}
ServerHandshake::ServerHandshake(ServerHandshake&&) noexcept = default;
ServerHandshake& ServerHandshake::operator=(ServerHandshake&&) noexcept = default;
ServerHandshake::~ServerHandshake() = default;

Result<void> ServerHandshake::receive(Bytes in) {
  if (state_->step == Step::kFailed) return fail(*state_->error);
  WH_CHECK(state_->step != Step::kDone);
  auto result = state_->advance(in);
  if (!result) {
    state_->step = Step::kFailed;
    state_->error = result.error();
  }
  return result;
}

ByteVector ServerHandshake::take_output() { return std::exchange(state_->output, {}); }

bool ServerHandshake::said_hello() const {
  return state_->step != Step::kHead && state_->step != Step::kPoint;
}

bool ServerHandshake::is_known_stream() const { return state_->ticket != nullptr; }

bool ServerHandshake::done() const { return state_->step == Step::kDone; }

Established ServerHandshake::take() {
  WH_CHECK(state_->established.has_value());
  Established established = std::move(*state_->established);
  state_->established.reset();
  return established;
}

Result<void> ServerHandshake::State::advance(Bytes in) {
  if (step == Step::kHead) {
    in = collect(in, kHeadBytes);
    if (!may_be_head(hello)) return fail(broken("its first bytes are not Wormhole's"));
    if (hello.size() < kHeadBytes) return {};
    WH_TRY(read_head());
  }
  if (step == Step::kPoint) {
    in = collect(in, kJoinHelloBytes);
    if (hello.size() < kJoinHelloBytes) return {};
    WH_TRY(answer_join());
  }
  if (in.empty()) return {};
  return advance_tls(in);
}

// Returns what lies behind the first `wanted` bytes.
Bytes ServerHandshake::State::collect(Bytes in, std::size_t wanted) {
  const std::size_t taken = std::min(in.size(), wanted - hello.size());
  hello.insert(hello.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(taken));
  return in.subspan(taken);
}

Result<void> ServerHandshake::State::read_head() {
  Head head{};
  std::copy_n(hello.begin(), kHeadBytes, head.begin());
  WH_ASSIGN(const HelloHead fields, decode_hello(head));
  if (fields.version != kProtocolVersion) return refuse(ReplyStatus::kVersion);
  kind = fields.kind;
  if (kind == HelloKind::kJoin) {
    step = Step::kPoint;
    return {};
  }
  // Nothing binds the head of a further stream into its keys, so nothing in it may vary.
  if (kind != HelloKind::kStream || head != encode(HelloHead{.kind = HelloKind::kStream})) {
    return fail(broken("its hello is malformed"));
  }
  return start_tls();
}

Result<void> ServerHandshake::State::answer_join() {
  Head hello_head{};
  CpacePoint point{};
  std::copy_n(hello.begin(), kHeadBytes, hello_head.begin());
  std::copy_n(hello.begin() + kHeadBytes, kCpacePointBytes, point.begin());
  WH_ASSIGN(const HelloHead fields, decode_hello(hello_head));
  const std::optional<Suite> chosen = choose_suite(fields.suites, offer.suites);
  if (!chosen) return refuse(ReplyStatus::kNoSuite);
  suite = *chosen;
  const ServerGate::Joining joining = gate.may_join();
  if (joining.status != ReplyStatus::kOk) return refuse(joining.status);
  generation = joining.generation;

  const Head reply =
      encode(ReplyHead{.suite = static_cast<std::uint8_t>(suite), .features = offer.features});
  WH_ASSIGN(Cpace cpace,
            Cpace::begin(CpaceRole::kResponder, as_bytes(joining.code->secret()),
                         channel_identifier(joining.code->channel()), {}, reply, random));
  output.insert(output.end(), reply.begin(), reply.end());
  std::ranges::copy(cpace.own_point(), std::back_inserter(output));
  // A point that is no good ends it here: the reply is not sent.
  auto result = std::move(cpace).finish(point, hello_head);
  if (!result) {
    output.clear();
    return fail(std::move(result).error());
  }
  std::copy_n(result->sid_output.begin(), session.size(), session.begin());
  WH_ASSIGN(join_psk, Psk::from_key_exchange(result->isk));
  return start_tls();
}

Result<void> ServerHandshake::State::start_tls() {
  step = Step::kTls;
  WH_ASSIGN(tls, TlsPsk::server(tls_context, *this));
  return {};
}

// Asked by TLS within advance(), right before it checks the binder.
std::optional<Psk> ServerHandshake::State::find_psk(Bytes identity) {
  if (identity.size() != kPskIdentityBytes) return std::nullopt;
  SessionId wanted{};
  std::copy_n(identity.begin(), wanted.size(), wanted.begin());
  const auto number = std::to_integer<unsigned>(identity.back());
  if (kind == HelloKind::kJoin) {
    // Another session's name means altered hellos, not a guess: it costs none.
    if (wanted != session || number != 0) return std::nullopt;
    if (!gate.reserve_guess(generation)) return std::nullopt;
    guess_reserved = true;
    return std::exchange(join_psk, std::nullopt);
  }
  auto found = gate.find_stream(wanted, number);
  if (!found) return std::nullopt;
  session = wanted;
  stream = number;
  suite = found->suite();
  ticket = std::move(found);
  return ticket->psk();
}

Result<void> ServerHandshake::State::advance_tls(Bytes in) {
  auto complete = tls->advance(in, output);
  if (std::exchange(guess_reserved, false)) {
    // The binder was checked in that very call, whatever else went wrong in it.
    if (tls->key_confirmed()) {
      gate.guess_was_right(generation);
    } else {
      gate.guess_was_wrong(generation);
    }
  }
  if (!tls->key_confirmed()) ticket.reset();
  if (!complete) return fail(std::move(complete).error());
  if (!*complete) return {};
  if (!gate.claim_stream(session, stream)) return fail(refused("that stream was let in before"));
  WH_ASSIGN(established, establish(*tls, Side::kHost, session, stream, suite));
  tls.reset();
  step = Step::kDone;
  return {};
}

Result<void> ServerHandshake::State::refuse(ReplyStatus status) {
  output = refusal(status);
  return fail(refused(status));
}

}  // namespace wormhole::session
