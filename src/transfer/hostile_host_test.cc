// A real client against hostile hosts: the whole table of attacks, and what takes more than one
// request.
#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "session/host_identity.h"
#include "store/hash.h"
#include "transfer/hostile_attacks.h"
#include "transfer/hostile_fixture.h"

namespace wormhole::transfer::testing {
namespace {

namespace fs = std::filesystem;

class Box {
 public:
  Box() {
    fs::create_directory(box_ / "share");
    box_.write("share/good", "good");
    before_ = others();
  }
  ~Box() { EXPECT_EQ(others(), before_) << "something escaped"; }

  [[nodiscard]] std::string destination() const { return (box_ / "dest").string(); }
  [[nodiscard]] std::string share() const { return (box_ / "share").string(); }
  [[nodiscard]] std::map<std::string, std::string> arrived() const {
    return tree_of(destination());
  }
  void write(const std::string& name, std::string_view content) const { box_.write(name, content); }
  [[nodiscard]] const platform::TestDirectory& directory() const { return box_; }
  void have_destination() const {
    fs::create_directory(destination());
    box_.write("dest/precious", "mine");
  }

 private:
  [[nodiscard]] std::map<std::string, std::string> others() const {
    auto all = tree_of(box_.path());
    std::erase_if(all, [](const auto& item) {
      return item.first == "dest" || item.first.starts_with("dest/");
    });
    for (auto& [name, content] : tree_of(outside())) all.emplace("outside: " + name, content);
    return all;
  }

  platform::TestDirectory box_;
  std::map<std::string, std::string> before_;
};

// The same process serves the user's next command.
void expect_good_get(const Box& box) {
  HonestHost host({box.share()});
  Victim next(host.address());
  const std::string destination = box.destination() + "/next";
  fs::create_directories(destination);
  EXPECT_TRUE(next.get(destination).has_value());
  EXPECT_EQ(tree_of(destination), (std::map<std::string, std::string>{{"good", "good"}}));
  next.client().close();
  EXPECT_TRUE(host.next_ending().has_value());
}

const std::vector<Attack>& table() {
  static const std::vector<Attack> all = all_attacks(outside());
  return all;
}

const Attack& attack_of_name(const std::string& name) {
  const auto found = std::ranges::find(table(), name, &Attack::name);
  WH_CHECK(found != table().end());
  return *found;
}

void expect_ending(const Attack& attack, const Result<void>& result) {
  if (!attack.ends.has_value()) {
    EXPECT_TRUE(result.has_value()) << to_sentence(result.error());
    return;
  }
  ASSERT_FALSE(result.has_value());
  const Error& error = result.error();
  EXPECT_EQ(code_name(error.code), code_name(*attack.ends)) << to_sentence(error);
  if (!attack.names.empty()) {
    EXPECT_EQ(error.object, attack.names) << to_sentence(error);
  }
  EXPECT_NE(error.detail.find(attack.says), std::string::npos) << to_sentence(error);
}

class HostileHost : public ::testing::TestWithParam<std::string> {
 protected:
  static void play(bool destination_is_there) {
    const Box box;
    const Attack& attack = attack_of_name(GetParam());
    std::map<std::string, std::string> expected = attack.arrives;
    if (destination_is_there) {
      box.have_destination();
      expected["precious"] = "mine";
    }
    {
      EvilHost host(attack.script);
      Victim victim(host.address(), {.streams = 2,
                                     .unencrypted = attack.victim_is_plain,
                                     .compression = attack.victim_expands});
      const wire::Keeps keeps{.archive = attack.victim_archives};
      expect_ending(
          attack, attack.on_list ? victim.list() : victim.get(box.destination(), "", false, keeps));
      victim.client().close();
      EXPECT_EQ(victim.failed(), attack.fails);
    }
    EXPECT_EQ(box.arrived(), expected);
    expect_good_get(box);
  }
};

TEST_P(HostileHost, IsSurvived) { play(false); }
TEST_P(HostileHost, IsSurvivedInADirectoryThatIsThere) { play(true); }

std::vector<std::string> names_of_all() {
  std::vector<std::string> names;
  for (const Attack& attack : table()) names.push_back(attack.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, HostileHost, ::testing::ValuesIn(names_of_all()),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::ranges::replace(text, '-', '_');
                           return text;
                         });

// --- what was asked for ------------------------------------------------------------------------

EvilHost::Script single_file(const std::string& name) {
  return answer([name](Talk& talk) {
    talk.entries(0, {file(wire::kNoEntry, name, 6)});
    talk.first.data(talk.request, 0, 0, "attack");
    talk.listed(1);
  });
}

TEST(HostileRoot, AnotherFileThanTheOneAskedForIsRefused) {
  const Box box;
  box.have_destination();
  EvilHost host(single_file("precious"));
  Victim victim(host.address());
  const auto got = victim.get(box.destination(), "some/harmless", /*overwrite=*/true);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kProtocol);
  EXPECT_EQ(got.error().object, "precious");
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"precious", "mine"}}));
}

