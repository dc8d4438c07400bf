#include "session/listener.h"

#include <gtest/gtest.h>

#include <barrier>
#include <set>

#include "session/listener_testing.h"

namespace wormhole::session {
namespace {

using testing::add_stream;
using testing::code_of;
using testing::FakeClock;
using testing::join;
using testing::joining;
using testing::kCodeText;
using testing::kWrongCodeText;
using testing::LoopbackHost;
using testing::receive_text;
using testing::send_text;

void expect_talk(Connection& client, Connection& host) {
  send_text(client, "from the client");
  EXPECT_EQ(receive_text(host), "from the client");
  send_text(host, "from the host");
  EXPECT_EQ(receive_text(client), "from the host");
}

TEST(Listener, LetsInWhoHoldsTheCode) {
  LoopbackHost host;
  auto client = join(host.address());
  ASSERT_TRUE(client.has_value()) << to_sentence(client.error());
  auto session = host.sessions.pop();
  ASSERT_TRUE(session.has_value());
  EXPECT_EQ((*client)->session_id, (*session)->session_id);
  EXPECT_EQ((*client)->stream, 0U);
  EXPECT_NE((*session)->ticket, nullptr);
  EXPECT_LE((*client)->timeline.started, (*client)->timeline.connecting);
  EXPECT_LE((*client)->timeline.connecting, (*client)->timeline.connected);
  EXPECT_LE((*client)->timeline.connected, (*client)->timeline.key_exchanged);
  EXPECT_LE((*client)->timeline.key_exchanged, (*client)->timeline.authenticated);
  expect_talk(**client, **session);
}

TEST(Listener, LetsInFurtherStreamsOfASession) {
  LoopbackHost host;
  auto client = join(host.address());
  ASSERT_TRUE(client.has_value());
  auto session = host.sessions.pop();
  for (const unsigned number : {1U, 7U, 63U}) {
    auto stream = add_stream(**client, number);
    ASSERT_TRUE(stream.has_value()) << to_sentence(stream.error());
    auto at_host = host.streams.pop();
    EXPECT_EQ((*at_host)->stream, number);
    EXPECT_EQ((*at_host)->session_id, (*client)->session_id);
    EXPECT_EQ((*at_host)->ticket, nullptr);
    expect_talk(**stream, **at_host);
  }
}

// The other half, on a long path: lab/tests/streams_test.py. That connections begin with it:
// platform/socket_linux_test.cc.
TEST(Listener, AShortPathHasCubic) {
  const auto probe = platform::ListenSocket::open("127.0.0.1", 0);
  if (!probe->use_congestion_control("cubic")) {
    GTEST_SKIP() << "this kernel has no CUBIC";
  }
  LoopbackHost host;
  auto client = join(host.address());
  ASSERT_TRUE(client.has_value());
  auto session = host.sessions.pop();
  for (const Connection* end : {client->get(), session->get()}) {
    EXPECT_EQ(platform::congestion_control_of(end->socket), "cubic");
    EXPECT_TRUE(end->is_loss_based);
  }
}

TEST(Listener, SpeaksBothSuites) {
  for (const Offer& offer : {testing::kBothSuites, testing::kOnlyChaCha}) {
    LoopbackHost host(code_of(kCodeText), offer);
    auto client = join(host.address());
    ASSERT_TRUE(client.has_value());
    auto session = host.sessions.pop();
    EXPECT_EQ((*session)->ticket->suite(), choose_suite(offer.suites, offer.suites));
    expect_talk(**client, **session);
  }
}

// Whoever has the code may come as often as they like.
TEST(Listener, RightCodesCostNothing) {
  LoopbackHost host;
  for (unsigned count = 0; count < 2 * kGuessesPerCode; ++count) {
    ASSERT_TRUE(join(host.address(), kCodeText, testing::kBothSuites, count).has_value());
    ASSERT_TRUE(host.sessions.pop().has_value());
  }
  EXPECT_FALSE(host.events.try_pop().has_value());
}

TEST(Listener, ReportsAWrongCode) {
  LoopbackHost host;
  const auto refused = join(host.address(), kWrongCodeText);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kWrongCode);
  EXPECT_EQ(refused.error().object, host.address().to_string());
  EXPECT_FALSE(refused.error().advice.empty());
  EXPECT_EQ(host.events.pop(), "wrong, left 9");
}

// The wait after three failures, by a clock that stands still until told.
TEST(Listener, LetsAnAddressWaitAfterThreeFailures) {
  FakeClock clock;
  LoopbackHost host(code_of(kCodeText), testing::kBothSuites, &clock);
  for (unsigned count = 0; count < kFreeFailuresPerAddress; ++count) {
    EXPECT_EQ(join(host.address(), kWrongCodeText).error().code, Code::kWrongCode);
    ASSERT_TRUE(host.events.pop().has_value());
  }
  const auto waits = join(host.address());
  ASSERT_FALSE(waits.has_value());
  EXPECT_EQ(waits.error().code, Code::kRefused);
  EXPECT_TRUE(waits.error().retryable);
  // Another address does not.
  auto elsewhere = platform::connect_from("127.0.0.2", host.address());
  ASSERT_TRUE(elsewhere.has_value());
  ClientHandshake client = joining();
  EXPECT_TRUE(testing::drive(*elsewhere, client).has_value());
  clock.advance(kAddressWait);
  EXPECT_TRUE(join(host.address()).has_value());
}

// Guessers that all stand before the binder check at once, and more behind them.
TEST(Listener, AHundredParallelGuessesCheckTenBinders) {
  constexpr int kAtOnce = 60;
  constexpr int kBehind = 40;
  static_assert(kAtOnce < static_cast<int>(kPendingMax));
  LoopbackHost host;
  auto standing = join(host.address());
  ASSERT_TRUE(standing.has_value());
  auto at_host = host.sessions.pop();

  std::barrier all_replied(kAtOnce);
  std::atomic<int> let_in = 0;
  const auto guess = [&](int number, bool waits) {
    auto socket = platform::connect_from("127.0.1." + std::to_string(number + 1), host.address());
    ASSERT_TRUE(socket.has_value());
    ClientHandshake client =
        joining(kWrongCodeText, testing::kBothSuites, static_cast<std::uint64_t>(number) + 100);
    if (waits) {
      ASSERT_TRUE(socket->send_all(client.take_output()).has_value());
      const ByteVector reply = testing::read_up_to(*socket, kReplyBytes);
      all_replied.arrive_and_wait();
      ASSERT_TRUE(client.receive(reply).has_value());
    }
    if (testing::drive(*socket, client)) ++let_in;
  };
  std::vector<std::thread> guessers;
  for (int number = 0; number < kAtOnce; ++number) guessers.emplace_back(guess, number, true);
  for (std::thread& guesser : guessers) guesser.join();
  guessers.clear();
  for (int number = 0; number < kBehind; ++number) {
    guessers.emplace_back(guess, kAtOnce + number, false);
  }
  for (std::thread& guesser : guessers) guesser.join();

  EXPECT_EQ(let_in, 0);
  for (int left = static_cast<int>(kGuessesPerCode) - 1; left >= 0; --left) {
    // Those under way hold slots of their own, so only the last number is certain.
    const auto event = host.events.pop();
    EXPECT_TRUE(event->starts_with("wrong, left ")) << *event;
    if (left == 0) {
      EXPECT_EQ(*event, "wrong, left 0");
    }
  }
  EXPECT_EQ(host.events.pop(), "stopped");
  EXPECT_FALSE(host.events.try_pop().has_value());  // not one binder more

  // The right code no longer helps; the session that stood goes on, and grows.
  EXPECT_EQ(join(host.address()).error().code, Code::kRefused);
  expect_talk(**standing, **at_host);
  auto stream = add_stream(**standing, 1);
  ASSERT_TRUE(stream.has_value());
  auto stream_at_host = host.streams.pop();
  expect_talk(**stream, **stream_at_host);
}

// Guesses wrongly so many times, each from an address that has waited.
void guess_wrongly(LoopbackHost& host, FakeClock& clock, unsigned times) {
  for (unsigned count = 0; count < times; ++count) {
    clock.advance(kAddressWaitMax);
    EXPECT_EQ(join(host.address(), "1234-not-the-code").error().code, Code::kWrongCode);
    EXPECT_TRUE(host.events.pop()->starts_with("wrong, left "));
  }
}

// The code that the next event says joining goes on with; empty when it stopped.
std::string next_code(LoopbackHost& host) {
  constexpr std::string_view kRetired = "retired for ";
  const std::string event = host.events.pop().value_or("");
  return event.starts_with(kRetired) ? event.substr(kRetired.size()) : "";
}

TEST(Listener, MakesThreeCodesThenStopsUntilAsked) {
  static_assert(kAutomaticCodesMax == 3);
  FakeClock clock;
  LoopbackHost host(std::nullopt, testing::kBothSuites, &clock);
  guess_wrongly(host, clock, kGuessesPerCode);
  const std::string second = next_code(host);
  ASSERT_FALSE(second.empty());
  ASSERT_NE(second, host.first_code());

  clock.advance(kAddressWaitMax);
  EXPECT_EQ(join(host.address(), host.first_code()).error().code, Code::kWrongCode);
  EXPECT_EQ(host.events.pop(), "wrong, left 9");  // the old code is a guess like any other
  clock.advance(kAddressWaitMax);
  EXPECT_TRUE(join(host.address(), second).has_value());
  guess_wrongly(host, clock, kGuessesPerCode - 1);
  const std::string third = next_code(host);
  ASSERT_FALSE(third.empty());

  guess_wrongly(host, clock, kGuessesPerCode);
  EXPECT_EQ(next_code(host), "");  // stopped
  clock.advance(kAddressWaitMax);
  EXPECT_EQ(join(host.address(), third).error().code, Code::kRefused);

  host.listener().renew_code();
  const std::string asked_for = next_code(host);
  ASSERT_FALSE(asked_for.empty());
  EXPECT_TRUE(join(host.address(), asked_for).has_value());
}

TEST(Listener, AReusedOrForgottenStreamIsRefused) {
  LoopbackHost host;
  auto client = join(host.address());
  ASSERT_TRUE(client.has_value());
  auto session = host.sessions.pop();
  auto stream = add_stream(**client, 1);
  ASSERT_TRUE(stream.has_value());
  auto at_host = host.streams.pop();
  EXPECT_EQ(add_stream(**client, 1).error().code, Code::kRefused);
  host.listener().forget((*session)->session_id);
  EXPECT_EQ(add_stream(**client, 2).error().code, Code::kRefused);
  expect_talk(**stream, **at_host);  // what stands is the handler's
}

TEST(Listener, AfterStopJoiningOnlyStreamsComeIn) {
  LoopbackHost host;
  host.once = true;
  auto client = join(host.address());
  ASSERT_TRUE(client.has_value());
  auto session = host.sessions.pop();
  const auto second = join(host.address());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kRefused);
  EXPECT_TRUE(add_stream(**client, 1).has_value());
  EXPECT_TRUE(host.streams.pop().has_value());
}

