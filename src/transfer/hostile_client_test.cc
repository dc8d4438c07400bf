// A real host against hostile clients. What breaks the protocol ends that session, and no other:
// another that stands meanwhile, and the next one, are served.
#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "base/units.h"
#include "transfer/hostile_fixture.h"
#include "wire/frame_header.h"

namespace wormhole::transfer::testing {
namespace {

namespace fs = std::filesystem;
using Script = std::function<void(HonestHost& host, Peer& first)>;

struct Abuse {
  std::string name;
  std::string says;  // part of the error that the host's session ends with
  Script script;
  Code code = Code::kProtocol;
};

// The entries of what is shared, by name; ids as the host gave them.
struct Announced {
  std::map<std::string, std::uint64_t> ids;
  std::uint64_t count = 0;
};

void greet(Peer& first, bool unencrypted = false) {
  first.say(wire::Hello{.streams_max = 4, .unencrypted = unencrypted});
  EXPECT_TRUE(first.hear_a<wire::Hello>().has_value());
}

Announced ask(Peer& first, bool may_have, std::uint32_t request = 1) {
  first.say(wire::Get{request, "", may_have, kOpenEntriesMax});
  Announced announced;
  while (auto message = first.hear()) {
    if (const auto* entries = std::get_if<wire::Entries>(&*message)) {
      std::uint64_t id = entries->first_id;
      for (const auto& entry : entries->entries) announced.ids[entry.name] = id++;
    }
    if (const auto* listed = std::get_if<wire::Listed>(&*message)) {
      announced.count = listed->entries;
      break;
    }
  }
  EXPECT_NE(announced.count, 0u);
  return announced;
}

// A session that has been greeted, before it does wrong.
Script greeted(std::function<void(Peer&)> script) {
  return [script = std::move(script)](HonestHost& /*host*/, Peer& first) {
    greet(first);
    script(first);
  };
}

// The same with everything announced and nothing wanted yet.
Script asked(std::function<void(Peer&, const Announced&)> script, bool may_have = true,
             bool unencrypted = false) {
  return [=, script = std::move(script)](HonestHost& /*host*/, Peer& first) {
    greet(first, unencrypted);
    script(first, ask(first, may_have));
  };
}

void add_greetings(std::vector<Abuse>& all) {
  all.push_back({"get_before_hello", "no Hello",
                 [](HonestHost&, Peer& first) { first.say(wire::Get{1, "", false, 1}); }});
  all.push_back(
      {"hello_twice", "second Hello", greeted([](Peer& first) { first.say(wire::Hello{}); })});
  all.push_back({"hello_of_another_version", "version",
                 [](HonestHost&, Peer& first) {
                   first.say(wire::Hello{.version = wire::kProtocolVersion + 1});
                 },
                 Code::kVersion});
  all.push_back({"hello_with_too_many_streams", "streams", [](HonestHost&, Peer& first) {
                   first.say(wire::Hello{.streams_max = kStreamsMax});
                 }});
  const std::vector<wire::Message> from_a_client = {wire::Join{1}, wire::Taken{1},
                                                    wire::NotTaken{1}, wire::Planned{1}};
  const std::vector<wire::Message> from_a_giver = {wire::Entries{1, 0, {wire::Entry{}}},
                                                   wire::Listed{1, 1},
                                                   wire::Refused{1, wire::FailureCode::kIo, "no"},
                                                   wire::Chunks{1, 1, 0, {{kChunkMinBytes, {}}}}};
  for (const auto& message : from_a_giver) {
    all.push_back({"message_" + std::string(wire::message_name(message)), "not asked for",
                   greeted([message](Peer& first) { first.say(message); })});
  }
  for (const auto& message : from_a_client) {
    all.push_back({"message_" + std::string(wire::message_name(message)), "unexpected message",
                   greeted([message](Peer& first) { first.say(message); })});
  }
}

void add_requests(std::vector<Abuse>& all) {
  all.push_back({"request_reused", "count up", asked([](Peer& first, const Announced&) {
                   first.say(wire::Get{1, "", false, 1});
                 })});
  all.push_back(
      {"request_reused_after_its_end", "count up", asked([](Peer& first, const Announced&) {
         first.say(wire::Cancel{1});
         first.say(wire::Get{1, "", false, 1});
       })});
  all.push_back({"request_zero", "count up",
                 greeted([](Peer& first) { first.say(wire::List{0, "", false, 1}); })});
  all.push_back({"get_without_credit", "credit out of range",
                 greeted([](Peer& first) { first.say(wire::Get{1, "", false, 0}); })});
  all.push_back({"get_with_too_much_credit", "credit out of range", greeted([](Peer& first) {
                   first.say(wire::Get{1, "", false, kOpenEntriesMax + 1});
                 })});
  all.push_back({"get_of_too_long_a_path", "path is too long", greeted([](Peer& first) {
                   first.say(wire::Get{1, std::string(kPathMaxBytes + 1, 'p'), false, 1});
                 })});
  all.push_back({"want_unannounced", "not announced",
                 asked([](Peer& first, const Announced&) { first.say(wire::Want{1, {99}, 1}); })});
  all.push_back({"want_of_a_directory", "not announced",
                 asked([](Peer& first, const Announced&) { first.say(wire::Want{1, {0}, 1}); })});
  all.push_back({"chunks_of_what_is_not_held", "not wanted in part",
                 asked([](Peer& first, const Announced& there) {
                   first.say(wire::WantChunks{1, {there.ids.at("good")}});
                 })});
  all.push_back({"chunks_twice", "twice", asked([](Peer& first, const Announced& there) {
                   const std::uint64_t id = there.ids.at("good");
                   first.say(wire::WantRanges{1, id, {}});
                   first.say(wire::WantChunks{1, {id, id}});
                 })});
  all.push_back({"fine_chunks_before_chunks", "whose chunks are not asked for",
                 asked([](Peer& first, const Announced& there) {
                   const std::uint64_t id = there.ids.at("good");
                   first.say(wire::WantRanges{1, id, {}});
                   first.say(wire::WantFineChunks{1, id, {{0, 1}}});
                 })});
  all.push_back(
      {"fine_chunks_outside", "outside the file", asked([](Peer& first, const Announced& there) {
         const std::uint64_t id = there.ids.at("good");
         first.say(wire::WantRanges{1, id, {}});
         first.say(wire::WantChunks{1, {id}});
         first.say(wire::WantFineChunks{1, id, {{1'000'000'000, 1}}});
       })});
  all.push_back({"fine_chunks_twice", "twice", asked([](Peer& first, const Announced& there) {
                   const std::uint64_t id = there.ids.at("good");
                   first.say(wire::WantRanges{1, id, {}});
                   first.say(wire::WantChunks{1, {id}});
                   first.say(wire::WantFineChunks{1, id, {{0, 1}}});
                   first.say(wire::WantFineChunks{1, id, {{0, 1}}});
                 })});
  all.push_back(
      {"ranges_after_the_last", "after the last", asked([](Peer& first, const Announced& there) {
         const std::uint64_t id = there.ids.at("good");
         first.say(wire::WantRanges{1, id, {}, true});
         first.say(wire::WantRanges{1, id, {{0, 1}}});
       })});
  all.push_back({"want_twice", "twice", asked([](Peer& first, const Announced& there) {
                   const std::uint64_t id = there.ids.at("good");
                   first.say(wire::Want{1, {id}, there.count});
                   first.say(wire::Want{1, {id}, there.count});
                 })});
  all.push_back({"want_of_what_comes_anyway", "not announced",
                 asked(
                     [](Peer& first, const Announced& there) {
                       first.say(wire::Want{1, {there.ids.at("good")}, there.count});
                     },
                     /*may_have=*/false)});
  all.push_back({"want_in_the_future", "decided", asked([](Peer& first, const Announced& there) {
                   first.say(wire::Want{1, {}, there.count + 1});
                 })});
  all.push_back({"want_going_back", "decided", asked([](Peer& first, const Announced& there) {
                   first.say(wire::Want{1, {}, there.count});
                   first.say(wire::Want{1, {}, there.count - 1});
                 })});
  all.push_back(
      {"want_too_many", "too many", asked([](Peer& first, const Announced&) {
         first.say(wire::Want{1, std::vector<std::uint64_t>(wire::kWantsPerMessageMax + 1, 1), 1});
       })});
  all.push_back({"credit_overflowing", "ever given", asked([](Peer& first, const Announced&) {
                   for (int i = 0; i < 3; ++i) first.say(wire::Credit{1, kOpenEntriesMax});
                 })});
  all.push_back({"credit_of_nothing", "credit out of range",
                 asked([](Peer& first, const Announced&) { first.say(wire::Credit{1, 0}); })});
  const auto again = [&](std::string name, std::string says, std::uint64_t offset,
                         std::uint32_t length, bool unencrypted = true) {
    all.push_back({std::move(name), std::move(says),
                   asked(
                       [=](Peer& first, const Announced& there) {
                         first.say(wire::Again{1, there.ids.at("good"), offset, length});
                       },
                       /*may_have=*/true, unencrypted)});
  };
  again("again_outside", "outside", 4, 1);
  again("again_past_the_end", "outside", 2, 3);
  again("again_of_nothing", "out of bounds", 0, 0);
  again("again_of_too_much", "out of bounds", 0, kBlockBytes + 1);
  again("again_of_the_far_end", "outside", kFileMaxBytes, 1);
  again("again_encrypted", "encrypted", 0, 4, /*unencrypted=*/false);
}

void add_frames(std::vector<Abuse>& all) {
  all.push_back({"data_from_a_client", "not asked for",
                 greeted([](Peer& first) { first.data(1, 1, 0, "x"); })});
  all.push_back({"hole_from_a_client", "not asked for",
                 greeted([](Peer& first) { first.hole(1, 1, 0, 1); })});
  all.push_back({"end_of_the_first_connection", "not asked for",
                 greeted([](Peer& first) { first.end_stream(); })});
  all.push_back({"message_malformed", "malformed",
                 greeted([](Peer& first) { first.say_bytes(ByteVector(64, std::byte{0xee})); })});
  all.push_back({"message_empty", "malformed", greeted([](Peer& first) { first.say_bytes({}); })});
  all.push_back({"message_too_long", "longer", greeted([](Peer& first) {
                   first.say_bytes(ByteVector(wire::kMessageMaxBytes + 1));
                 })});
  all.push_back({"message_of_unknown_kind", "unknown kind", greeted([](Peer& first) {
                   ByteVector ping(256);
                   ping.resize(wire::encode(wire::Ping{}, ping).value_or(0));
                   // The union's tag is the only byte of that value.
                   std::ranges::replace(ping, std::byte{14}, std::byte{200});
                   first.say_bytes(ping);
                 })});
  all.push_back({"frame_of_unknown_type", "unknown frame type", greeted([](Peer& first) {
                   ByteVector header(wire::kFrameHeaderBytes);
                   store_le<std::uint8_t>(header.data() + 4, 99);
                   first.raw(header);
                 }),
                 Code::kLost});
  all.push_back({"frame_replayed", "", greeted([](Peer& first) {
                   first.say(wire::Ping{});
                   const ByteVector frame = first.last_frame();
                   first.raw(frame);
                 }),
                 Code::kLost});
  all.push_back({"end_inside_a_frame", "", greeted([](Peer& first) {
                   first.say(wire::Ping{});
                   first.raw(Bytes(first.last_frame()).first(40));
                   first.finish_sending();
                 }),
                 Code::kLost});
  for (const std::uint8_t stream : {std::uint8_t{0}, std::uint8_t{kStreamsMax}}) {
    all.push_back({"end_of_stream_" + std::to_string(stream), "out of range",
                   greeted([stream](Peer& first) { first.say(wire::EndStream{stream}); })});
  }
}

// Something else than the Join of its own number as a stream's first word.
void add_streams(std::vector<Abuse>& all) {
  const auto add = [&](std::string name, std::string says,
                       std::function<void(Peer & stream)> script) {
    all.push_back({"stream_" + std::move(name), std::move(says),
                   [script = std::move(script)](HonestHost& host, Peer& first) {
                     greet(first);
                     const auto stream = host.add_stream(first, 1);
                     script(*stream);
                     first.wait_for_end();
                   }});
  };
  add("joins_as_another", "does not join", [](Peer& stream) { stream.say(wire::Join{2}); });
  add("does_not_join", "does not join", [](Peer& stream) { stream.say(wire::Ping{}); });
  add("sends_data", "", [](Peer& stream) { stream.data(1, 1, 0, "x"); });
  add("joins_in_another_kind_of_frame", "", [](Peer& stream) {
    ByteVector join(256);
    join.resize(wire::encode(wire::Join{1}, join).value_or(0));
    stream.frame({.payload_bytes = 0, .type = wire::FrameType::kData}, join);
  });
}

std::vector<Abuse> all_abuses() {
  std::vector<Abuse> all;
  add_greetings(all);
  add_requests(all);
  add_frames(all);
  add_streams(all);
  return all;
}

class Shared {
 public:
  Shared() {
    source_.write("good", "good");
    fs::create_directory(source_ / "d");
    source_.write("d/f", "in d");
  }
  [[nodiscard]] std::string path() const { return source_.path().string(); }

  void expect_whole(Victim& client) const {
    const platform::TestDirectory copy;
    const auto got = client.get((copy / "dest").string());
    EXPECT_TRUE(got.has_value()) << to_sentence(got.error());
    EXPECT_EQ(tree_of(copy / "dest"), tree_of(source_.path()));
  }

 private:
  platform::TestDirectory source_;
};

class HostileClient : public ::testing::TestWithParam<std::string> {};

TEST_P(HostileClient, EndsItsOwnSessionOnly) {
  const auto all = all_abuses();
  const auto abuse =
      std::ranges::find_if(all, [&](const Abuse& one) { return one.name == GetParam(); });
  ASSERT_NE(abuse, all.end());
  const Shared shared;
  HonestHost host({shared.path()}, {.allow_plain = true});
  Victim bystander(host.address());
  {
    const auto first = host.join();
    abuse->script(host, *first);
    const auto ended = host.next_ending();
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(code_name(ended.error().code), code_name(abuse->code));
    const std::string said = ended.error().object + " " + ended.error().detail;
    EXPECT_NE(said.find(abuse->says), std::string::npos) << to_sentence(ended.error());
  }
  shared.expect_whole(bystander);
  Victim next(host.address());
  shared.expect_whole(next);
}

std::vector<std::string> names_of_all() {
  std::vector<std::string> names;
  for (const Abuse& abuse : all_abuses()) names.push_back(abuse.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, HostileClient, ::testing::ValuesIn(names_of_all()),
                         [](const auto& name) { return name.param; });

// --- what is answered, not punished ------------------------------------------------------------

TEST(HostileRequests, PathsThatLeaveTheShareAreRefused) {
  const Shared shared;
  HonestHost host({shared.path()});
  const auto first = host.join();
  greet(*first);
  std::uint32_t request = 0;
  const std::vector<std::pair<std::string, wire::FailureCode>> paths = {
      {"../x", wire::FailureCode::kUnsafeName},
      {"d/../../x", wire::FailureCode::kUnsafeName},
      {"..", wire::FailureCode::kUnsafeName},
      {std::string("a\0b", 3), wire::FailureCode::kUnsafeName},
      {std::string(kNameMaxBytes + 1, 'n'), wire::FailureCode::kUnsafeName},
      {"/etc/passwd", wire::FailureCode::kNotFound},  // below the share, like any other
      {"good/f", wire::FailureCode::kNotFound},
      {"missing", wire::FailureCode::kNotFound}};
  for (const auto& [path, code] : paths) {
    for (const bool list : {false, true}) {
      ++request;
      if (list) {
        first->say(wire::List{request, path, true, 1});
      } else {
        first->say(wire::Get{request, path, false, 1});
      }
      const auto refused = first->hear_a<wire::Refused>();
      ASSERT_TRUE(refused.has_value()) << path;
      EXPECT_EQ(refused->request, request);
      EXPECT_EQ(refused->code, code) << path;
      EXPECT_EQ(refused->reason.find(shared.path()), std::string::npos) << refused->reason;
      first->say(wire::Cancel{request});
    }
  }
}

TEST(HostileRequests, ASymlinkInThePathIsNotFollowed) {
  const platform::TestDirectory outside;
  outside.write("secret", "secret");
  const platform::TestDirectory source;
  fs::create_symlink(outside.path(), source / "way-out");
  HonestHost host({source.path().string()});
  const auto first = host.join();
  greet(*first);
  first->say(wire::Get{1, "way-out/secret", false, 1});
  const auto refused = first->hear_a<wire::Refused>();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, wire::FailureCode::kNotFound);
}

TEST(HostileRequests, WordsAboutEndedRequestsAreNoOffence) {
  const Shared shared;
  HonestHost host({shared.path()});
  const auto first = host.join();
  greet(*first);
  const Announced there = ask(*first, /*may_have=*/true);
  first->say(wire::Cancel{1});
  first->say(wire::Cancel{1});
  first->say(wire::Cancel{77});
  first->say(wire::Want{1, {there.ids.at("good")}, there.count});
  first->say(wire::Credit{1, kOpenEntriesMax});
  first->say(wire::Failed{.request = 1, .has_file = true, .file = there.ids.at("good")});
  ask(*first, /*may_have=*/true, 2);
  first->say(wire::Bye{});
  EXPECT_TRUE(host.next_ending().has_value());
}

TEST(HostileRequests, MoreRequestsThanMayStandAreRefused) {
  const Shared shared;
  HonestHost host({shared.path()});
  const auto first = host.join();
  greet(*first);
  for (std::uint32_t request = 1; request <= kRequestsMax + 1; ++request) {
    first->say(wire::Get{request, "", true, 1});
  }
  const auto refused = first->hear_a<wire::Refused>();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->request, kRequestsMax + 1);
  EXPECT_EQ(refused->code, wire::FailureCode::kLimit);
}

TEST(HostileStreams, MoreThanGrantedAreClosedAgain) {
  const Shared shared;
  HonestHost host({shared.path()});
  const auto first = host.join();
  greet(*first);
  // Half of what there is: a session never holds more than it leaves to others.
  constexpr unsigned kLetIn = kFurtherStreamsMax / 2;
  std::vector<std::unique_ptr<Peer>> streams;
  for (unsigned number = 1; number <= kLetIn; ++number) {
    streams.push_back(host.add_stream(*first, number));
    streams.back()->say(wire::Join{static_cast<std::uint8_t>(number)});
  }
  const auto surplus = host.add_stream(*first, kLetIn + 1);
  surplus->say(wire::Join{kLetIn + 1});
  surplus->wait_for_end();
  ask(*first, /*may_have=*/true);
  first->say(wire::Bye{});
  EXPECT_TRUE(host.next_ending().has_value());
}

TEST(HostileStreams, OneThatEndsBeforeItJoinsIsNoOffence) {
  const Shared shared;
  HonestHost host({shared.path()});
  const auto first = host.join();
  greet(*first);
  for (unsigned number = 1; number <= 8; ++number) host.add_stream(*first, number)->hang_up();
  ask(*first, /*may_have=*/true);
  first->say(wire::Bye{});
  EXPECT_TRUE(host.next_ending().has_value());
}

// --- a client that never listens ---------------------------------------------------------------

TEST(HostileFlood, AnswersThatNobodyReadsAreBounded) {
  const Shared shared;
  HonestHost host({shared.path()});
  const auto first = host.join();
  greet(*first);
  // Each is refused, and not one refusal is read: the host must end this, not remember it all.
  std::uint32_t request = 0;
  while (first->say(wire::Get{++request, "missing", false, 1})) {
    ASSERT_LT(request, 3'000'000u);
  }
  const auto ended = host.next_ending();
  ASSERT_FALSE(ended.has_value());
  Victim next(host.address());
  shared.expect_whole(next);
}

// Credit is for what was finished, and what was never sent cannot be.
TEST(HostileFlood, CreditForWhatWasNotSentIsRefused) {
  const platform::TestDirectory source;
  for (std::uint32_t i = 0; i < 3 * kOpenEntriesMax; ++i) source.write(std::to_string(i), "x");
  HonestHost host({source.path().string()});
  const auto first = host.join();
  greet(*first);
  first->say(wire::Get{1, "", /*may_have=*/true, kOpenEntriesMax});
  std::uint32_t announced = 0;
  while (const auto entries = first->hear_a<wire::Entries>()) {
    const auto count = static_cast<std::uint32_t>(entries->entries.size());
    announced += count;
    first->say(wire::Credit{1, count});
  }
  EXPECT_LT(announced, 3 * kOpenEntriesMax);
  const auto ended = host.next_ending();
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code, Code::kProtocol) << to_sentence(ended.error());
}

TEST(HostileFlood, RangesAskedForAgainAreBounded) {
  const Shared shared;
  HonestHost host({shared.path()}, {.allow_plain = true});
  const auto first = host.join();
  greet(*first, /*unencrypted=*/true);
  const Announced there = ask(*first, /*may_have=*/true);
  std::uint32_t sent = 0;
  while (first->say(wire::Again{1, there.ids.at("good"), 0, 4})) {
    ASSERT_LT(++sent, 3'000'000u);
  }
  const auto ended = host.next_ending();
  ASSERT_FALSE(ended.has_value());
  Victim next(host.address());
  shared.expect_whole(next);
}

}  // namespace
}  // namespace wormhole::transfer::testing