// No host says what its cipher did not seal: that was the network, and another connection may do
// better.
void expect_kept_after(const std::function<ByteVector(ByteVector)>& alter) {
  const Box box;
  const session::HostIdentity identity(store::Hash{std::byte{9}});
  const std::string piece(kBlockBytes, 'p');
  EvilHost host([&](EvilHost& self, Peer& first) {
    answer(
        [&](Talk& talk) {
          wire::Entry film = file(wire::kNoEntry, "film", 2 * kResumableMinBytes);
          film.version = 5;
          talk.entries(0, {film});
          for (std::uint64_t at = 0; at < kResumableMinBytes; at += piece.size()) {
            talk.first.data(talk.request, 0, at, piece);
          }
          first.raw(alter(ByteVector(first.last_frame())));
        },
        {.streams_max = 4,
         .proof = identity.prove(first.connection().session_id, session::Role::kHost)})(self,
                                                                                        first);
  });
  Victim victim(host.address(), {.secret = store::UserSecret(store::Hash{})});
  const auto got = victim.get(box.destination() + "/");
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kLost);
  EXPECT_EQ(victim.counters().kept_bytes, kResumableMinBytes);
  const auto partial = fs::path(box.destination()) / store::partial_name("film");
  EXPECT_GT(fs::file_size(partial), 2 * kResumableMinBytes) << "its journal stands behind it";
}

TEST(HostileNetwork, AnAlteredFrameEndsTheConnectionAndKeepsWhatCame) {
  expect_kept_after([](ByteVector frame) { return frame; });  // a second time
  // A type, a flag, a length and an offset that cannot be: nothing vouches for a header as it
  // comes.
  for (const std::size_t byte : {4U, 5U, 6U, 2U, 31U}) {
    SCOPED_TRACE(byte);
    expect_kept_after([&](ByteVector frame) {
      frame[byte] ^= std::byte{0x80};
      return frame;
    });
  }
}

TEST(HostileRoot, ManyThingsForTheOneAskedForAreRefused) {
  const Box box;
  box.have_destination();
  EvilHost host(answer([](Talk& talk) {
    talk.entries(0, {directory(wire::kNoEntry, ""), file(0, "precious", 6), end_of(0)});
    talk.first.data(talk.request, 1, 0, "attack");
    talk.listed(3);
  }));
  Victim victim(host.address());
  const auto got = victim.get(box.destination(), "harmless", /*overwrite=*/true);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kProtocol);
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"precious", "mine"}}));
}

TEST(HostileRoot, TheOneAskedForIsTakenHoweverItWasWritten) {
  for (const std::string path : {"f", "a/f", "/a//f/", "a/./f/."}) {
    const Box box;
    EvilHost host(single_file("f"));
    Victim victim(host.address());
    const auto got = victim.get(box.destination() + "/", path);
    EXPECT_TRUE(got.has_value()) << path << ": " << to_sentence(got.error());
    EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"f", "attack"}}));
  }
}

TEST(HostileRoot, OverwritingReachesOnlyWhatWasAnnounced) {
  const Box box;
  box.have_destination();
  box.write("dest/ok", "old");
  // Of an earlier day: what is as new as the transfer itself is never replaced.
  const auto written = fs::last_write_time(box.destination() + "/ok");
  while (fs::file_time_type::clock::now() - written < std::chrono::milliseconds(50)) {
    std::this_thread::yield();
  }
  EvilHost host(answer([](Talk& talk) {
    talk.begin_well();
    talk.end_well(2);
  }));
  Victim victim(host.address());
  EXPECT_TRUE(victim.get(box.destination(), "", /*overwrite=*/true).has_value());
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"ok", std::string(kOkContent)},
                                                               {"precious", "mine"}}));
}

