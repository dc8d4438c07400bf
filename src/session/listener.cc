#include "session/listener.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "platform/readiness.h"
#include "session/connection.h"
#include "session/handshake.h"
#include "session/listener_sessions.h"

namespace wormhole::session {
namespace {

using Id = ListenerSlots::Id;

// What one connection may bring per turn, so that none holds up the others.
constexpr std::size_t kReadBytes = 4096;
// New connections per turn: those already waiting are served in between.
constexpr std::size_t kAcceptsPerTurn = 8;
// A refused client gets so long to read why before the connection is dropped. Closing at once
// would reset it while it may still be sending, and the reset would overtake the reason.
constexpr std::chrono::seconds kLinger{1};
// How long to leave the listening socket alone when there are no descriptors left.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

struct Listener::State {
  struct Pending;

  State(platform::ListenSocket socket_in, CodeBook& codes_in, ListenerEvents& events_in,
        const Clock& clock_in, Random& random_in, const Offer& offer_in)
      : socket(std::move(socket_in)),
        codes(codes_in),
        events(events_in),
        clock(clock_in),
        random(random_in),
        offer(offer_in),
        waker(platform::Waker::make()),
        tls(TlsContext::server()),
        // A session's streams come all at once from where it came from.
        slots([this](const std::string& ip) {
          return sessions.has_session_from(ip) ? kStreamsMax : kPendingPerAddressMax;
        }) {}

  platform::ListenSocket socket;
  CodeBook& codes;
  ListenerEvents& events;
  const Clock& clock;
  Random& random;
  const Offer offer;
  Result<platform::Waker> waker;
  Result<TlsContext> tls;

  // Any thread:
  std::atomic<bool> stopping = false;
  std::atomic<bool> joining_stopped = false;
  std::atomic<bool> renewing = false;
  ListenerSessions sessions;

  // The thread in run():
  ListenerSlots slots;
  std::map<Id, std::unique_ptr<Pending>> pending;
  Id next_id = 1;
  TimePoint accept_again{};

  void wake() const {
    if (waker) waker->wake();
  }
  [[nodiscard]] Result<void> turn();
  void renew_if_asked();
  void drop_overdue();
  [[nodiscard]] std::optional<Duration> next_deadline(TimePoint now) const;
  [[nodiscard]] Result<void> accept_some();
  void admit(platform::Socket accepted);
  void drop(Id id);
  void evict(Id id);
  void serve_in_turn(Id id);
  void serve(Id id);
  [[nodiscard]] bool serve_linger(Pending& client);
  [[nodiscard]] bool serve_handshake(Id id, Pending& client);
  void hand_over(Pending& client);
};

// One connection that is not yet authenticated.
struct Listener::State::Pending final : ServerGate {
  Pending(State& state_in, platform::Socket socket_in, TimePoint deadline_in)
      : state(state_in),
        socket(std::move(socket_in)),
        from(socket.peer()),
        peer(from.of_one_peer()),
        deadline(deadline_in),
        handshake(*state_in.tls, *this, state_in.offer, state_in.random) {}

  State& state;
  platform::Socket socket;
  platform::Address from;
  std::string peer;  // Address::of_one_peer()
  TimePoint deadline;
  ServerHandshake handshake;
  ByteVector unsent;
  bool lingering = false;

  // False when the connection is broken.
  [[nodiscard]] bool flush() {
    while (!unsent.empty()) {
      const auto sent = platform::send_now(socket, unsent);
      if (!sent) return false;
      if (!*sent) return true;
      unsent.erase(unsent.begin(), unsent.begin() + static_cast<std::ptrdiff_t>(**sent));
    }
    return true;
  }

  [[nodiscard]] Joining may_join() override {
    const JoinCode* code = state.codes.code();
    if (state.joining_stopped || code == nullptr) return {.status = ReplyStatus::kNoCode};
    if (!state.codes.may_try(peer)) return {.status = ReplyStatus::kTryLater};
    if (state.sessions.full()) return {.status = ReplyStatus::kBusy};
    return {.status = ReplyStatus::kOk, .code = code, .generation = state.codes.generation()};
  }

