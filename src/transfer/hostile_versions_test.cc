// A host that repeats what another host called a file: what it gives must never pass for that
// file, neither from the index nor in a partial.

#include "base/limits.h"
#include "base/noise_testing.h"
#include "session/host_identity.h"
#include "store/index.h"
#include "transfer/hostile_attacks.h"
#include "transfer/hostile_fixture.h"

namespace wormhole::transfer::testing {
namespace {

constexpr std::size_t kSize = kReusableMinBytes + 12'345;
const store::UserSecret kVictimSecret{store::Hash{std::byte{2}}};

std::string noise(std::uint64_t seed) { return wormhole::testing::noise(kSize, seed); }

class HostileVersions : public ::testing::Test {
 protected:
  HostileVersions() {
    directory_.write("film", film_);
    index_ = store::Index::open(directory_.path() / "index.db").value();
  }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() / name; }

  // As the command fetches with an index: how many bytes need not come.
  Result<std::uint64_t> get(const platform::Address& address, const std::string& destination) {
    Victim victim(address, {.streams = 1, .secret = kVictimSecret});
    TakenCounters counters;
    Failures failures;
    TakeOptions options{.destination = {path(destination)}};
    options.may_have = true;
    options.index = index_.get();
    WH_TRY(victim.client().get("", std::move(options), failures, counters));
    EXPECT_TRUE(failures.all().empty());
    static_cast<void>(index_->summary());  // what was added is in it by then
    return counters.reused_bytes.load();
  }

  // What the honest host says of its file to whoever fetches, and to this session its proof.
  struct Overheard {
    wire::HostProof proof;
    wire::Entry film;
  };
  static Overheard overhear(HonestHost& host) {
    const auto peer = host.join();
    peer->say(wire::Hello{});
    Overheard heard;
    heard.proof = peer->hear_a<wire::Hello>()->proof.value();
    peer->say(wire::Get{1, "", /*may_have=*/true, kOpenEntriesMax});
    while (heard.film.type != wire::EntryType::kRegular || heard.film.name != "film") {
      heard.film = peer->hear_a<wire::Entries>()->entries.back();
    }
    return heard;
  }

  using Prove = std::function<std::optional<wire::HostProof>(const session::SessionId&)>;
  // Announces the other's file with the other's word, and gives bytes of its own.
  EvilHost::Script repeat(const wire::Entry& film, Prove prove) {
    return [this, film, prove = std::move(prove)](EvilHost& host, Peer& first) {
      const auto proof = prove(first.connection().session_id);
      answer(
          [&](Talk& talk) {
            talk.entries(0, {film});
            give_forged(talk);
            talk.listed(1);
          },
          {.streams_max = 4, .proof = proof})(host, first);
    };
  }

  const std::string film_ = noise(1);
  const std::string forged_ = noise(2);
  platform::TestDirectory directory_;
  std::unique_ptr<store::Index> index_;

 private:
  void give_forged(Talk& talk) const {
    // Wanted whole, or in ranges, where what is here might be of use.
    for (std::size_t at = 0; at < kSize; at += kBlockBytes) {
      const std::string piece = forged_.substr(at, kBlockBytes);
      if (at == 0) {
        talk.give(0, piece);
      } else {
        talk.first.data(talk.request, 0, at, piece);
      }
    }
  }
};

TEST_F(HostileVersions, TheHostsOwnWordIsRecognisedAfterItStartedAnew) {
  HonestHost first({path("film")});
  EXPECT_EQ(get(first.address(), "one").value(), 0U);
  HonestHost second({path("film")});
  EXPECT_EQ(get(second.address(), "two").value(), kSize);
  EXPECT_TRUE(directory_.read("two") == film_);  // not to be printed
}

TEST_F(HostileVersions, AnothersBytesUnderTheHostsWordAreNotItsFile) {
  HonestHost host({path("film")});
  const Overheard heard = overhear(host);
  ASSERT_NE(heard.film.version, 0U);
  const session::HostIdentity own(store::Hash{std::byte{9}});
  for (const bool proves_itself : {true, false}) {
    const std::string name = proves_itself ? "proven" : "unproven";
    EvilHost evil(repeat(heard.film, [&](const session::SessionId& session) {
      return proves_itself ? std::optional(own.prove(session, session::Role::kHost)) : std::nullopt;
    }));
    ASSERT_TRUE(get(evil.address(), name).has_value());
    ASSERT_TRUE(directory_.read(name) == forged_);
    ASSERT_TRUE(get(host.address(), name + "-after").has_value());
    EXPECT_TRUE(directory_.read(name + "-after") == film_) << name;
    index_->clear().value();
  }
}

// What a power cut leaves: size and times are on disk, the bytes are not.
TEST_F(HostileVersions, WhatWasWrittenOnAnEarlierMountIsComparedBeforeItIsBelieved) {
  HonestHost host({path("film")});
  ASSERT_TRUE(get(host.address(), "one").has_value());
  for (const bool is_of_this_mount : {true, false}) {
    directory_.write("one", std::string(kSize, '\0'));
    const auto status = directory_.open().status_of("one").value();
    store::Place place = index_->all().value().at(0);
    EXPECT_EQ(place.mount, directory_.open().mount_id());
    place.inode = status.inode;
    place.modified = status.modified;
    place.changed = status.changed;
    if (!is_of_this_mount) ++place.mount;
    index_->clear().value();
    index_->add(place);
    static_cast<void>(index_->summary());
    const std::string name = is_of_this_mount ? "believed" : "compared";
    ASSERT_TRUE(get(host.address(), name).has_value());
    EXPECT_EQ(directory_.read(name) == film_, !is_of_this_mount);
  }
}

TEST_F(HostileVersions, AProofOfAnotherSessionEndsThisOne) {
  HonestHost host({path("film")});
  const Overheard heard = overhear(host);
  EvilHost evil(repeat(heard.film, [&](const session::SessionId&) { return heard.proof; }));
  const auto got = get(evil.address(), "replayed");
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kProtocol);
  EXPECT_FALSE(std::filesystem::exists(path("replayed")));
}

}  // namespace
}  // namespace wormhole::transfer::testing
