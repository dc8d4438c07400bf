#include "store/index.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "base/start_thread.h"
#include "platform/file_system.h"
#include "store/private_directory.h"

namespace wormhole::store {
namespace {

namespace fs = std::filesystem;

// "WHIX": what file(1) and we know a database of ours by.
constexpr int kApplicationId = 0x57484958;
constexpr int kFormat = 2;

// Another process writes for so long at most.
constexpr int kBusyTimeoutMs = 2000;
// What is added waits for more so long.
constexpr std::chrono::milliseconds kGatherTime{500};
// Then so many are forgotten at once.
constexpr std::size_t kForgottenTogether = kIndexedFilesMax / 8;

constexpr const char* kSchema =
    "CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER NOT NULL, version INTEGER NOT NULL,"
    " modified INTEGER NOT NULL, used INTEGER NOT NULL, record BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX by_size ON files (size, used);"
    "CREATE INDEX by_time ON files (size, modified, used);"
    "CREATE INDEX by_version ON files (version, used) WHERE version != 0;"
    "CREATE INDEX by_use ON files (used);"
    "CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 1), lookups INTEGER NOT NULL,"
    " found INTEGER NOT NULL, reused INTEGER NOT NULL);"
    "INSERT INTO totals VALUES (1, 0, 0, 0);";

bool is_damage(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_FORMAT;
}

// Bits as they are: SQLite's integers have a sign.
std::int64_t to_integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

bool execute(sqlite3* database, const std::string& sql) {
  return sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

// Nanoseconds since 1970; what is out of range is no time that anyone looks for.
std::uint64_t nanoseconds(platform::Timestamp time) {
  return static_cast<std::uint64_t>(time.seconds) * 1'000'000'000 + time.nanoseconds;
}

std::string with_suffix(const std::string& file, const char* suffix) { return file + suffix; }

void move_away(const std::string& file, const std::string& to) {
  std::error_code ignored;
  fs::rename(file, to, ignored);
  // The log of a database that is gone belongs to no other.
  for (const char* suffix : {"-wal", "-shm", "-journal"}) {
    fs::remove(with_suffix(file, suffix), ignored);
  }
}

// What stands at that name: another process may have made a new one meanwhile.
std::optional<platform::FileId> id_of(const fs::path& file) {
  const auto directory = platform::Directory::open_path(file.parent_path());
  if (!directory.has_value()) return std::nullopt;
  const auto status = directory->status_of(file.filename().string());
  if (!status.has_value()) return std::nullopt;
  return status->id();
}

}  // namespace

void Index::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

// One statement, from being prepared to being over.
class Index::Statement {
 public:
  Statement(sqlite3* database, const char* sql) {
    prepared_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, std::uint64_t value) {
    sqlite3_bind_int64(statement_, at, to_integer(value));
    return *this;
  }
  // Valid as long as `bytes`.
  Statement& bind(int at, Bytes bytes) {
    sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
  }
  // SQLITE_ROW, SQLITE_DONE, or an error.
  int step() { return prepared_ == SQLITE_OK ? sqlite3_step(statement_) : prepared_; }
  void reset() { sqlite3_reset(statement_); }
  [[nodiscard]] std::uint64_t integer(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
  }
  [[nodiscard]] Bytes blob(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int prepared_;
};

Result<Index::Database> Index::connect_to(const std::string& file) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(
      file.c_str(), &opened,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW,
      nullptr);
  Database database(opened);
  const auto failed = [&]() -> Result<Database> {
    if (is_damage(sqlite3_errcode(opened))) return Database();
    return fail({.code = Code::kLocalIo,
                 .operation = "open index",
                 .object = file,
                 .detail = opened == nullptr ? "out of memory" : sqlite3_errmsg(opened)});
  };
  if (code != SQLITE_OK) return failed();
  sqlite3_busy_timeout(opened, kBusyTimeoutMs);
  // Readers and a writer do not wait for each other; where that is not to be had (network file
  // systems), things are slower and the same. Nothing is ever flushed: behind gigabytes that are on
  // their way to the same disk that would take a tenth of a second, at the end of each transfer.
  // Nor are there files elsewhere, which this process may not write.
  execute(opened,
          "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA temp_store = MEMORY;");
  const int keep = 1;
  sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep, nullptr);
  // Made by one of several that come at once.
  if (!execute(opened, "BEGIN IMMEDIATE")) return failed();
  std::uint64_t id = 0;
  std::uint64_t format = 0;
  std::uint64_t tables = 0;
  for (auto [sql, value] :
       {std::pair("PRAGMA application_id", &id), std::pair("PRAGMA user_version", &format),
        std::pair("SELECT count(*) FROM sqlite_master", &tables)}) {
    Statement statement(opened, sql);
    if (statement.step() != SQLITE_ROW) return failed();
    *value = statement.integer(0);
  }
  if (tables == 0) {
    if (!execute(opened, kSchema) ||
        !execute(opened, fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};",
                                     kApplicationId, kFormat))) {
      return failed();
    }
  } else if (id != kApplicationId || format != kFormat) {
    return Database();
  }
  if (!execute(opened, "COMMIT")) return failed();
  return database;
}