TEST(HostileRoot, APartialsNameIsNoFilesName) {
  const Box box;
  box.have_destination();
  const std::string partial = store::partial_name("precious");
  EvilHost host(single_file(partial));
  Victim victim(host.address());
  const auto got = victim.get(box.destination());
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kUnsafeName);
  EXPECT_EQ(got.error().object, partial);
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"precious", "mine"}}));
}

TEST(HostileRoot, DataOfAFileThatIsKeptIsRefused) {
  const Box box;
  box.have_destination();
  EvilHost host(answer([](Talk& talk) {
    talk.entries(0, {root_directory(), file(0, "precious", 6)});
    talk.first.data(talk.request, 1, 0, "attack");
  }));
  Victim victim(host.address());
  const auto got = victim.get(box.destination());
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kProtocol);
  EXPECT_EQ(victim.failed(), (std::map<std::string, Code>{{"precious", Code::kExists}}));
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"precious", "mine"}}));
}

TEST(HostileRoot, ALinkOfOneGetIsNotFollowedByTheNext) {
  for (const bool overwrite : {false, true}) {
    const Box box;
    EvilHost host([&](EvilHost& self, Peer& first) {
      answer([&](Talk& talk) {
        if (!fs::is_symlink(box.destination() + "/d")) {
          talk.begin_well();
          talk.entries(2, {link(0, "d", outside())});
          talk.end_well(3);
          return;
        }
        talk.entries(0, {root_directory(), directory(0, "d"), file(1, "precious", 6),
                         file(1, "new", 6), end_of(1), end_of(0)});
        talk.listed(6);
      })(self, first);
    });
    {
      Victim victim(host.address());
      EXPECT_TRUE(victim.get(box.destination(), "", overwrite).has_value());
      EXPECT_EQ(victim.failed().size(), 0u);
    }
    Victim again(host.address());
    EXPECT_TRUE(again.get(box.destination(), "", overwrite).has_value());
    EXPECT_EQ(again.failed().size(), 3u);  // "d" and both below it
    EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"ok", std::string(kOkContent)},
                                                                 {"d", "-> " + outside()}}));
  }
}

// An honest tree in which one directory cannot be made: what is below it fails, the rest arrives.
TEST(HostileRoot, AFileInADirectorysPlaceCostsOnlyWhatIsBelow) {
  const Box box;
  fs::create_directories(box.destination());
  box.write("dest/d", "a file");
  const platform::TestDirectory source;
  fs::create_directories(source / "d/e/deeper");
  source.write("d/e/deeper/f", "f");
  source.write("z", "z");
  HonestHost host({source.path().string()});
  Victim victim(host.address());
  const auto got = victim.get(box.destination());
  EXPECT_TRUE(got.has_value()) << to_sentence(got.error());
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"d", "a file"}, {"z", "z"}}));
  EXPECT_EQ(victim.failed().size(), 4u);
}

// --- modes, sizes, depth -----------------------------------------------------------------------

TEST(HostileModes, SetIdBitsAreDroppedTheRestIsKept) {
  const Box box;
  EvilHost host(answer([](Talk& talk) {
    wire::Entry set_id = file(0, "f", 1);
    set_id.mode = 07755;
    wire::Entry empty = file(0, "e", 0);
    empty.mode = 06711;
    talk.entries(0,
                 {root_directory(), set_id, empty, directory(0, "d", 07777), end_of(3), end_of(0)});
    talk.first.data(talk.request, 1, 0, "x");
    talk.listed(6);
  }));
  Victim victim(host.address());
  ASSERT_TRUE(victim.get(box.destination()).has_value());
  const auto mode = [&](const char* name) {
    return static_cast<unsigned>(fs::status(fs::path(box.destination()) / name).permissions());
  };
  EXPECT_EQ(mode("f"), 01755u);
  EXPECT_EQ(mode("e"), 0711u);
  EXPECT_EQ(mode("d"), 01777u);
}

