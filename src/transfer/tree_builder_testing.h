// A tree builder with what it is told and what it says: for its tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "platform/test_directory.h"
#include "transfer/tree_builder.h"

namespace wormhole::transfer {

class BuilderEvents final : public TakerEvents {
 public:
  void on_failed(const std::string& path, const Error& error) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_TRUE(failed.emplace(path, error.code).second) << path << " is reported twice";
  }
  void on_file(const std::string& path) override {
    const std::scoped_lock lock(mutex_);
    ++files[path];
  }
  std::map<std::string, Code> failed;
  std::map<std::string, int> files;

 private:
  std::mutex mutex_;
};

inline wire::Entry entry_of(wire::EntryType type, std::string name, std::uint64_t parent) {
  wire::Entry entry;
  entry.type = type;
  entry.name = std::move(name);
  entry.parent = parent;
  entry.mode = type == wire::EntryType::kDirectory ? 0755 : 0644;
  entry.mtime_seconds = 1'600'000'000;
  entry.mtime_nanoseconds = 123'456'789;
  return entry;
}
inline wire::Entry directory(std::string name, std::uint64_t parent, std::uint16_t mode = 0755) {
  wire::Entry entry = entry_of(wire::EntryType::kDirectory, std::move(name), parent);
  entry.mode = mode;
  return entry;
}
inline wire::Entry root() { return directory("root", wire::kNoEntry); }
inline wire::Entry file(std::string name, std::uint64_t parent, std::uint64_t size = 3) {
  wire::Entry entry = entry_of(wire::EntryType::kRegular, std::move(name), parent);
  entry.size = size;
  return entry;
}
inline wire::Entry link(std::string name, std::uint64_t parent, std::string target) {
  wire::Entry entry = entry_of(wire::EntryType::kSymlink, std::move(name), parent);
  entry.target = std::move(target);
  return entry;
}
inline wire::Entry end(std::uint64_t id) {
  wire::Entry entry;
  entry.type = wire::EntryType::kDirectoryEnd;
  entry.parent = id;
  return entry;
}

class TreeBuilderTest : public ::testing::Test {
 protected:
  TreeBuilder& begin(bool may_have = false, bool overwrite = false) {
    TakeOptions options;
    options.destination.path = there_ / "dest";
    options.may_have = may_have;
    options.overwrite = overwrite;
    tree_.emplace(options, events_, counters_, clock_);
    return *tree_;
  }
  TreeBuilder& begin_with(TakeOptions options) {
    options.destination.path = there_ / "dest";
    tree_.emplace(options, events_, counters_, clock_);
    return *tree_;
  }
  Result<void> try_announce(std::vector<wire::Entry> entries) {
    const std::uint64_t first = next_;
    next_ += entries.size();
    return tree_->on_entries({1, first, std::move(entries)}, wanted_);
  }
  void announce(std::vector<wire::Entry> entries) {
    const auto result = try_announce(std::move(entries));
    EXPECT_TRUE(result.has_value()) << to_sentence(result.error());
  }
  void listed() { EXPECT_TRUE(tree_->on_listed(next_).has_value()); }
  Result<void> try_data(std::uint64_t id, std::string_view data, std::uint64_t offset = 0) {
    WH_ASSIGN(const auto found, tree_->find(id, false));
    if (found == nullptr) return {};
    return tree_->on_data(found, offset, as_bytes(data));
  }
  void data(std::uint64_t id, std::string_view bytes, std::uint64_t offset = 0) {
    const auto result = try_data(id, bytes, offset);
    EXPECT_TRUE(result.has_value()) << to_sentence(result.error());
  }
  static void expect_protocol(const Result<void>& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Code::kProtocol);
  }
  [[nodiscard]] std::filesystem::path at(std::string_view path) const {
    return there_.path() / "dest" / path;
  }
  [[nodiscard]] std::string read(std::string_view path) const {
    return there_.read("dest/" + std::string(path));
  }
  [[nodiscard]] platform::FileStatus status(const std::filesystem::path& path) const {
    return platform::Directory::open_path(path.parent_path())
        ->status_of(path.filename().string())
        .value();
  }
  static platform::Timestamp time_of(const wire::Entry& entry) {
    return {entry.mtime_seconds, entry.mtime_nanoseconds};
  }

  const platform::TestDirectory there_;
  BuilderEvents events_;
  TakenCounters counters_;
  const SystemClock clock_;
  std::optional<TreeBuilder> tree_;
  TreeBuilder::Wanted wanted_;
  std::uint64_t next_ = 0;
};

}  // namespace wormhole::transfer
