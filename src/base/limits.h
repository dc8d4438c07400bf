// Every maximum that more than one room needs, with its reason. A limit of one room stands in
// that room. Peer-declared numbers are checked against these before anything is allocated.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace wormhole {

// The unit of work: read, sealed, sent, received, opened and written by one thread while it is
// in that core's L2. Measured: 128-256 KiB is best, 512 KiB falls out of L2 and costs up to half.
inline constexpr std::size_t kBlockBytes = 256 * kKiB;

// A large file is cut into segments so that all streams share it. A segment is handed to one
// stream, which sends its blocks in order.
inline constexpr std::uint64_t kSegmentBytes = 64 * kMiB;

// Files up to this size travel packed, many to a block, with no round trip each.
inline constexpr std::uint64_t kPackedFileMaxBytes = 128 * kKiB;

// The largest file we take on: as large as XFS on 4 KiB pages needs in practice, and small
// enough that offset + length never overflows.
inline constexpr std::uint64_t kFileMaxBytes = 16 * kTiB;

// Longest path below a share, and longest single name. Linux: NAME_MAX is 255; paths longer
// than PATH_MAX exist and are walked handle by handle.
inline constexpr std::size_t kPathMaxBytes = 32 * kKiB;
inline constexpr std::size_t kNameMaxBytes = 255;
inline constexpr std::size_t kSymlinkTargetMaxBytes = 4095;
// Extended attributes of one entry, names and values together: what Linux lets a single value have
// (XATTR_SIZE_MAX). Ext4 has room for a block of them, XFS for far more; with name and target they
// are to fit a control message. Most files have none, some one or two.
inline constexpr std::size_t kAttributesMaxBytes = 64 * kKiB;
inline constexpr std::size_t kAttributesMax = 256;
inline constexpr std::size_t kAttributeNameMaxBytes = 255;  // XATTR_NAME_MAX
// Names of users and groups: useradd(8) makes none longer than 32, directories of companies do.
inline constexpr std::size_t kAccountNameMaxBytes = 256;
// Deepest tree: bounds recursion state on both sides.
inline constexpr std::size_t kDepthMax = 4096;

// Streams of one session, the first connection included (RFC-less; a number below it is one
// byte on the wire and enough to rescue loss-based congestion control on a 100 ms path).
inline constexpr std::size_t kStreamsMax = 64;

// Files of which more than this part of the machine's memory is still to come do not stay in its
// cache. What is less is taken by it whole before write-back has to begin (Linux: from a tenth on),
// which is fastest: measured on a bare link, 2.3 against 1.8 GB/s for 0.5 GB. What is more would
// drive out what others use. (Nor do files stay that come once it was slow:
// transfer/cache_speed.h.) Long files do not stay where they are read either.
inline constexpr std::uint64_t kCachedPartOfMemory = 16;

// Clients that a host serves at once, and what each holds before any further stream: a block to
// read requests in (a page or two of it are ever touched), and one to answer in.
inline constexpr std::size_t kSessionsServedMax = 64;
inline constexpr std::size_t kSessionBlocks = 2;
// Further streams of one process, shared by all its clients: a thread and a block each.
inline constexpr std::size_t kFurtherStreamsMax = 96;
// Enough for all of them and for one session that is being taken down meanwhile, so that nobody
// ever waits for one; allocated when they are first needed, touched in full they are 72 MB.
inline constexpr std::size_t kBlocksMax =
    (kSessionsServedMax + 1) * kSessionBlocks + kFurtherStreamsMax + kFurtherStreamsMax / 2;

// Entries announced by a giver and not yet finished by the taker (credit). Bounds the tables
// on both sides: about 300 bytes each, so 5 MB.
inline constexpr std::uint32_t kOpenEntriesMax = 16 * 1024;

// Shorter files are fetched anew when a run was interrupted: what they cost is less than what it
// takes to remember how far each came.
inline constexpr std::uint64_t kResumableMinBytes = 16 * kMiB;

// Shorter files come whole and are not remembered: they are a chunk or two, and it takes longer to
// look for one than to fetch it.
inline constexpr std::uint64_t kReusableMinBytes = 2 * kMiB;

// Partly received large files at once at a taker: bounds descriptors and range tables.
inline constexpr std::size_t kOpenPartialsMax = 3 * kStreamsMax;
// Those among them that an earlier run began; what it left of more files is fetched anew.
inline constexpr std::size_t kResumedMax = kStreamsMax;
// And those that wait to be told of finer chunks. One thread works on either: it begins nothing
// else while half of all are begun, and must not be what these wait for.
inline constexpr std::size_t kPausedMax = 24;
static_assert(kResumedMax + kPausedMax < kOpenPartialsMax / 2);

// A silent established peer is given up after this long without one byte.
inline constexpr std::chrono::seconds kIdleTimeout{60};

// Sent bytes that a peer leaves unacknowledged or unread for so long end the connection. Longer
// than kIdleTimeout: a living receiver whose disk stalls, or that was stopped by Ctrl-Z, keeps
// its window shut without being dead.
inline constexpr std::chrono::minutes kUnacknowledgedTimeout{5};

static_assert(kPackedFileMaxBytes * 2 <= kBlockBytes, "two packed files fit a block");
static_assert(kSegmentBytes % kBlockBytes == 0, "segments are whole blocks");
static_assert(kFileMaxBytes <= UINT64_MAX / 4, "sums of two offsets never overflow");
static_assert(kStreamsMax <= kFurtherStreamsMax);
static_assert(2 + kStreamsMax <= kBlocksMax, "a client takes two and one a stream");

}  // namespace wormhole