TEST(HostileSizes, TheLargestFileIsOneHole) {
  const Box box;
  EvilHost host(answer([](Talk& talk) {
    talk.entries(0, {root_directory(), sparse(0, "f", kFileMaxBytes)});
    talk.first.hole(talk.request, 1, 0, kFileMaxBytes);
    talk.end_well(2);
  }));
  Victim victim(host.address());
  EXPECT_TRUE(victim.get(box.destination()).has_value());
  const fs::path path = fs::path(box.destination()) / "f";
  if (victim.failed().empty()) {
    EXPECT_EQ(fs::file_size(path), kFileMaxBytes);
  } else {  // a file system with a lower limit says so, and nothing stands there
    EXPECT_EQ(victim.failed(), (std::map<std::string, Code>{{"f", Code::kLocalIo}}));
    EXPECT_FALSE(fs::exists(path));
  }
  fs::remove(path);
}

TEST(HostileSizes, ATreeWithoutABottomIsRefused) {
  const Box box;
  EvilHost host(answer([](Talk& talk) {
    talk.entries(0, {root_directory()});
    std::uint64_t next = 1;
    while (next <= kDepthMax + wire::kEntriesPerMessageMax) {
      std::vector<wire::Entry> batch;
      for (std::size_t i = 0; i < 256; ++i) batch.push_back(directory(next - 1 + i, "d"));
      talk.entries(next, std::move(batch));
      next += 256;
    }
  }));
  const platform::TestDirectory deep;
  Victim victim(host.address());
  const auto got = victim.get((deep / "dest").string());
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kProtocol);
  EXPECT_NE(got.error().detail.find("deep"), std::string::npos) << to_sentence(got.error());
}

// --- unencrypted data --------------------------------------------------------------------------

constexpr wire::Hello kPlainHello{.streams_max = 4, .unencrypted = true};

// Stands between a victim and its host, and alters `marked` where it passes by in clear, so many
// times. What it looks for leaves by one send among little else, so it is never split.
class DamagingRelay {
 public:
  DamagingRelay(const platform::Address& host, std::string_view marked, int times)
      : marked_(marked),
        times_(times),
        listening_(platform::ListenSocket::open("127.0.0.1", 0).value()),
        near_([this, host] { run(host); }) {}
  ~DamagingRelay() {
    near_.join();
    EXPECT_EQ(times_, 0) << "what was to be damaged did not come";
  }
  DamagingRelay(const DamagingRelay&) = delete;
  DamagingRelay& operator=(const DamagingRelay&) = delete;

  [[nodiscard]] platform::Address address() const { return listening_.local(); }

 private:
  void run(const platform::Address& host) {
    std::optional<platform::Socket> victim;
    while (!victim) victim = std::move(listening_.accept()).value();
    victim->set_blocking(true);
    const platform::Socket onward =
        platform::Socket::connect({host},
                                  std::chrono::steady_clock::now() + std::chrono::minutes(5))
            .value();
    std::jthread back([&] { pass(*victim, onward, [](MutableBytes) {}); });
    pass(onward, *victim, [this](MutableBytes data) { damage(data); });
  }
  template <typename Altering>
  static void pass(const platform::Socket& from, const platform::Socket& to,
                   const Altering& alter) {
    ByteVector buffer(1 * kMiB);
    while (true) {
      const auto received = from.receive_some(buffer);
      if (!received.has_value() || *received == 0) break;
      const MutableBytes data = MutableBytes(buffer).first(*received);
      alter(data);
      if (!to.send_all(data).has_value()) break;
    }
    from.shut_down();
    to.shut_down();
  }
  void damage(MutableBytes data) {
    auto found = std::ranges::search(data, as_bytes(marked_));
    if (found.empty() || times_ == 0) return;
    found.front() ^= std::byte{1};
    --times_;
  }

  const std::string marked_;
  int times_;
  const platform::ListenSocket listening_;
  std::thread near_;
};

