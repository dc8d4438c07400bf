// The sending half of a session's first connection: control messages in order, and, while no
// further stream carries it, data between them.
//
// One thread runs run(); any thread pushes. Control never waits behind more than one block of
// data. Waiting senders are woken when the writer is closed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>

#include "base/block.h"
#include "base/result.h"
#include "session/sealed_stream.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Messages that push_waiting() lets stand at once: a batch of entries is about 32 KiB, so this
// bounds what a walker runs ahead of the link to 1 MiB.
inline constexpr std::size_t kControlWaitingMax = 32;

// Messages that stand in all: what the credit allows, several times over. A peer that makes us
// answer and reads no answer gets no further.
inline constexpr std::size_t kControlStandingMax = std::size_t{4} * kOpenEntriesMax;

// A quiet writer says so this often, so that a quiet session is told from a dead one.
inline constexpr std::chrono::seconds kPingInterval{15};

// Data for the first connection, a frame at a time.
class DataSource {
 public:
  virtual ~DataSource() = default;
  // Both called by the thread in run().
  // Takes something to send in hand, if there is anything here and now. False: there is not;
  // the source calls ControlWriter::poke() when that changes.
  [[nodiscard]] virtual bool take() = 0;
  // Sends one frame of what is in hand, by way of `block`.
  [[nodiscard]] virtual Result<void> send_one(Block& block) = 0;
};

class ControlWriter {
 public:
  ControlWriter(session::SealedWriter& writer, BlockPool& pool);

  // Never waits. For messages whose number the credit bounds.
  void push(wire::Message message);
  // kProtocol once more than kControlStandingMax messages stood.
  [[nodiscard]] Result<void> check_read() const;
  // Waits while kControlWaitingMax messages stand; false when closed.
  [[nodiscard]] bool push_waiting(wire::Message message);
  // Adds to the credit that the next Credit message of this request carries.
  void add_credit(std::uint32_t request, std::uint32_t entries);

  // Sends until close() and everything pushed before it has gone, or the stream fails.
  // `data` may be null.
  [[nodiscard]] Result<void> run(DataSource* data);
  // There may be data again.
  void poke();
  // No further message is taken.
  void close();

 private:
  Result<void> send(const wire::Message& message);

  session::SealedWriter& writer_;
  Block block_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable room_;
  std::deque<wire::Message> messages_;
  std::map<std::uint32_t, std::uint32_t> credit_;  // request -> entries not yet sent
  bool poked_ = false;
  bool closed_ = false;
  bool overflowed_ = false;
};

}  // namespace wormhole::transfer
