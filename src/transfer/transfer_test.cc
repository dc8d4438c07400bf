// Client and Host over loopback, in one process: what the parts do together.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/content_testing.h"
#include "base/limits.h"
#include "base/noise_testing.h"
#include "platform/test_directory.h"
#include "session/listener_testing.h"
#include "transfer/client.h"
#include "transfer/host.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;
using wormhole::testing::noise;

const store::UserSecret kHostSecret{store::Hash{std::byte{1}}};

// A host as the share command builds it.
class Sharing final : public session::ListenerEvents, public HostEvents {
 public:
  explicit Sharing(const std::vector<std::string>& paths, const HostOptions& options = {},
                   const store::UserSecret& secret = kHostSecret)
      : shares_(Shares::open(paths)),
        codes_(session::testing::code_of(session::testing::kCodeText), random_, clock_),
        host_(std::in_place, shares_.value(), pool_, clock_, secret, options, *this,
              [this](const session::SessionId& id) { listener_->forget(id); }) {
    auto socket = platform::ListenSocket::open("127.0.0.1", 0);
    EXPECT_TRUE(socket.has_value());
    address_ = socket->local();
    listener_.emplace(std::move(*socket), codes_, *this, clock_, random_);
    thread_ = std::thread([this] { EXPECT_TRUE(listener_->run().has_value()); });
  }
  ~Sharing() override {
    listener_->stop();
    thread_.join();
    host_.reset();
  }

  void on_session(std::unique_ptr<session::Connection> first) override {
    host_->on_session(std::move(first));
  }
  void on_stream(std::unique_ptr<session::Connection> stream) override {
    host_->on_stream(std::move(stream));
  }
  void on_wrong_code(const platform::Address& /*from*/, unsigned /*left*/) override {}
  void on_code_retired(const session::JoinCode* /*next*/) override {}
  void on_client(const platform::Address& /*peer*/) override {}
  void on_client_gone(const HostSession::Status& last, const Result<void>& ended) override {
    EXPECT_TRUE(gone.try_push({last, ended}));
  }
  void on_client_refused(const platform::Address& /*peer*/) override {}

  [[nodiscard]] const platform::Address& address() const { return address_; }
  [[nodiscard]] Host& host() { return *host_; }
  BoundedQueue<std::pair<HostSession::Status, Result<void>>> gone{2 * kSessionsServedMax};

 private:
  const SystemClock clock_;
  session::testing::SeededRandom random_{11};
  Result<Shares> shares_;
  BlockPool pool_;
  session::CodeBook codes_;
  platform::Address address_;
  std::optional<session::Listener> listener_;
  std::optional<Host> host_;
  std::thread thread_;
};

class Events final : public TakerEvents {
 public:
  void on_failed(const std::string& path, const Error& error) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_TRUE(failed.emplace(path, error.code).second) << path;
  }
  void on_file(const std::string& path) override {
    if (on_each) on_each(path);
  }
  std::function<void(const std::string&)> on_each;  // set before the transfer
  std::map<std::string, Code> failed;

 private:
  std::mutex mutex_;
};

// A client as the get command builds it.
struct Joined {
  explicit Joined(const Sharing& sharing, ClientOptions options = {})
      : client(clock, random, pool, options) {
    const auto connected =
        client.connect({sharing.address()}, session::testing::code_of(session::testing::kCodeText));
    EXPECT_TRUE(connected.has_value()) << to_sentence(connected.error());
  }
  Result<void> get(const std::string& path, const std::string& destination, bool may_have,
                   bool overwrite = false) {
    TakeOptions options;
    options.destination.path = destination;
    options.may_have = may_have;
    options.overwrite = overwrite;
    counters.emplace();
    return client.get(path, options, events, *counters);
  }

  const SystemClock clock;
  session::testing::SeededRandom random{12};
  BlockPool pool;
  Events events;
  std::optional<TakenCounters> counters;
  Client client;
};

// Path -> what stands there, with mode and time: equal maps are equal trees.
std::map<std::string, std::string> tree_of(const fs::path& root) {
  std::map<std::string, std::string> tree;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto parent = platform::Directory::open_path(entry.path().parent_path());
    const auto status = parent->status_of(entry.path().filename().string()).value();
    std::string what = std::to_string(status.modified.seconds) + "." +
                       std::to_string(status.modified.nanoseconds) + " ";
    if (entry.is_symlink()) {
      what += "-> " + fs::read_symlink(entry.path()).string();
    } else {
      what += std::to_string(status.mode) + " ";
      if (entry.is_regular_file()) {
        const std::string content = wormhole::testing::content_of(entry.path());
        what += std::to_string(content.size()) + " " +
                std::to_string(std::hash<std::string>()(content));
      }
    }
    tree[fs::relative(entry.path(), root).string()] = what;
  }
  return tree;
}

