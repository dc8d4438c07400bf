// One file's bytes in their order, to whoever wants them as they come: a pipe.
//
// For a session with one connection: there the data of a single file comes from its beginning to
// its end, and anything else is kProtocol. Nothing is kept, so nothing is gone on with.
// Threads: those of Receiver; the sink is called by the thread that reads the connection.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "transfer/codecs.h"
#include "transfer/receiver.h"

namespace wormhole::transfer {

class FileStream final : public Receiver {
 public:
  // Where the bytes go; its error ends the request.
  using Sink = std::function<Result<void>(Bytes)>;

  // `name`: the last part of the path that was asked for, or empty. `codecs`: null where nothing
  // may come compressed.
  FileStream(std::uint32_t request, std::string name, Sink sink, Codecs* codecs, const Clock& clock)
      : request_(request),
        name_(std::move(name)),
        sink_(std::move(sink)),
        codecs_(codecs),
        clock_(clock) {}

  [[nodiscard]] Result<void> on_message(const wire::Message& message) override;
  [[nodiscard]] Result<void> on_frame(const wire::FrameHeader& received, Block& block,
                                      bool on_first_connection) override;
  void fail_with(Error error) override;
  [[nodiscard]] bool is_over() const override;
  [[nodiscard]] std::uint64_t taken_bytes() const override { return taken_; }
  [[nodiscard]] std::optional<std::uint64_t> left_bytes() const override;

  // Until every byte was passed on, or something failed.
  [[nodiscard]] Result<void> wait();
  [[nodiscard]] std::optional<TimePoint> first_byte() const { return first_byte_; }

 private:
  Result<void> on_entries(const wire::Entries& entries);
  Result<void> on_failed(const wire::Failed& failed) const;
  Result<void> on_pack(Bytes payload);
  Result<void> on_bytes(std::uint64_t file, std::uint64_t offset, Bytes data);
  Result<void> on_hole(std::uint64_t file, std::uint64_t offset, std::uint64_t length);
  Result<void> expect(std::uint64_t file, std::uint64_t offset, std::uint64_t length) const;
  void complete_if_all_came();

  const std::uint32_t request_;
  const std::string name_;
  const Sink sink_;
  Codecs* const codecs_;
  const Clock& clock_;

  // The reading thread's.
  bool is_announced_ = false;
  bool is_listed_ = false;
  bool is_sparse_ = false;
  std::optional<TimePoint> first_byte_;
  std::atomic<std::uint64_t> size_ = 0;
  std::atomic<std::uint64_t> taken_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable over_;
  bool complete_ = false;
  std::optional<Error> error_;
};

}  // namespace wormhole::transfer
