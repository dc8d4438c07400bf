// Control messages as values: what they say, checked against every limit, without FlatBuffers.
//
// Sans-I/O, stateless, any thread. Described in docs/formats/messages.md; the schema is
// wire/messages.fbs. decode() verifies the buffer before it looks inside and refuses
// (kProtocol) whatever breaks a limit below; what it returns is safe to index and allocate by,
// but names are still only bytes: platform::check_name decides whether one is usable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/attribute.h"
#include "base/bytes.h"
#include "base/chunk.h"
#include "base/limits.h"
#include "base/range_set.h"
#include "base/result.h"

namespace wormhole::wire {

inline constexpr std::uint32_t kProtocolVersion = 1;

// What encode() makes at most and decode() takes at most. A batch of entries is cut well below.
inline constexpr std::size_t kMessageMaxBytes = 128 * kKiB;
inline constexpr std::size_t kEntriesBatchBytes = 32 * kKiB;  // flush a batch at this estimate
inline constexpr std::size_t kEntriesPerMessageMax = 1024;
inline constexpr std::size_t kWantsPerMessageMax = kEntriesPerMessageMax;
inline constexpr std::size_t kRangesPerMessageMax = 1024;
inline constexpr std::size_t kChunksPerMessageMax = 1024;
inline constexpr std::size_t kReasonMaxBytes = 512;
// Of one request: what a giver compiles, and compares with each name. All of it fits a message.
inline constexpr std::size_t kRulesMax = 1024;
inline constexpr std::size_t kRulesMaxBytes = 32 * kKiB;  // their patterns together
static_assert(kRulesMaxBytes + kRulesMax * 40 + kPathMaxBytes < kMessageMaxBytes);

// Hello.features. The taker takes kCompressed frames.
inline constexpr std::uint64_t kFeatureCompression = 1;
// The giver's congestion control takes every lost packet for congestion (RFC 9438), so that many
// streams carry more than few where packets are lost.
inline constexpr std::uint64_t kFeatureLossBased = 2;
// The taker finds out itself what several files have in common (Entry.copy_of, Entry.held).
inline constexpr std::uint64_t kFeatureCopies = 4;
// The taker makes hard links (Entry.names, Entry.link_of).
inline constexpr std::uint64_t kFeatureHardLinks = 8;

// Who the host is, and that it is: an Ed25519 public key (RFC 8032), and its signature over the
// session's id (session/host_identity.h).
using HostKey = std::array<std::byte, 32>;
struct HostProof {
  HostKey key{};
  std::array<std::byte, 64> signature{};
  friend bool operator==(const HostProof&, const HostProof&) = default;
};

struct Hello {
  std::uint32_t version = kProtocolVersion;
  std::uint64_t features = 0;
  std::uint8_t streams_max = 0;
  bool unencrypted = false;
  std::optional<HostProof> proof = std::nullopt;  // of whoever gives
};
struct Join {
  std::uint8_t stream = 0;
  bool gives = false;  // the dialler gives on it
};
struct EndStream {
  std::uint8_t stream = 0;
};
// One --include or --exclude: transfer/glob.h says what fits a pattern.
struct Rule {
  bool excludes = true;
  std::string pattern;
  friend bool operator==(const Rule&, const Rule&) = default;
};
// Which of all that is below a request's path is meant.
struct Selection {
  std::vector<Rule> rules = {};               // the first one that fits decides; none: it is meant
  std::uint64_t size_max_bytes = UINT64_MAX;  // of a regular file
  bool honours_ignore_files = false;          // what .gitignore files at the giver name is not
  friend bool operator==(const Selection&, const Selection&) = default;
};
// What is told of each entry besides: reading it costs the giver time.
struct Keeps {
  bool archive = false;  // owner, group and attributes
  bool access_times = false;
  [[nodiscard]] bool any() const { return archive || access_times; }
  friend bool operator==(const Keeps&, const Keeps&) = default;
};
struct Get {
  std::uint32_t request = 0;
  std::string path;
  bool may_have = false;
  std::uint32_t credit = 0;
  Selection selection = {};
  Keeps keeps = {};
};
struct List {
  std::uint32_t request = 0;
  std::string path;
  bool recursive = false;
  std::uint32_t credit = 0;
  Selection selection = {};
};

enum class EntryType : std::uint8_t {
  kRegular = 0,
  kDirectory = 1,
  kSymlink = 2,
  kDirectoryEnd = 3
};

// What Keeps asked for, of one entry.
struct Archived {
  std::uint32_t owner = 0;  // numbers at the giver: never 2^32 - 1, which is nobody
  std::uint32_t group = 0;
  std::string owner_name = {};  // what they are called there, if anything; no NUL in it
  std::string group_name = {};
  // Of files and directories. Which names are good is for whoever sets them to know.
  std::vector<Attribute> attributes = {};
  std::uint32_t left_out = 0;  // attributes that are too long, too many or unreadable
  bool has_capabilities = false;
  std::int64_t atime_seconds = 0;
  std::uint32_t atime_nanoseconds = 0;