Result<Index::Database> Index::connect(const std::string& file) {
  const fs::path directory = fs::path(file).parent_path();
  make_private_directory(directory);
  std::error_code error;
  // A link in the user's own path is his choice; one in place of the file is not.
  const fs::path real = fs::canonical(directory, error);
  if (error) {
    return fail({.code = Code::kLocalIo,
                 .operation = "open index",
                 .object = file,
                 .detail = error.message()});
  }
  const std::string path = real / fs::path(file).filename();
  WH_ASSIGN(auto database, connect_to(path));
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, error);
  return database;
}

Result<std::unique_ptr<Index>> Index::open(const std::string& file) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(file, error))) {
    return begin(std::unique_ptr<Index>(new Index(file, nullptr, {}, {})));
  }
  const auto found = id_of(file);
  WH_ASSIGN(auto database, connect(file));
  std::string aside;
  if (database == nullptr && id_of(file) == found) {
    aside = with_suffix(file, ".damaged");
    move_away(file, aside);
  }
  return begin(
      std::unique_ptr<Index>(new Index(file, std::move(database), std::move(aside), found)));
}

Result<void> Index::require_database() {
  if (database_ != nullptr) return {};
  WH_ASSIGN(database_, connect(file_));
  id_ = id_of(file_);
  if (database_ != nullptr) return {};
  return fail({.code = Code::kLocalIo,
               .operation = "open index",
               .object = file_,
               .detail = "what is there is no index"});
}

Index::Index(std::string file, Database database, std::string set_aside,
             std::optional<platform::FileId> id)
    : file_(std::move(file)),
      set_aside_(std::move(set_aside)),
      database_(std::move(database)),
      id_(id) {
  if (database_ != nullptr) {
    Statement any(database_.get(), "SELECT 1 FROM files LIMIT 1");
    was_empty_ = noted(any.step()) != SQLITE_ROW;
  }
}

Result<std::unique_ptr<Index>> Index::begin(std::unique_ptr<Index> index) {
  WH_TRY(start_thread(index->writer_, [opened = index.get()] { opened->run_writer(); }));
  return index;
}

Index::~Index() {
  {
    std::scoped_lock lock(mutex_);
    closing_ = true;
    wake_.notify_one();
  }
  if (writer_.joinable()) writer_.join();
  database_.reset();
  // Found out on the way: the next run begins a new one.
  if (is_damaged_ && id_of(file_) == id_) move_away(file_, with_suffix(file_, ".damaged"));
}

int Index::noted(int code) {
  is_damaged_ = is_damaged_ || is_damage(code);
  return code;
}