TEST(HostilePlain, ADamagedRangeIsAskedForOnceMore) {
  const Box box;
  std::optional<wire::Again> again;
  {
    EvilHost host(answer(
        [&](Talk& talk) {
          talk.begin_well();
          talk.entries(2, {file(0, "x", 10)});
          talk.first.plain(talk.request, 2, 0, "01234");
          talk.first.plain(talk.request, 2, 5, "56789");
          again = talk.first.hear_a<wire::Again>();
          talk.first.plain(talk.request, 2, 5, "56789");
          talk.end_well(3);
        },
        kPlainHello));
    DamagingRelay relay(host.address(), "56789", 1);
    Victim victim(relay.address(), {.streams = 0, .unencrypted = true});
    const auto got = victim.get(box.destination());
    EXPECT_TRUE(got.has_value()) << to_sentence(got.error());
    EXPECT_EQ(victim.failed().size(), 0u);
    EXPECT_TRUE(victim.client().is_plain());
    victim.client().close();
  }
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->file, 2u);
  EXPECT_EQ(again->offset, 5u);
  EXPECT_EQ(again->length, 5u);
  EXPECT_EQ(box.arrived(), (std::map<std::string, std::string>{{"ok", std::string(kOkContent)},
                                                               {"x", "0123456789"}}));
}

TEST(HostilePlain, ARangeThatIsDamagedTwiceCostsItsFileOnly) {
  const Box box;
  std::optional<wire::Failed> failed;
  {
    EvilHost host(answer(
        [&](Talk& talk) {
          talk.begin_well();
          talk.entries(2, {file(0, "x", 10), file(0, "y", 1)});
          talk.first.plain(talk.request, 2, 5, "56789");
          static_cast<void>(talk.first.hear_a<wire::Again>());
          talk.first.plain(talk.request, 2, 5, "56789");
          failed = talk.first.hear_a<wire::Failed>();
          // Late data of a file that was given up is no offence.
          talk.first.plain(talk.request, 2, 0, "01234");
          talk.first.data(talk.request, 3, 0, "y");
          talk.end_well(4);
        },
        kPlainHello));
    DamagingRelay relay(host.address(), "56789", 2);
    Victim victim(relay.address(), {.streams = 0, .unencrypted = true});
    const auto got = victim.get(box.destination());
    EXPECT_TRUE(got.has_value()) << to_sentence(got.error());
    EXPECT_EQ(victim.failed(), (std::map<std::string, Code>{{"x", Code::kChanged}}));
    victim.client().close();
  }
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->file, 2u);
  EXPECT_EQ(box.arrived(),
            (std::map<std::string, std::string>{{"ok", std::string(kOkContent)}, {"y", "y"}}));
}

TEST(HostilePlain, ADamagedRangeIsHeldAgainstTheSameRules) {
  const Box box;
  EvilHost host(answer(
      [&](Talk& talk) {
        talk.entries(0, {root_directory(), file(0, "x", 10)});
        talk.first.plain(talk.request, 1, 8, "56789");  // past the end
      },
      kPlainHello));
  DamagingRelay relay(host.address(), "56789", 1);
  Victim victim(relay.address(), {.streams = 0, .unencrypted = true});
  const auto got = victim.get(box.destination());
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kProtocol) << to_sentence(got.error());
  victim.client().close();
}

// --- one session, several requests -------------------------------------------------------------

TEST(HostileSession, LateWordsAboutAnEndedRequestDisturbNoOther) {
  const Box box;
  EvilHost host([](EvilHost& /*self*/, Peer& first) {
    if (!first.hear_a<wire::Hello>().has_value()) return;
    first.say(kPlainHello);
    std::uint32_t last = 0;
    while (const auto get = first.hear_a<wire::Get>()) {
      const std::uint32_t request = get->request;
      first.say(wire::Entries{
          request, 0, {root_directory(), file(0, "f" + std::to_string(request), 1), end_of(0)}});
      if (last != 0) {
        first.data(last, 1, 0, "z");
        first.plain(last, 1, 0, "z");
        first.say(wire::Failed{.request = last, .has_file = true, .file = 1});
      }
      first.data(request, 1, 0, "x");
      first.say(wire::Listed{request, 3});
      last = request;
    }
  });
  Victim victim(host.address(), {.streams = 0, .unencrypted = true});
  for (int i = 0; i < 3; ++i) {
    const auto got = victim.get(box.destination());
    ASSERT_TRUE(got.has_value()) << to_sentence(got.error());
  }
  EXPECT_EQ(box.arrived(),
            (std::map<std::string, std::string>{{"f1", "x"}, {"f2", "x"}, {"f3", "x"}}));
}

}  // namespace
}  // namespace wormhole::transfer::testing