// 1,000 connections that send a byte now and then; joins from elsewhere and from the very same
// address get through.
TEST(Listener, TricklingConnectionsKeepNobodyOut) {
  constexpr std::size_t kTricklers = 1000;
  LoopbackHost host;
  std::vector<platform::Socket> tricklers;
  for (std::size_t number = 0; number < kTricklers; ++number) {
    // Half from many addresses, which fill every slot, half from the joiner's own.
    const std::string ip =
        number % 2 == 0 ? "127.0.0.1" : "127.0.2." + std::to_string(1 + number / 2 % 250);
    auto socket = platform::connect_from(ip, host.address());
    ASSERT_TRUE(socket.has_value()) << to_sentence(socket.error());
    tricklers.push_back(std::move(*socket));
  }
  std::atomic<bool> enough = false;
  std::thread trickle([&] {
    for (std::size_t at = 0; !enough && at < kHandshakeMagic.size(); ++at) {
      // Those that were dropped fail to send, which is their affair.
      for (const auto& socket : tricklers) {
        static_cast<void>(socket.send_all(as_bytes(kHandshakeMagic.substr(at, 1))));
      }
    }
  });
  for (const std::string ip : {"127.0.0.2", "127.0.0.1"}) {
    auto socket = platform::connect_from(ip, host.address());
    ASSERT_TRUE(socket.has_value());
    ClientHandshake client = joining();
    const auto joined = testing::drive(*socket, client);
    EXPECT_TRUE(joined.has_value()) << ip << ": " << to_sentence(joined.error());
    EXPECT_TRUE(host.sessions.pop().has_value());
  }
  enough = true;
  trickle.join();
}

