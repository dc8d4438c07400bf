// A real host that may be written to, against whoever puts: what a hostile host does to a taker,
// with the roles turned round, and what only a put can do.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/limits.h"
#include "base/units.h"
#include "store/hash.h"
#include "transfer/failure.h"
#include "transfer/hostile_attacks.h"
#include "transfer/hostile_fixture.h"

namespace wormhole::transfer::testing {
namespace {

namespace fs = std::filesystem;

constexpr HostOptions kWritable{.access = {.writing = Writing::kAll}};
constexpr HostOptions kIncoming{.access = {.writing = Writing::kAdds}};

// "share" is shared; nothing else may change.
class Box {
 public:
  Box() {
    fs::create_directory(box_ / "share");
    box_.write("share/good", "good");
    box_.write("precious", "precious");
    fs::create_symlink("..", box_ / "share/up");
    fs::create_symlink(outside(), box_ / "share/away");
    before_ = others();
  }
  ~Box() { EXPECT_EQ(others(), before_) << "something escaped"; }

  [[nodiscard]] std::string share() const { return (box_ / "share").string(); }
  [[nodiscard]] std::map<std::string, std::string> arrived() const {
    return tree_of(box_ / "share/dest");
  }

 private:
  [[nodiscard]] std::map<std::string, std::string> others() const {
    auto all = tree_of(box_.path());
    std::erase_if(all, [](const auto& item) { return item.first.starts_with("share/dest"); });
    for (auto& [name, content] : tree_of(outside())) all.emplace("outside: " + name, content);
    return all;
  }

