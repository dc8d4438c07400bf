// Where on this machine files stand that Wormhole fetched: so that the same file, under whatever
// name it is announced next, need not come again.
//
// A cache: without it things take longer and are otherwise the same. What it says is looked at
// before it is believed (store/place.h). A database of SQLite, shared by all processes of a user;
// one that is damaged, of another format or not ours is set aside, and a new one begun. The number
// of files is bounded: those that were not used for the longest time are forgotten first.
//
// Any thread. add(), remove() and count() never wait for the disk: a thread of the index writes,
// at the latest when it is destroyed. Nothing is flushed: a power cut may lose the newest entries,
// or damage the whole of it, which is found out as any damage is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/place.h"

struct sqlite3;

namespace wormhole::store {

// At some 300 bytes a file, 30 MB on the disk.
inline constexpr std::size_t kIndexedFilesMax = 100'000;
// Files of one size that are offered to be looked at.
inline constexpr std::size_t kCandidatesMax = 8;

class Index {
 public:
  // Where there is none, one is made meanwhile: when a transfer ends, the same disk may be busy for
  // a tenth of a second. kLocalIo when what is there cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<Index>> open(const std::string& file);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // Where a damaged one was set aside by open(); empty: it was not.
  [[nodiscard]] const std::string& set_aside() const { return set_aside_; }
  // When it was opened.
  [[nodiscard]] bool was_empty() const { return was_empty_; }
  // It was not empty then, or something was added since.
  [[nodiscard]] bool may_hold_any() const { return !was_empty_ || was_added_to_; }

  // Those used last come first; of a size, before them those of that time.
  [[nodiscard]] std::vector<Place> of_version(std::uint64_t version);
  [[nodiscard]] std::vector<Place> of_size(std::uint64_t size_bytes, platform::Timestamp modified);

  [[nodiscard]] std::optional<Place> at(const std::string& path);

  void add(Place place);
  // It is not there any more as it was.
  void remove(std::string path);
  // Writes what was added so far, so that it is found: a process that lives on need not wait for
  // its thread.
  void write_pending();
  // A file that might have been here was looked for; it was, and so many bytes need not come.
  void count(bool found, std::uint64_t bytes);

  struct Summary {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;       // of the files
    std::uint64_t disk_bytes = 0;  // of the index
    std::uint64_t lookups = 0;
    std::uint64_t found = 0;
    std::uint64_t reused_bytes = 0;
  };
  // What was added is in it.
  [[nodiscard]] Result<Summary> summary();
  // Every place, path by path, as it was when this was called.
  [[nodiscard]] Result<std::vector<Place>> all();
  // Reads all of it. An error: it is damaged, and will be set aside when it is opened next.
  [[nodiscard]] Result<void> check();
  // Forgets everything, the counts too.
  [[nodiscard]] Result<void> clear();

 private:
  class Statement;
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  using Database = std::unique_ptr<sqlite3, Closer>;
  struct Changes {
    std::vector<Place> added;
    std::vector<std::string> removed;
    std::uint64_t lookups = 0;
    std::uint64_t found = 0;
    std::uint64_t reused_bytes = 0;
    [[nodiscard]] bool empty() const { return added.empty() && removed.empty() && lookups == 0; }
  };

  // Its writer has begun. kLimit: there is no thread for it.
  static Result<std::unique_ptr<Index>> begin(std::unique_ptr<Index> index);
  Index(std::string file, Database database, std::string set_aside,
        std::optional<platform::FileId> id);
  // Its directory is made if it is missing.
  static Result<Database> connect(const std::string& file);
  // Null: what is there is damaged or not ours.
  static Result<Database> connect_to(const std::string& path);
  // With the database's mutex held: there is one.
  Result<void> require_database();
  // The places that the statement gives, which selects path and record.
  void collect(Statement& statement, std::vector<Place>& places);
  void run_writer();
  void write(const Changes& changes);
  // With the database's mutex held. What the library answered; damage is remembered.
  int noted(int code);
  bool run(const char* sql);
  Error error(const char* operation);

  const std::string file_;
  const std::string set_aside_;

  std::mutex database_mutex_;           // before the other
  Database database_;                   // null: there was none, and none could be made yet
  std::optional<platform::FileId> id_;  // of its file, when it was opened
  bool was_empty_ = true;
  std::atomic<bool> was_added_to_ = false;
  bool is_damaged_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  Changes pending_;
  bool closing_ = false;
  std::thread writer_;
};

}  // namespace wormhole::store