// A farm of machines behind one address that all begin in the same instant.
TEST(Listener, ManyOfOneAddressAtOnceAreAllLetIn) {
  constexpr std::size_t kAtOnce = 64;
  LoopbackHost host;
  std::vector<platform::Socket> sockets;
  std::vector<std::unique_ptr<ClientHandshake>> clients;
  for (std::size_t number = 0; number < kAtOnce; ++number) {
    auto socket = platform::connect_from("127.0.0.1", host.address());
    ASSERT_TRUE(socket.has_value()) << to_sentence(socket.error());
    clients.push_back(
        std::make_unique<ClientHandshake>(joining(kCodeText, testing::kBothSuites, number + 1)));
    ASSERT_TRUE(socket->send_all(clients.back()->take_output()).has_value());
    sockets.push_back(std::move(*socket));
  }
  std::vector<std::jthread> threads;
  for (std::size_t number = 0; number < kAtOnce; ++number) {
    threads.emplace_back([&, number] {
      const auto joined = testing::drive(sockets[number], *clients[number]);
      EXPECT_TRUE(joined.has_value()) << number << ": " << to_sentence(joined.error());
    });
  }
  threads.clear();
  for (std::size_t number = 0; number < kAtOnce; ++number) {
    EXPECT_TRUE(host.sessions.pop().has_value());
  }
}