  [[nodiscard]] std::size_t attribute_bytes() const {
    std::size_t bytes = 0;
    for (const Attribute& one : attributes) bytes += one.name.size() + one.value.size();
    return bytes;
  }
  friend bool operator==(const Archived&, const Archived&) = default;
};
// A message has so many attributes at most: a batch of entries that have little else, and one more.
inline constexpr std::size_t kAttributeBytes =
    48;  // what one takes besides name and value, roughly
inline constexpr std::size_t kAttributesPerMessageMax = 1024;
static_assert(kEntriesBatchBytes / kAttributeBytes + kAttributesMax <= kAttributesPerMessageMax);
// Two words, a mode, the longest names, and as much again: what an entry takes without attributes.
static_assert(kEntriesBatchBytes + kAttributesMaxBytes + kAttributesMax * kAttributeBytes +
                  2 * (kNameMaxBytes + kSymlinkTargetMaxBytes + 2 * kAccountNameMaxBytes) <
              kMessageMaxBytes);

struct Entry {
  EntryType type = EntryType::kRegular;
  std::uint64_t parent = 0;
  std::string name;
  std::uint64_t size = 0;
  std::uint16_t mode = 0;
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0;
  std::string target;
  bool sparse = false;
  // Of a regular file: another one whenever its bytes or its inode's times are others, the same
  // after both ends have started anew. 0: the giver has no such word.
  std::uint64_t version = 0;
  // An earlier regular file of the same size, of which this one may be a copy: then nothing of it
  // is sent unasked. 0: none (that one is the root).
  std::uint64_t copy_of = 0;
  // Of a regular file: nothing of it is sent unasked. On this path its chunks are told sooner than
  // its data would come, and what the taker has of them by then need not.
  bool held = false;
  // Of a regular file: how many names it has, if those that come later are told as such.
  std::uint32_t names = 0;
  // The earlier entry of which this one is another name: it has no data of its own. 0: none.
  std::uint64_t link_of = 0;
  // Shared by all copies of this entry. Null where it was not asked for, or cannot be told: of the
  // directory that several shares are in.
  std::shared_ptr<const Archived> archived = nullptr;