  platform::TestDirectory box_;
  std::map<std::string, std::string> before_;
};

wire::Put put_of_share(std::string path = "dest") {
  return {.request = 1, .name = "share", .path = std::move(path)};
}

// Those that need nothing of whom they meet but that it asked.
std::vector<Attack> attacks() {
  std::vector<Attack> all = name_attacks();
  for (auto& more : {link_attacks(outside()), entry_attacks(), data_attacks(), compressed_attacks(),
                     message_attacks()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  // A host takes compressed data from whoever puts, and what a dialler may say is no attack.
  std::erase_if(all, [&](const Attack& attack) {
    return !attack.victim_expands || attack.name.starts_with("message-") ||
           attack.name.find("hello") != std::string::npos ||
           attack.name == "failed-of-another-request";
  });
  return all;
}

const std::vector<Attack>& table() {
  static const std::vector<Attack> all = attacks();
  return all;
}

class HostilePut : public ::testing::TestWithParam<std::string> {};

void expect_ending(const Attack& attack, const Peer::PutAnswers& answers,
                   const Result<void>& session) {
  if (!attack.ends.has_value()) {
    EXPECT_TRUE(answers.is_taken);
    return;
  }
  EXPECT_FALSE(answers.is_taken);
  ASSERT_FALSE(session.has_value());
  if (session.error().code == Code::kProtocol) {
    // A root of another name than the put's is not looked at any further.
    EXPECT_TRUE(attack.ends == Code::kProtocol || attack.name.starts_with("root-"));
    if (attack.ends == Code::kProtocol) {
      EXPECT_NE(session.error().detail.find(attack.says), std::string::npos)
          << to_sentence(session.error());
    }
    return;
  }
  if (attack.ends == Code::kLost) return;  // they hung up
  ASSERT_TRUE(answers.refused.has_value()) << to_sentence(session.error());
  EXPECT_EQ(answers.refused->code, failure_code({.code = *attack.ends, .operation = {}}));
}

TEST_P(HostilePut, DoesNoMoreThanAHostileHost) {
  const Box box;
  const auto found = std::ranges::find(table(), GetParam(), &Attack::name);
  ASSERT_NE(found, table().end());
  const Attack& attack = *found;
  Peer::PutAnswers answers;
  {
    HonestHost host({box.share()}, kWritable);
    EvilHost nobody([](EvilHost&, Peer&) {});  // whom scripts are handed
    {
      const auto peer = host.join();
      peer->begin_put(put_of_share());
      attack.script(nobody, *peer);
      answers = peer->put_answers();
      peer->hang_up();
    }
    expect_ending(attack, answers, host.next_ending());
  }
  EXPECT_EQ(box.arrived(), attack.arrives);
  for (const auto& [path, code] : attack.fails) {
    ASSERT_TRUE(answers.failed.contains(path)) << path;
    EXPECT_EQ(answers.failed.at(path), failure_code({.code = code, .operation = {}})) << path;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const Attack& attack : table()) names.push_back(attack.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Attacks, HostilePut, ::testing::ValuesIn(names()), [](const auto& param) {
  std::string name = param.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

// --- what only a put can do --------------------------------------------------------------------

// How the host answers to a put of one file "f" of one byte, all of which is sent.
Peer::PutAnswers put_a_file(HonestHost& host, wire::Put put) {
  const auto peer = host.join();
  put.request = 1;
  put.name = "f";
  peer->begin_put(put);
  EvilHost nobody([](EvilHost&, Peer&) {});  // whom scripts are handed
  answer([](Talk& talk) {
    wire::Entry f = file(wire::kNoEntry, "f", 1);
    f.mtime_seconds = 1;
    talk.entries(0, {f});
    talk.give(0, "x");
    talk.listed(1);
  })(nobody, *peer);
  const auto answers = peer->put_answers();
  peer->hang_up();
  static_cast<void>(host.next_ending());
  return answers;
}

TEST(HostilePutPaths, LeadNowhereElse) {
  const Box box;
  HonestHost host({box.share()}, kWritable);
  for (const std::string path :
       {"../x", "/../x", "dest/../../x", "up/x", "away/x", "away/", "up", "good/x", "good/"}) {
    const auto answers = put_a_file(host, {.path = path});
    EXPECT_TRUE(answers.refused.has_value() || answers.failed.contains(path)) << path;
  }
  // The partial of another file is nobody's directory.
  EXPECT_TRUE(put_a_file(host, {.path = store::partial_name("good") + "/x"}).refused.has_value());
  EXPECT_TRUE(put_a_file(host, {.path = "dest/deep/er/x"}).is_taken);
  EXPECT_EQ(box.arrived().at("deep/er/x"), "x");
}

TEST(HostilePutPaths, AbsoluteOnesAreOfTheShare) {
  const Box box;
  HonestHost host({box.share()}, kWritable);
  EXPECT_TRUE(put_a_file(host, {.path = "/dest/x"}).is_taken);
  EXPECT_EQ(box.arrived().at("x"), "x");
}

TEST(HostilePutNames, OfTheThingItselfAreChecked) {
  const Box box;
  HonestHost host({box.share()}, kWritable);
  for (const std::string name : {"", ".", "..", "a/b", "/x"}) {
    const auto peer = host.join();
    peer->begin_put({.request = 1, .name = name});
    peer->wait_for_end();
    ASSERT_TRUE(peer->put_answers().refused.has_value()) << name;
    EXPECT_EQ(peer->put_answers().refused->code, wire::FailureCode::kUnsafeName) << name;
    peer->hang_up();
    EXPECT_EQ(host.next_ending().error().code, Code::kLost);
  }
}

TEST(ReadOnly, TakesNothing) {
  const Box box;
  HonestHost host({box.share()});
  const auto answers = put_a_file(host, {.path = "dest/x"});
  ASSERT_TRUE(answers.refused.has_value());
  EXPECT_EQ(answers.refused->code, wire::FailureCode::kNotAllowed);
  // Nor what was never put.
  const auto peer = host.join();
  peer->say(wire::Hello{.streams_max = 4});
  peer->say(wire::Entries{1, 0, {root_directory()}});
  EXPECT_EQ(host.next_ending().error().code, Code::kProtocol);
  const auto other = host.join();
  other->say(wire::Hello{.streams_max = 4});
  EXPECT_TRUE(other->hear_a<wire::Hello>().has_value());
  const auto stream = host.add_stream(*other, 1);
  stream->say(wire::Join{1, /*gives=*/true});
  EXPECT_EQ(host.next_ending().error().code, Code::kProtocol);
}

TEST(Writable, TakesNoDataThatWasNotPut) {
  const Box box;
  HonestHost host({box.share()}, kWritable);
  const auto peer = host.join();
  peer->say(wire::Hello{.streams_max = 4});
  EXPECT_TRUE(peer->hear_a<wire::Hello>().has_value());
  const auto stream = host.add_stream(*peer, 1);
  stream->say(wire::Join{1, /*gives=*/true});
  stream->data(1, 0, 0, "x");
  EXPECT_EQ(host.next_ending().error().code, Code::kProtocol);
}

TEST(Writable, OnePutAtATime) {
  const Box box;
  HonestHost host({box.share()}, kWritable);
  const auto peer = host.join();
  peer->begin_put(put_of_share());
  EXPECT_TRUE(peer->hear_a<wire::Get>().has_value());
  wire::Put second = put_of_share("dest2");
  second.request = 2;
  peer->say(second);
  const auto ending = host.next_ending();
  ASSERT_FALSE(ending.has_value());
  EXPECT_EQ(ending.error().code, Code::kProtocol);
  const auto other = host.join();
  other->begin_put(put_of_share());
  EXPECT_TRUE(other->hear_a<wire::Get>().has_value());
  other->say(put_of_share());  // the same once more
  EXPECT_EQ(host.next_ending().error().code, Code::kProtocol);
}

// The older one reads nothing of what it is told, so that the host waits for it.
TEST(Writable, AnAttemptThatWaitsForNobodyEndsTheOneBefore) {
  const Box box;
  HonestHost host({box.share()}, kWritable);
  wire::Put put = put_of_share();
  put.run = 77;
  const auto deaf = host.join();
  deaf->say(wire::Hello{.streams_max = 4});
  deaf->say(put);
  EXPECT_TRUE(deaf->hear_a<wire::Get>().has_value());
  std::thread flood([&deaf] {
    deaf->say(wire::Entries{1, 0, {root_directory()}});
    // Each is refused, with a word.
    for (std::uint64_t id = 1; id < kOpenEntriesMax - 1; ++id) {
      if (!deaf->say(wire::Entries{1, id, {file(0, store::partial_name("x"), 0)}})) return;
    }
  });
  const auto next = host.join();
  next->begin_put(put);
  EXPECT_TRUE(next->hear_a<wire::Get>().has_value());
  const auto ending = host.next_ending();
  ASSERT_FALSE(ending.has_value());
  EXPECT_EQ(ending.error().code, Code::kLost);
  flood.join();
}

// --- against whoever puts ----------------------------------------------------------------------

// What a host asks of a client that puts "film" without "secret".
struct Ask {
  std::string name;
  bool dry_run = false;
  wire::Message message;
};

TEST(HostAskedToTake, GetsWhatIsPutAndNothingElse) {
  const platform::TestDirectory directory;
  fs::create_directory(directory / "source");
  directory.write("source/film", "film");
  directory.write("source/secret", "secret");
  const wire::Selection selection{.rules = {{.excludes = true, .pattern = "secret"}}};
  const std::vector<Ask> asks = {
      {"all", false, wire::Get{1, "", false, kOpenEntriesMax}},
      {"another path", false, wire::Get{1, "secret", false, kOpenEntriesMax, selection}},
      {"owners", false, wire::Get{1, "", false, kOpenEntriesMax, selection, {.archive = true}}},
      {"a list", false, wire::List{1, "", true, kOpenEntriesMax, selection}},
      {"another request", false, wire::Get{2, "", false, kOpenEntriesMax, selection}},
      {"data of a plan", true, wire::Get{1, "", false, kOpenEntriesMax, selection}},
      {"a list of all", true, wire::List{1, "", true, kOpenEntriesMax}}};
  for (const Ask& ask : asks) {
    std::atomic<bool> heard = false;
    EvilHost host([&](EvilHost&, Peer& first) {
      if (!first.hear_a<wire::Hello>().has_value()) return;
      first.say(wire::Hello{.streams_max = 4});
      if (!first.hear_a<wire::Put>().has_value()) return;
      first.say(ask.message);
      heard = first.hear_a<wire::Entries>().has_value();
    });
    const auto shares = Shares::open({(directory / "source").string()});
    ASSERT_TRUE(shares.has_value());
    Victim victim(host.address(), {.gives = &*shares});
    const auto result =
        victim.put({.name = "source", .selection = selection, .dry_run = ask.dry_run});
    ASSERT_FALSE(result.has_value()) << ask.name;
    EXPECT_EQ(result.error().code, Code::kProtocol) << ask.name;
    victim.client().close();
    EXPECT_FALSE(heard) << ask.name;
  }
}

TEST(HostAskedToTake, AsksOnce) {
  const platform::TestDirectory directory;
  fs::create_directory(directory / "source");
  directory.write("source/film", "film");
  EvilHost host([&](EvilHost&, Peer& first) {
    if (!first.hear_a<wire::Hello>().has_value()) return;
    first.say(wire::Hello{.streams_max = 4});
    if (!first.hear_a<wire::Put>().has_value()) return;
    first.say(wire::Get{1, "", false, kOpenEntriesMax});
    first.say(wire::Get{1, "", false, kOpenEntriesMax});
    first.wait_for_end();
  });
  const auto shares = Shares::open({(directory / "source").string()});
  ASSERT_TRUE(shares.has_value());
  Victim victim(host.address(), {.gives = &*shares});
  const auto result = victim.put({.name = "source"});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kProtocol);
}

TEST(Incoming, ShowsNothing) {
  const Box box;
  HonestHost host({box.share()}, kIncoming);
  for (const wire::Message& asking : {wire::Message(wire::Get{1, "", false, kOpenEntriesMax}),
                                      wire::Message(wire::List{1, "", true, kOpenEntriesMax})}) {
    const auto peer = host.join();
    peer->say(wire::Hello{.streams_max = 4});
    peer->say(asking);
    const auto refused = peer->hear_a<wire::Refused>();
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->code, wire::FailureCode::kNotAllowed);
    peer->hang_up();
    static_cast<void>(host.next_ending());
  }
  for (const wire::Put& more : {wire::Put{.overwrite = true}, wire::Put{.leaves = Leaves::kAll},
                                wire::Put{.leaves = Leaves::kNewer}, wire::Put{.checksum = true},
                                wire::Put{.may_delete = true}, wire::Put{.dry_run = true},
                                wire::Put{.keeps = {.archive = true}}}) {
    const auto answers = put_a_file(host, more);
    ASSERT_TRUE(answers.refused.has_value());
    EXPECT_EQ(answers.refused->code, wire::FailureCode::kNotAllowed);
  }
}

TEST(Incoming, TakesWhatIsNewAndReplacesNothing) {
  const Box box;
  HonestHost host({box.share()}, kIncoming);
  EXPECT_TRUE(put_a_file(host, {.path = "dest/x"}).is_taken);
  EXPECT_EQ(box.arrived().at("x"), "x");
  const auto again = put_a_file(host, {.path = "good"});
  EXPECT_TRUE(again.is_taken);
  EXPECT_EQ(again.failed,
            (std::map<std::string, wire::FailureCode>{{"good", wire::FailureCode::kExists}}));
}

}  // namespace
}  // namespace wormhole::transfer::testing