TEST(Listener, StalledHandshakesGiveWayToTheirNeighbours) {
  FakeClock clock;
  LoopbackHost host(code_of(kCodeText), testing::kBothSuites, &clock);
  std::vector<platform::Socket> stalled;
  for (std::size_t number = 0; number < kPendingPerAddressMax; ++number) {
    auto socket = platform::connect_from("127.0.0.4", host.address());
    ASSERT_TRUE(socket.has_value());
    ASSERT_TRUE(socket->send_all(joining().take_output()).has_value());
    ASSERT_EQ(testing::read_up_to(*socket, kReplyBytes).size(), kReplyBytes);
    stalled.push_back(std::move(*socket));
  }
  std::jthread neighbour([&] {
    auto socket = platform::connect_from("127.0.0.4", host.address());
    ASSERT_TRUE(socket.has_value());
    ClientHandshake client = joining();
    const auto joined = testing::drive(*socket, client);
    EXPECT_TRUE(joined.has_value()) << to_sentence(joined.error());
  });
  clock.advance(kUndisturbed);
  host.listener().renew_code();  // wakes it; a code the user chose stays
  neighbour.join();
  EXPECT_TRUE(host.sessions.pop().has_value());
  EXPECT_TRUE(testing::read_up_to(stalled.front(), 1).empty());  // dropped for it
}

// No byte that arrives moves the deadline.
TEST(Listener, DropsWhoIsNotDoneInTime) {
  FakeClock clock;
  LoopbackHost host(code_of(kCodeText), testing::kBothSuites, &clock);
  auto silent = platform::connect_from("127.0.0.3", host.address());
  auto slow = platform::connect_from("127.0.0.3", host.address());
  ASSERT_TRUE(silent.has_value() && slow.has_value());
  ASSERT_TRUE(slow->send_all(joining().take_output()).has_value());
  // Connections are taken in order: with this reply, the silent one has been seen, too.
  ASSERT_EQ(testing::read_up_to(*slow, kReplyBytes).size(), kReplyBytes);

  clock.advance(kHandshakeTimeout - std::chrono::seconds(1));
  ASSERT_TRUE(join(host.address()).has_value());  // a turn of the loop that drops nobody yet
  ASSERT_TRUE(host.sessions.pop().has_value());
  const std::byte one_more{0x16};
  ASSERT_TRUE(slow->send_all({&one_more, 1}).has_value());
  clock.advance(std::chrono::seconds(1));
  host.listener().renew_code();  // wakes it; a code the user chose stays
  EXPECT_TRUE(testing::read_up_to(*silent, 1).empty());
  EXPECT_TRUE(testing::read_up_to(*slow, 1).empty());
  ASSERT_TRUE(join(host.address()).has_value());
}

// A stream's first flight recorded on the wire and sent again, before and after.
TEST(Listener, AReplayedStreamHelloLetsNobodyIn) {
  LoopbackHost host;
  auto client = join(host.address());
  ASSERT_TRUE(client.has_value());
  auto session = host.sessions.pop();
  auto stream = ClientHandshake::further_stream(*(*client)->ticket, 4);
  ASSERT_TRUE(stream.has_value());
  const ByteVector hello = stream->take_output();
  auto replayed = platform::connect_from("127.0.0.4", host.address());
  auto real = platform::connect_from("127.0.0.1", host.address());
  ASSERT_TRUE(replayed->send_all(hello).has_value());
  ASSERT_FALSE(testing::read_up_to(*replayed, 1).empty());  // it is answered...
  ASSERT_TRUE(real->send_all(hello).has_value());
  ASSERT_TRUE(testing::drive(*real, *stream).has_value());
  ASSERT_TRUE(host.streams.pop().has_value());  // ...but uses up no number
  auto late = platform::connect_from("127.0.0.4", host.address());
  ASSERT_TRUE(late->send_all(hello).has_value());
  const ByteVector alert = testing::read_up_to(*late, 4096);
  ASSERT_FALSE(alert.empty());
  EXPECT_EQ(alert[0], std::byte{0x15});  // a TLS alert, and the end
  EXPECT_FALSE(host.streams.try_pop().has_value());
}

// The switch to frames over a real socket: the first frame right behind Finished.
TEST(Listener, ReadsFramesThatCameWithFinished) {
  LoopbackHost host;
  for (int round = 0; round < 20; ++round) {
    auto client = join(host.address(), kCodeText, testing::kBothSuites, 40U + round);
    ASSERT_TRUE(client.has_value());
    send_text(**client, "at once");
    auto session = host.sessions.pop();
    EXPECT_EQ(receive_text(**session), "at once");
  }
}

TEST(Listener, StopsWhileConnectionsWait) {
  std::optional<LoopbackHost> host(std::in_place);
  auto silent = platform::connect_from("127.0.0.1", host->address());
  auto client = join(host->address());
  ASSERT_TRUE(client.has_value());
  host.reset();
  EXPECT_TRUE(testing::read_up_to(*silent, 1).empty());
}

}  // namespace
}  // namespace wormhole::session
