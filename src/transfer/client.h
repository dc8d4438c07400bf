// The dialler's end of a session: joins a host, fetches, lists and puts.
//
// connect() once, then get(), list() or put() one after another, by one thread; cancel() by any.
// Threads of its own: one reads the first connection, one writes it, one for each further
// stream, and where it finds their number itself, one that measures. All are gone when the client
// is.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/block.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "platform/readiness.h"
#include "session/dialler.h"
#include "session/join_code.h"
#include "store/user_secret.h"
#include "transfer/control_writer.h"
#include "transfer/events.h"
#include "transfer/file_stream.h"
#include "transfer/giving_end.h"
#include "transfer/lister.h"
#include "transfer/put_client.h"
#include "transfer/rate_limit.h"
#include "transfer/receiver_slot.h"
#include "transfer/taker.h"
#include "transfer/version_names.h"
#include "transfer/watchdog.h"

namespace wormhole::transfer {

struct ClientOptions {
  // Further streams that carry data; 0: the first connection carries it alone.
  unsigned streams = 0;
  // On a path longer than a local link: as many instead as make it faster (StreamController).
  bool finds_streams = false;
  bool unencrypted = false;
  bool compression = true;   // the host may compress where that is faster
  bool finds_copies = true;  // nothing comes twice that the host takes for a copy
  // Of data, a second, over all streams. What is read more slowly is sent more slowly.
  std::uint64_t rate_max_bytes = UINT64_MAX;
  // What names are made of (VersionNames); none: nothing is gone on with, nothing recognised.
  std::optional<store::UserSecret> secret = std::nullopt;
  // What may be put. Null: this client only takes. Outlives it.
  const Shares* gives = nullptr;
};

class Client {
 public:
  Client(const Clock& clock, Random& random, BlockPool& pool, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // With `stop`, a descriptor, it ends with kInterrupted once that is readable, and hears of
  // cancel() only when it is done: what makes the first connection needs no thread that watches.
  [[nodiscard]] Result<void> connect(const std::vector<platform::Address>& addresses,
                                     const session::JoinCode& code, std::optional<int> stop = {});

  // Fetches `path` ("": everything). Returns when all that could arrive is in place; what could
  // not was told to `events`. An error ends the session: what is half there is removed.
  [[nodiscard]] Result<void> get(const std::string& path, TakeOptions options, TakerEvents& events,
                                 TakenCounters& counters);

  // One file's bytes, in their order. Only where further streams were not asked for.
  [[nodiscard]] Result<void> read(const std::string& path, const FileStream::Sink& sink);

  // Calls `sink` with each entry as it comes, in the order of transfer/tree_walker.h; `on_failed`
  // with what could not be listed. An error of the sink's ends it.
  [[nodiscard]] Result<void> list(const std::string& path, bool recursive,
                                  const wire::Selection& selection, const Lister::Sink& sink,
                                  const Lister::OnFailed& on_failed);

  // Gives what the message says to the host, who puts it there (its request is of no account).
  // Returns when all that could arrive is in place there; what could not was told to `events`. The
  // counters become what the host's are. `on_planned`: of a dry run.
  [[nodiscard]] Result<void> put(wire::Put put, TakerEvents& events, TakenCounters& counters,
                                 const PutClient::OnPlanned& on_planned = nullptr);

  // Another request can be made.
  [[nodiscard]] bool is_open() const;
  // Ends the session in order. Safe to call twice.
  void close();
  // Any thread, at any time: everything under way ends with kInterrupted (but connect(), above).
  void cancel();

  [[nodiscard]] std::uint64_t wire_bytes() const;
  // Connections that carried data at once, at most: further streams, or the first one alone.
  [[nodiscard]] unsigned streams() const { return std::max(1u, streams_at_most_.load()); }
  // True when data travels unencrypted: both ends asked for it.
  [[nodiscard]] bool is_plain() const { return is_plain_; }
  [[nodiscard]] std::optional<TimePoint> first_byte() const { return first_byte_; }
  [[nodiscard]] const session::Timeline& timeline() const { return first_->timeline; }
  [[nodiscard]] std::string shown_root() const { return shown_root_; }

 private:
  // Of one connection, as last counted.
  struct Carried {
    std::uint32_t segments = 0;
    std::uint64_t bytes = 0;
    // Queues on the way included; of one that has carried something since it was last counted.
    std::optional<std::chrono::microseconds> round_trip;
  };
  struct Stream {
    std::unique_ptr<session::Connection> connection;
    Carried carried;
    std::thread thread;
    bool ending = false;  // not wanted any more
    bool over = false;    // never came, was not let in, or ended
  };

  void run_reader();
  void run_writer();
  void run_stream(unsigned number);
  void run_controller(Duration round_trip);
  Result<void> read_first_connection();
  Result<void> read_stream(session::Connection& connection);
  Result<void> on_control(wire::Message message);
  Result<void> on_hello(const wire::Hello& hello);
  Result<void> give_on(session::Connection& connection);
  // The host asks for what is put: for exactly that, and once.
  Result<void> check_asked(const wire::Message& message);
  // The next one, with the mutex held: what is failed already takes none.
  Result<std::uint32_t> next_request();
  // The request is over: the host forgets it, and no thread is at it any more.
  void end_request();
  // Once it is known that more than one stream is worth it.
  void begin_streams();
  void set_streams(unsigned wanted);  // with the mutex held
  // Likewise, the next two.
  template <typename Count>
  [[nodiscard]] std::uint64_t over_connections(const Count& count) const;
  // Bytes that the wire has carried in all, by now, to whoever takes.
  std::uint64_t count_carried();
  // The least of the further streams, as last counted: what all of them show is the path's, and not
  // one lost segment's. 0: unknown.
  [[nodiscard]] Duration loaded_round_trip() const;
  [[nodiscard]] std::uint64_t left_on_wire(const ReceiverSlot::Progress& progress) const;
  [[nodiscard]] Duration round_trip() const;
  void session_failed(const Error& how);
  void cut();  // every connection; with the mutex held
  // Until what was carried is paid for (ClientOptions::rate_max_bytes), or all ends.
  void wait_for_rate(std::uint64_t bytes);
  // A frame of data from any stream.
  Result<void> on_frame(const wire::FrameHeader& header, Block& block, bool on_first_connection);

  const Clock& clock_;
  Random& random_;
  BlockPool& pool_;
  Codecs codecs_;
  const ClientOptions options_;
  RateLimit rate_;
  Watchdog watchdog_;
  std::optional<platform::Waker> dials_end_;  // woken when no dial is waited for any more

  std::unique_ptr<session::Connection> first_;
  std::unique_ptr<ControlWriter> control_;
  std::optional<GivingEnd> giving_;  // with options_.gives
  std::thread reader_;
  std::thread writer_;
  std::thread controller_;
  std::condition_variable controller_wake_;
  std::condition_variable rate_wake_;  // nothing more is to come

  ReceiverSlot slot_;

  mutable std::mutex mutex_;                      // guards what follows; before the slot's
  std::vector<std::unique_ptr<Stream>> streams_;  // ended ones too: a number is used once
  Carried first_carried_;
  std::uint64_t carried_bytes_ = 0;
  std::uint32_t last_request_ = 0;
  std::optional<wire::Put> put_;  // under way, and not asked for by the host yet
  std::optional<Error> failed_;
  bool closing_ = false;
  bool is_writer_over_ = false;
  std::condition_variable some_over_;  // the writer, or a stream
  bool streams_begun_ = false;
  unsigned streams_granted_ = 0;
  bool is_loss_based_ = false;  // whoever gives

  std::atomic<unsigned> further_streams_ = 0;  // that stand
  std::atomic<unsigned> streams_at_most_ = 0;
  bool greeted_ = false;                       // the reader's: Hello came
  std::optional<VersionNames> version_names_;  // the reader's
  std::atomic<bool> is_plain_ = false;
  std::optional<TimePoint> first_byte_;
  std::string shown_root_;
};

}  // namespace wormhole::transfer