bool Index::run(const char* sql) {
  return noted(sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr)) == SQLITE_OK;
}

Error Index::error(const char* operation) {
  noted(sqlite3_errcode(database_.get()));
  return {.code = Code::kLocalIo,
          .operation = operation,
          .object = file_,
          .detail = is_damaged_ ? "it is damaged, and a new one is begun"
                                : sqlite3_errmsg(database_.get())};
}

void Index::collect(Statement& statement, std::vector<Place>& places) {
  while (noted(statement.step()) == SQLITE_ROW) {
    // A row that does not fit its own checksum is none.
    auto place = decode_place(std::string(as_text(statement.blob(0))), statement.blob(1));
    if (place.has_value()) places.push_back(std::move(*place));
  }
}

std::vector<Place> Index::of_version(std::uint64_t version) {
  std::vector<Place> places;
  std::scoped_lock lock(database_mutex_);
  if (database_ == nullptr) return places;
  Statement found(database_.get(),
                  "SELECT path, record FROM files WHERE version = ?1 AND version != 0"
                  " ORDER BY used DESC LIMIT ?2");
  found.bind(1, version).bind(2, std::uint64_t{kCandidatesMax});
  if (version != 0) collect(found, places);
  return places;
}

std::vector<Place> Index::of_size(std::uint64_t size_bytes, platform::Timestamp modified) {
  std::vector<Place> places;
  std::scoped_lock lock(database_mutex_);
  if (database_ == nullptr) return places;
  Statement of_that_time(database_.get(),
                         "SELECT path, record FROM files WHERE size = ?1 AND modified = ?2"
                         " ORDER BY used DESC LIMIT ?3");
  of_that_time.bind(1, size_bytes)
      .bind(2, nanoseconds(modified))
      .bind(3, std::uint64_t{kCandidatesMax});
  collect(of_that_time, places);
  Statement others(database_.get(),
                   "SELECT path, record FROM files WHERE size = ?1 AND modified != ?2"
                   " ORDER BY used DESC LIMIT ?3");
  others.bind(1, size_bytes)
      .bind(2, nanoseconds(modified))
      .bind(3, std::uint64_t{kCandidatesMax - places.size()});
  collect(others, places);
  return places;
}

std::optional<Place> Index::at(const std::string& path) {
  std::vector<Place> places;
  std::scoped_lock lock(database_mutex_);
  if (database_ == nullptr) return std::nullopt;
  Statement found(database_.get(), "SELECT path, record FROM files WHERE path = ?1");
  found.bind(1, as_bytes(path));
  collect(found, places);
  if (places.empty()) return std::nullopt;
  return std::move(places.front());
}

void Index::add(Place place) {
  was_added_to_ = true;
  std::scoped_lock lock(mutex_);
  pending_.added.push_back(std::move(place));
  wake_.notify_one();
}

void Index::remove(std::string path) {
  std::scoped_lock lock(mutex_);
  pending_.removed.push_back(std::move(path));
  wake_.notify_one();
}

void Index::count(bool found, std::uint64_t bytes) {
  std::scoped_lock lock(mutex_);
  ++pending_.lookups;
  if (found) ++pending_.found;
  pending_.reused_bytes += bytes;
  wake_.notify_one();
}

void Index::run_writer() {
  {
    std::scoped_lock lock(database_mutex_);
    static_cast<void>(require_database());  // tried again when there is something to write
  }
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return closing_ || !pending_.empty(); });
      if (pending_.empty()) return;
      wake_.wait_for(lock, kGatherTime, [&] { return closing_; });
    }
    write_pending();
  }
}

void Index::write_pending() {
  std::scoped_lock database_lock(database_mutex_);
  Changes changes;
  {
    std::scoped_lock lock(mutex_);
    changes = std::exchange(pending_, {});
  }
  // A cache that cannot be written to (a full disk) is as good as none.
  if (!changes.empty()) write(changes);
}