  [[nodiscard]] bool reserve_guess(std::uint64_t generation) override {
    return !state.joining_stopped && state.codes.reserve_guess(generation, peer);
  }

  void guess_was_right(std::uint64_t generation) override {
    state.codes.guess_was_right(generation, peer);
  }

  void guess_was_wrong(std::uint64_t generation) override {
    const bool retired = state.codes.guess_was_wrong(generation, peer);
    state.events.on_wrong_code(from, retired ? 0 : state.codes.guesses_left());
    if (retired) state.events.on_code_retired(state.codes.code());
  }

  [[nodiscard]] std::shared_ptr<const StreamTicket> find_stream(const SessionId& session,
                                                                unsigned number) override {
    return state.sessions.find(session, number);
  }

  [[nodiscard]] bool claim_stream(const SessionId& session, unsigned number) override {
    if (number == 0) return !state.joining_stopped && !state.sessions.full();
    return state.sessions.claim(session, number);
  }
};

Listener::Listener(platform::ListenSocket socket, CodeBook& codes, ListenerEvents& events,
                   const Clock& clock, Random& random, const Offer& offer)
    : state_(std::make_unique<State>(std::move(socket), codes, events, clock, random, offer)) {
  state_->socket.use_congestion_control(kWiredCongestionControl);
}
Listener::~Listener() = default;

Result<void> Listener::run() {
  if (!state_->waker) return fail(state_->waker.error());
  if (!state_->tls) return fail(state_->tls.error());
  Result<void> result;
  while (result && !state_->stopping) result = state_->turn();
  state_->pending.clear();
  return result;
}

void Listener::stop() {
  state_->stopping = true;
  state_->wake();
}

void Listener::forget(const SessionId& session) { state_->sessions.forget(session); }

void Listener::renew_code() {
  state_->renewing = true;
  state_->wake();
}

void Listener::stop_joining() { state_->joining_stopped = true; }

Result<void> Listener::State::turn() {
  renew_if_asked();
  drop_overdue();
  const TimePoint now = clock.now();
  const bool accepting = now >= accept_again;
  std::vector<platform::Watch> watches{{.descriptor = waker->descriptor()},
                                       {.descriptor = socket.descriptor(), .reading = accepting}};
  std::vector<Id> watched;
  for (const auto& [id, client] : pending) {
    if (!slots.may_speak(id, now)) continue;
    watched.push_back(id);
    watches.push_back(
        {.descriptor = client->socket.descriptor(), .writing = !client->unsent.empty()});
  }
  WH_TRY(platform::wait_ready(watches, next_deadline(now)));
  if (watches[0].ready) waker->clear();
  for (std::size_t at = 0; at < watched.size() && !stopping; ++at) {
    // One served before may have made another go, or have taken the slot.
    if (watches[at + 2].ready && pending.contains(watched[at])) serve_in_turn(watched[at]);
  }
  if (watches[1].ready && !stopping) return accept_some();
  return {};
}

void Listener::State::renew_if_asked() {
  if (renewing.exchange(false) && codes.renew()) events.on_code_retired(codes.code());
}

void Listener::State::drop_overdue() {
  const TimePoint now = clock.now();
  std::vector<Id> overdue;
  for (const auto& [id, client] : pending) {
    if (client->deadline <= now) overdue.push_back(id);
  }
  for (const Id id : overdue) {
    if (slots.may_speak(id, now)) {
      drop(id);
    } else {
      evict(id);  // it waited for us, not we for it
    }
  }
}

std::optional<Duration> Listener::State::next_deadline(TimePoint now) const {
  std::optional<TimePoint> next = slots.next_change(now);
  if (accept_again > now && (!next || accept_again < *next)) next = accept_again;
  for (const auto& [id, client] : pending) {
    if (!next || client->deadline < *next) next = client->deadline;
  }
  if (!next) return std::nullopt;
  return std::max(Duration::zero(), Duration(*next - now));
}

Result<void> Listener::State::accept_some() {
  for (std::size_t count = 0; count < kAcceptsPerTurn && !stopping; ++count) {
    auto accepted = socket.accept();
    if (!accepted) {
      if (!accepted.error().retryable) return fail(std::move(accepted).error());
      // Out of descriptors or memory, most likely: others give some back in time.
      accept_again = clock.now() + kAcceptPause;
      return {};
    }
    if (!*accepted) return {};
    admit(std::move(**accepted));
  }
  return {};
}

void Listener::State::admit(platform::Socket accepted) {
  const Id id = next_id++;
  auto client =
      std::make_unique<Pending>(*this, std::move(accepted), clock.now() + kHandshakeTimeout);
  if (const auto evicted = slots.admit(id, client->peer)) evict(*evicted);
  pending.emplace(id, std::move(client));
  serve_in_turn(id);  // its hello mostly came with it
}

void Listener::State::drop(Id id) {
  slots.release(id);
  pending.erase(id);
}

// Makes room; says so to a client that still waits for its answer, if that can be said at once.
void Listener::State::evict(Id id) {
  const auto found = pending.find(id);
  if (found != pending.end() && !found->second->handshake.said_hello() &&
      !found->second->lingering) {
    // It is dropped either way.
    static_cast<void>(platform::send_now(found->second->socket, refusal(ReplyStatus::kBusy)));
  }
  drop(id);
}

void Listener::State::serve_in_turn(Id id) {
  if (slots.may_speak(id, clock.now())) serve(id);
}

void Listener::State::serve(Id id) {
  Pending& client = *pending.at(id);
  const bool goes_on =
      client.flush() && (client.lingering ? serve_linger(client) : serve_handshake(id, client));
  if (!goes_on) drop(id);
}

// Waits for the peer to have read the last word; what it still sends is of no interest.
bool Listener::State::serve_linger(Pending& client) {
  if (client.unsent.empty()) client.socket.finish_sending();
  std::array<std::byte, kReadBytes> ignored;
  const auto received = platform::receive_now(client.socket, ignored);
  return received && (!*received || **received > 0);
}

// False when the connection is to be dropped (or was handed over).
bool Listener::State::serve_handshake(Id id, Pending& client) {
  std::array<std::byte, kReadBytes> buffer;
  const auto received = platform::receive_now(client.socket, buffer);
  if (!received) return false;
  if (!*received) return true;
  if (**received == 0) return false;
  const auto taken = client.handshake.receive(Bytes(buffer).first(**received));
  const ByteVector output = client.handshake.take_output();
  client.unsent.insert(client.unsent.end(), output.begin(), output.end());
  if (!client.flush()) return false;
  if (!taken) {
    if (output.empty()) return false;
    client.lingering = true;
    client.deadline = std::min(client.deadline, clock.now() + kLinger);
    return serve_linger(client);
  }
  if (client.handshake.done()) {
    hand_over(client);
    return false;
  }
  if (client.handshake.said_hello()) {
    if (const auto evicted = slots.said_hello(id, clock.now())) evict(*evicted);
  }
  if (client.handshake.is_known_stream()) {
    if (const auto evicted = slots.move_to_streams(id)) evict(*evicted);
  }
  return true;
}

void Listener::State::hand_over(Pending& client) {
  Established established = client.handshake.take();
  const auto ticket = established.ticket;
  auto connection = make_connection(std::move(client.socket), std::move(established));
  if (!connection) return;  // the cipher failed: nothing was promised to the peer
  if (ticket == nullptr) {
    events.on_stream(std::move(*connection));
    return;
  }
  sessions.add(ticket, client.peer);
  events.on_session(std::move(*connection));
}

}  // namespace wormhole::session