void make_sparse(const fs::path& path, std::uint64_t size) {
  std::ofstream(path, std::ios::binary) << "start";
  fs::resize_file(path, size);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size / 2));
  file << "middle";
}

// Every size at which the path through the code changes, and every kind of entry.
void make_mixed_tree(const TestDirectory& there) {
  fs::create_directories(there / "src/sub/deep/deeper");
  fs::create_directories(there / "src/empty/also empty");
  const std::size_t sizes[] = {0,
                               1,
                               kPackedFileMaxBytes - 1,
                               kPackedFileMaxBytes,
                               kPackedFileMaxBytes + 1,
                               kBlockBytes - 1,
                               kBlockBytes,
                               kBlockBytes + 1,
                               5 * kBlockBytes + 77};
  for (const std::size_t size : sizes) {
    there.write("src/size " + std::to_string(size), noise(size, size));
  }
  for (int i = 0; i < 300; ++i) {
    there.write("src/sub/small" + std::to_string(i), noise(static_cast<std::size_t>(i * 31), i));
  }
  there.write("src/sub/deep/\xff\x01 not utf8", "bytes");
  make_sparse(there / "src/sub/sparse", 3 * kSegmentBytes / 2);
  make_sparse(there / "src/sub/small sparse", 64 * kKiB);
  fs::resize_file(there / "src/sub/small0", 1 << 20);  // nothing but a hole
  fs::create_symlink("../nowhere", there / "src/sub/dangling");
  fs::create_symlink("deep", there / "src/sub/to directory");
  fs::permissions(there / "src/size 1", fs::perms(0751));
  fs::permissions(there / "src/sub/deep", fs::perms(0555));
}

class TransferTest : public ::testing::TestWithParam<unsigned> {
 protected:
  TransferTest() { make_mixed_tree(there_); }
  ~TransferTest() override {
    for (const char* tree : {"src", "dest"}) {
      std::error_code none;
      fs::permissions(there_ / (std::string(tree) + "/sub/deep"), fs::perms(0755), none);
    }
  }
  const TestDirectory there_;
};

TEST_P(TransferTest, AMixedTreeArrivesAndASecondGetSkipsAll) {
  Sharing sharing({there_ / "src"});
  Joined joined(sharing, {.streams = GetParam()});
  const auto first = joined.get("", there_ / "dest", false);
  ASSERT_TRUE(first.has_value()) << to_sentence(first.error());
  EXPECT_TRUE(joined.events.failed.empty());
  EXPECT_EQ(tree_of(there_ / "dest"), tree_of(there_ / "src"));
  EXPECT_EQ(joined.counters->files, 9U + 300 + 1 + 2);
  EXPECT_EQ(joined.counters->directories, 6U);
  EXPECT_EQ(joined.counters->links, 2U);
  EXPECT_EQ(joined.counters->failed, 0U);
  EXPECT_TRUE(joined.client.first_byte().has_value());
  EXPECT_LT(
      platform::Directory::open_path(there_ / "dest/sub")->status_of("sparse")->allocated_bytes,
      kSegmentBytes);

  const std::uint64_t wire_before = joined.client.wire_bytes();
  const auto second = joined.get("", there_ / "dest", true);
  ASSERT_TRUE(second.has_value()) << to_sentence(second.error());
  EXPECT_EQ(joined.counters->files, 0U);
  EXPECT_EQ(joined.counters->skipped_files, 312U);
  EXPECT_EQ(joined.counters->bytes, 0U);
  EXPECT_LT(joined.client.wire_bytes() - wire_before, 256 * kKiB);
  EXPECT_EQ(tree_of(there_ / "dest"), tree_of(there_ / "src"));

  joined.client.close();
  const auto gone = sharing.gone.pop();
  ASSERT_TRUE(gone.has_value());
  EXPECT_TRUE(gone->second.has_value()) << "the client said goodbye";
  EXPECT_EQ(gone->first.files, 312U - 1) << "the empty one has no data";
}