void Index::write(const Changes& changes) {
  if (is_damaged_ || !require_database().has_value() || !run("BEGIN IMMEDIATE")) return;
  sqlite3* database = database_.get();
  bool done = true;
  const auto finish = [&](Statement& statement) {
    done = noted(statement.step()) == SQLITE_DONE && done;
    statement.reset();
  };
  Statement removed(database, "DELETE FROM files WHERE path = ?1");
  for (const std::string& path : changes.removed) finish(removed.bind(1, as_bytes(path)));
  Statement added(database,
                  "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4,"
                  " (SELECT coalesce(max(used), 0) + 1 FROM files), ?5)");
  for (const Place& place : changes.added) {
    const PlaceRecord record = encode_place(place);
    finish(added.bind(1, as_bytes(place.path))
               .bind(2, place.size_bytes)
               .bind(3, place.version)
               .bind(4, nanoseconds(place.modified))
               .bind(5, Bytes(record)));
  }
  Statement counted(database,
                    "UPDATE totals SET lookups = lookups + ?1, found = found + ?2,"
                    " reused = reused + ?3");
  finish(counted.bind(1, changes.lookups).bind(2, changes.found).bind(3, changes.reused_bytes));
  Statement forgotten(database,
                      "DELETE FROM files WHERE (SELECT count(*) FROM files) > ?1 AND path IN"
                      " (SELECT path FROM files ORDER BY used LIMIT ?2)");
  if (!changes.added.empty()) {
    finish(forgotten.bind(1, std::uint64_t{kIndexedFilesMax})
               .bind(2, std::uint64_t{kForgottenTogether}));
  }
  // Where another process reads for too long it cannot be committed, and would stay open.
  if (!run(done ? "COMMIT" : "ROLLBACK")) run("ROLLBACK");
}

Result<Index::Summary> Index::summary() {
  write_pending();
  std::scoped_lock lock(database_mutex_);
  WH_TRY(require_database());
  Summary summary;
  Statement files(database_.get(), "SELECT count(*), coalesce(sum(size), 0) FROM files");
  if (files.step() != SQLITE_ROW) return fail(error("read index"));
  summary.files = files.integer(0);
  summary.bytes = files.integer(1);
  Statement totals(database_.get(), "SELECT lookups, found, reused FROM totals");
  if (totals.step() != SQLITE_ROW) return fail(error("read index"));
  summary.lookups = totals.integer(0);
  summary.found = totals.integer(1);
  summary.reused_bytes = totals.integer(2);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code error;
    const auto size = fs::file_size(with_suffix(file_, suffix), error);
    if (!error) summary.disk_bytes += size;
  }
  return summary;
}

Result<std::vector<Place>> Index::all() {
  write_pending();
  std::scoped_lock lock(database_mutex_);
  WH_TRY(require_database());
  std::vector<Place> places;
  Statement rows(database_.get(), "SELECT path, record FROM files ORDER BY path");
  collect(rows, places);
  if (is_damaged_) return fail(error("read index"));
  return places;
}

Result<void> Index::check() {
  write_pending();
  std::scoped_lock lock(database_mutex_);
  WH_TRY(require_database());
  Statement check(database_.get(), "PRAGMA integrity_check(1)");
  const bool answers = noted(check.step()) == SQLITE_ROW;
  if (answers && as_text(check.blob(0)) == "ok") return {};
  is_damaged_ = true;
  return fail(error("check index"));
}

Result<void> Index::clear() {
  write_pending();
  std::scoped_lock lock(database_mutex_);
  WH_TRY(require_database());
  if (!run("BEGIN IMMEDIATE; DELETE FROM files;"
           " UPDATE totals SET lookups = 0, found = 0, reused = 0; COMMIT; VACUUM;"
           " PRAGMA wal_checkpoint(TRUNCATE);")) {
    return fail(error("clear index"));
  }
  return {};
}

}  // namespace wormhole::store