  // What it takes in a message, roughly.
  [[nodiscard]] std::size_t encoded_bytes() const {
    const std::size_t bytes = 120 + name.size() + target.size();
    if (archived == nullptr) return bytes;
    return bytes + 100 + archived->owner_name.size() + archived->group_name.size() +
           archived->attributes.size() * kAttributeBytes + archived->attribute_bytes();
  }
  // What it costs of the credit: memory at the taker until it is done with.
  [[nodiscard]] std::uint32_t cost() const {
    const std::size_t bytes = archived == nullptr ? 0 : archived->attribute_bytes();
    return static_cast<std::uint32_t>(1 + bytes / kCreditedBytes);
  }
  static constexpr std::size_t kCreditedBytes = kKiB;
};
static_assert(kAttributesMaxBytes / Entry::kCreditedBytes < kOpenEntriesMax);
// The parent of a request's root entry.
inline constexpr std::uint64_t kNoEntry = UINT64_MAX;

struct Entries {
  std::uint32_t request = 0;
  std::uint64_t first_id = 0;
  std::vector<Entry> entries;
};
struct Listed {
  std::uint32_t request = 0;
  std::uint64_t entries = 0;
};
struct Want {
  std::uint32_t request = 0;
  std::vector<std::uint64_t> files;
  std::uint64_t decided = 0;
};
struct Credit {
  std::uint32_t request = 0;
  std::uint32_t entries = 0;
};

// Why a file or request failed at the other end: the part of Code that crosses the wire.
enum class FailureCode : std::uint8_t {
  kIo = 0,
  kNotFound = 1,
  kChanged = 2,
  kSpecial = 3,
  kLimit = 4,
  kUnsafeName = 5,
  kExists = 6,
  kNotAllowed = 7,
};
struct Failed {
  std::uint32_t request = 0;
  bool has_file = false;
  std::uint64_t file = 0;
  std::uint64_t parent = 0;
  std::string name = {};
  FailureCode code = FailureCode::kIo;
  std::string reason = {};
};
struct Refused {
  std::uint32_t request = 0;
  FailureCode code = FailureCode::kIo;
  std::string reason;
  bool by_giver = false;
};
struct Again {
  std::uint32_t request = 0;
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};
struct Cancel {
  std::uint32_t request = 0;
};
struct Ping {};
struct Bye {};

struct WantRanges {
  std::uint32_t request = 0;
  std::uint64_t file = 0;
  std::vector<RangeSet::Range> ranges;
  bool last = false;
};
struct WantChunks {
  std::uint32_t request = 0;
  std::vector<std::uint64_t> files;
};
struct Chunks {
  std::uint32_t request = 0;
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
  std::vector<Chunk> chunks = {};  // they follow each other
};

struct WantFineChunks {
  std::uint32_t request = 0;
  std::uint64_t file = 0;
  std::vector<RangeSet::Range> ranges;
};
struct FineChunks {
  std::uint32_t request = 0;
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
  std::vector<Chunk> chunks = {};  // they follow each other
};

// Which files of those that are at the taker stay as they are, whatever else is said.
enum class Leaves : std::uint8_t {
  kNone = 0,
  kNewer = 1,  // that were changed later than the giver's
  kAll = 2,
};

struct Put {
  std::uint32_t request = 0;
  std::string source = {};
  std::string name = {};
  std::string path = {};
  Selection selection = {};
  bool overwrite = false;
  Leaves leaves = Leaves::kNone;
  bool checksum = false;
  bool reuse = true;
  bool sync = false;
  bool may_delete = false;
  bool dry_run = false;
  std::uint64_t run = 0;
  Keeps keeps = {};
  bool as_shown = false;
};

// How far a Put has come: what is counted stands in docs/formats/messages.md.
inline constexpr std::size_t kTakenCounts = 26;
// Others may come to be told: those are passed over, and those that are not told are 0.
inline constexpr std::size_t kTakenCountsMax = 64;
struct Taken {
  std::uint32_t request = 0;
  bool last = false;
  bool all_announced = false;
  bool made_root = false;
  std::array<std::uint64_t, kTakenCounts> counts{};
  std::string root = {};
};
struct NotTaken {
  std::uint32_t request = 0;
  std::string path = {};
  FailureCode code = FailureCode::kIo;
  bool by_giver = false;
  bool is_replaceable = false;
  std::string reason = {};
};

// What becomes of an entry at the taker.
enum class Action : std::uint8_t {
  kFetch = 0,
  kReplace = 1,
  kKeep = 2,   // it is the same
  kLeave = 3,  // it is not, and stays
  kRefuse = 4,
  kDelete = 5,  // the giver has none
};
struct Planned {
  std::uint32_t request = 0;
  std::string path = {};
  EntryType type = EntryType::kRegular;
  std::uint64_t size = 0;
  bool is_link = false;
  Action action = Action::kFetch;
  std::string reason = {};
};

using Message = std::variant<Hello, Join, EndStream, Get, List, Entries, Listed, Want, Credit,
                             Failed, Refused, Again, Cancel, Ping, Bye, WantRanges, WantChunks,
                             Chunks, WantFineChunks, FineChunks, Put, Taken, NotTaken, Planned>;

// Writes the message to the front of `out`; returns its bytes. kLimit when it does not fit.
[[nodiscard]] Result<std::size_t> encode(const Message& message, MutableBytes out);
[[nodiscard]] Result<Message> decode(Bytes payload);

// Which request it is about; 0: none.
[[nodiscard]] std::uint32_t request_of(const Message& message);

// For errors and logs: "Get", "Entries", ...
[[nodiscard]] std::string_view message_name(const Message& message);

}  // namespace wormhole::wire