TEST_P(TransferTest, WithMayHaveOnlyWhatIsMissingComes) {
  Sharing sharing({there_ / "src"});
  fs::create_directories(there_ / "dest");
  fs::copy_file(there_ / "src/size 1", there_ / "dest/size 1");  // another time: differs
  Joined joined(sharing, {.streams = GetParam()});
  ASSERT_TRUE(joined.get("", there_ / "dest", true).has_value());
  EXPECT_EQ(joined.counters->files, 311U);
  EXPECT_EQ(joined.events.failed, (std::map<std::string, Code>{{"size 1", Code::kExists}}));
  joined.events.failed.clear();
  ASSERT_TRUE(joined.get("", there_ / "dest", true, /*overwrite=*/true).has_value());
  EXPECT_EQ(joined.counters->files, 1U);
  EXPECT_EQ(joined.counters->skipped_files, 311U);
  EXPECT_EQ(tree_of(there_ / "dest"), tree_of(there_ / "src"));
}

INSTANTIATE_TEST_SUITE_P(FurtherStreams, TransferTest, ::testing::Values(0U, 2U, 4U),
                         [](const auto& parameter) { return std::to_string(parameter.param); });

class TransferOneTest : public ::testing::Test {
 protected:
  const TestDirectory there_;
};

TEST_F(TransferOneTest, SeveralSegmentsOverSeveralStreams) {
  fs::create_directories(there_ / "src");
  // Sparse, so that it is quick, but with data in every segment and over their edges.
  there_.write("src/large", "");
  fs::resize_file(there_ / "src/large", 4 * kSegmentBytes + 12345);
  {
    std::fstream file(there_ / "src/large", std::ios::in | std::ios::out | std::ios::binary);
    for (int i = 0; i < 5; ++i) {
      file.seekp(static_cast<std::streamoff>(i * kSegmentBytes) - (i == 0 ? 0 : 300'000));
      file << noise(900'001, static_cast<std::uint64_t>(i));
    }
  }
  there_.write("src/dense", noise(2 * kSegmentBytes + 1, 99));
  Sharing sharing({there_ / "src"});
  Joined joined(sharing, {.streams = 3});
  ASSERT_TRUE(joined.get("", there_ / "dest", false).has_value());
  EXPECT_TRUE(joined.events.failed.empty());
  EXPECT_EQ(tree_of(there_ / "dest"), tree_of(there_ / "src"));
}

TEST_F(TransferOneTest, UnencryptedOnlyWhereBothAskForIt) {
  fs::create_directories(there_ / "src");
  there_.write("src/f", noise(3 * kBlockBytes + 5, 1));
  there_.write("src/small", "small");
  for (const bool host : {false, true}) {
    for (const bool client : {false, true}) {
      Sharing sharing({there_ / "src"}, {.allow_plain = host});
      Joined joined(sharing, {.streams = 1, .unencrypted = client});
      ASSERT_TRUE(joined.get("", there_ / "dest", false).has_value());
      EXPECT_EQ(joined.client.is_plain(), host && client);
      EXPECT_EQ(tree_of(there_ / "dest"), tree_of(there_ / "src"));
      fs::remove_all(there_ / "dest");
    }
  }
}

TEST_F(TransferOneTest, PartsAndSingleFilesAndSeveralShares) {
  fs::create_directories(there_ / "src/a/b");
  there_.write("src/a/b/f", "ff");
  there_.write("single", "ss");
  Sharing sharing({there_ / "src", there_ / "single"});
  Joined joined(sharing);
  ASSERT_TRUE(joined.get("", there_ / "all", false).has_value());
  EXPECT_EQ(there_.read("all/src/a/b/f"), "ff");
  EXPECT_EQ(there_.read("all/single"), "ss");
  ASSERT_TRUE(joined.get("src/a/", there_ / "part", false).has_value());
  EXPECT_EQ(there_.read("part/b/f"), "ff");
  ASSERT_TRUE(joined.get("src/a/b/f", there_ / "renamed", false).has_value());
  EXPECT_EQ(there_.read("renamed"), "ff");
  ASSERT_TRUE(joined.get("single", there_ / "into/", false).has_value());
  EXPECT_EQ(there_.read("into/single"), "ss");
}

TEST_F(TransferOneTest, WhatIsNotThereRefusesTheRequestNotTheSession) {
  fs::create_directories(there_ / "src");
  there_.write("src/f", "f");
  Sharing sharing({there_ / "src"});
  {
    Joined joined(sharing);
    const auto missing = joined.get("missing", there_ / "dest", false);
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, Code::kNotFound);
    const auto outside = Joined(sharing).get("../..", there_ / "dest", false);
    ASSERT_FALSE(outside.has_value());
    EXPECT_EQ(outside.error().code, Code::kUnsafeName);
    EXPECT_FALSE(fs::exists(there_ / "dest"));
  }
  Joined joined(sharing);
  EXPECT_TRUE(joined.get("f", there_ / "dest", false).has_value());
}

// A large file is announced at once, its data comes later: it changes when the first of it has.
TEST_F(TransferOneTest, AFileThatChangesWhileItIsGivenIsReportedAndNotPutInPlace) {
  fs::create_directories(there_ / "src");
  there_.write("src/changes", noise(kSegmentBytes, 3));
  there_.write("src/stays", noise(3 * kBlockBytes, 4));
  there_.write("src/small", "small");
  for (const unsigned streams : {0U, 2U}) {
    const std::uint64_t announced = fs::file_size(there_ / "src/changes");
    Sharing sharing({there_ / "src"});
    Joined joined(sharing, {.streams = streams});
    joined.events.on_each = [&](const std::string& path) {
      if (path != "changes") return;
      std::ofstream(there_ / "src/changes", std::ios::app) << "more";
    };
    const auto got = joined.get("", there_ / "dest", false);
    ASSERT_TRUE(got.has_value()) << to_sentence(got.error());
    // The giver may have read all of it before the change: then it arrives as announced.
    if (joined.counters->failed == 0) {
      EXPECT_EQ(fs::file_size(there_ / "dest/changes"), announced);
    } else {
      EXPECT_EQ(joined.events.failed, (std::map<std::string, Code>{{"changes", Code::kChanged}}));
      EXPECT_FALSE(fs::exists(there_ / "dest/changes"));
    }
    EXPECT_EQ(there_.read("dest/small"), "small");
    EXPECT_EQ(fs::file_size(there_ / "dest/stays"), 3 * kBlockBytes);
    for (const auto& entry : fs::directory_iterator(there_ / "dest")) {
      EXPECT_FALSE(entry.path().filename().string().starts_with(".wormhole-"));
    }
    fs::remove_all(there_ / "dest");
  }
}

TEST_F(TransferOneTest, CancellingLeavesNothingUnderAFinalNameAndEndsWithInterrupted) {
  fs::create_directories(there_ / "src");
  there_.write("src/large", noise(kSegmentBytes, 5));
  Sharing sharing({there_ / "src"});
  Joined joined(sharing, {.streams = 2});
  joined.events.on_each = [&](const std::string& /*path*/) { joined.client.cancel(); };
  const auto got = joined.get("", there_ / "dest", false);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kInterrupted);
  EXPECT_FALSE(fs::exists(there_ / "dest/large"));
  const auto after = joined.get("", there_ / "dest", false);
  ASSERT_FALSE(after.has_value());
  EXPECT_EQ(after.error().code, Code::kInterrupted);
}

TEST_F(TransferOneTest, WhatAnInterruptedRunLeftIsNotFetchedAgain) {
  fs::create_directories(there_ / "src");
  there_.write("src/large", noise(kSegmentBytes, 5));
  Sharing sharing({there_ / "src"});
  std::uint64_t kept = 0;
  {
    // Of a part of it, on purpose: where Ctrl-C comes is luck.
    Joined joined(sharing, {.streams = 2});
    joined.events.on_each = [&](const std::string& /*path*/) {
      while (joined.counters->bytes < kSegmentBytes / 2) std::this_thread::yield();
      joined.client.cancel();
    };
    const auto got = joined.get("", there_ / "dest", false);
    if (!got.has_value()) kept = joined.counters->kept_bytes;
  }
  Joined joined(sharing, {.streams = 2});
  ASSERT_TRUE(joined.get("", there_ / "dest", true).has_value());
  EXPECT_EQ(tree_of(there_ / "dest"), tree_of(there_ / "src"));
  if (kept == 0) return;  // all of it had come before it was cancelled
  EXPECT_GE(joined.counters->resumed_bytes, kSegmentBytes / 2 - 4 * kBlockBytes);
  EXPECT_EQ(joined.counters->resumed_bytes + joined.counters->bytes, kSegmentBytes);
}

TEST_F(TransferOneTest, AHostThatStopsIsALostSession) {
  fs::create_directories(there_ / "src");
  there_.write("src/large", noise(kSegmentBytes, 6));
  auto sharing = std::make_unique<Sharing>(std::vector<std::string>{there_ / "src"});
  Joined joined(*sharing, {.streams = 1});
  std::thread stopper;
  joined.events.on_each = [&](const std::string& /*path*/) {
    stopper = std::thread([&] { sharing.reset(); });
  };
  const auto got = joined.get("", there_ / "dest", false);
  stopper.join();
  // All of it may have been under way already.
  if (!got.has_value()) {
    EXPECT_EQ(got.error().code, Code::kLost);
    EXPECT_FALSE(fs::exists(there_ / "dest/large"));
  } else {
    EXPECT_EQ(fs::file_size(there_ / "dest/large"), kSegmentBytes);
  }
}

TEST_F(TransferOneTest, MoreEntriesThanTheCreditPassThrough) {
  constexpr std::uint64_t kFiles = kOpenEntriesMax + kOpenEntriesMax / 4;
  fs::create_directories(there_ / "src");
  for (std::uint64_t i = 0; i < kFiles; ++i) there_.write("src/" + std::to_string(i), "");
  there_.write("src/with data", "x");
  Sharing sharing({there_ / "src"});
  Joined joined(sharing);
  ASSERT_TRUE(joined.get("", there_ / "dest", false).has_value());
  EXPECT_EQ(joined.counters->files, kFiles + 1);
  ASSERT_TRUE(joined.get("", there_ / "dest", true).has_value());
  EXPECT_EQ(joined.counters->skipped_files, kFiles + 1);
}

std::set<std::string> listed(Client& client, const std::string& path, bool recursive,
                             Result<void>* result = nullptr) {
  std::set<std::string> paths;
  const auto done = client.list(
      path, recursive, /*selection=*/{},
      [&](const Listing& listing) {
        EXPECT_TRUE(paths.insert(listing.path).second);
        return Result<void>();
      },
      [&](const Error& error) { ADD_FAILURE() << to_sentence(error); });
  if (result != nullptr) {
    *result = done;
  } else {
    EXPECT_TRUE(done.has_value());
  }
  return paths;
}

TEST_F(TransferOneTest, Lists) {
  fs::create_directories(there_ / "src/d/e");
  there_.write("src/f", "12345");
  there_.write("src/d/g", "");
  fs::create_symlink("f", there_ / "src/l");
  Sharing sharing({there_ / "src"});
  Joined joined(sharing);
  using Paths = std::set<std::string>;
  EXPECT_EQ(listed(joined.client, "", false), (Paths{"", "d", "f", "l"}));
  EXPECT_EQ(listed(joined.client, "", true), (Paths{"", "d", "d/e", "d/g", "f", "l"}));
  EXPECT_EQ(listed(joined.client, "d", false), (Paths{"", "e", "g"}));
  EXPECT_EQ(listed(joined.client, "f", true), Paths{""});
  Result<void> missing;
  EXPECT_TRUE(listed(joined.client, "missing", true, &missing).empty());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  ASSERT_TRUE(joined.get("", there_ / "dest", false).has_value()) << "and the session stands";
}

// A session is not used up by its requests (the host keeps at most kRequestsMax that stand).
TEST_F(TransferOneTest, ManyRequestsOneAfterAnother) {
  fs::create_directories(there_ / "src");
  there_.write("src/f", "f");
  Sharing sharing({there_ / "src"});
  Joined joined(sharing);
  for (std::size_t i = 0; i < 2 * kRequestsMax; ++i) {
    EXPECT_EQ(listed(joined.client, "", true).size(), 2U) << i;
    Result<void> missing;
    listed(joined.client, "missing", true, &missing);
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, Code::kNotFound) << i;
  }
  ASSERT_TRUE(joined.get("", there_ / "dest", false).has_value());
}

TEST(Transfer, SixtyFourClientsAreServedAtOnceAndNoMore) {
  const TestDirectory source;
  source.write("large", noise(5 * kMiB, 1));  // worth further streams
  source.write("small", "here");
  Sharing sharing({source.path().string()});
  std::vector<std::unique_ptr<Joined>> clients(kSessionsServedMax);
  {
    std::vector<std::jthread> joining;  // all of one address, in the same instant
    for (auto& client : clients) {
      joining.emplace_back(
          [&] { client = std::make_unique<Joined>(sharing, ClientOptions{.streams = 2}); });
    }
  }
  const TestDirectory destination;
  {
    Joined surplus(sharing);
    EXPECT_FALSE(surplus.get("", destination / "surplus", false).has_value());
  }
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto result = clients[i]->get("", destination / std::to_string(i), false);
      EXPECT_TRUE(result.has_value()) << to_sentence(result.error());
    });
  }
  threads.clear();
  const auto expected = tree_of(source.path());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(tree_of(destination / std::to_string(i)) == expected, true) << i;
    clients[i]->client.close();
  }
}

}  // namespace
}  // namespace wormhole::transfer
