// The taker of a listing: entries as they come, credit back as they are taken.
//
// Threads: those of Receiver; the sinks are called by the one that reads the first connection.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "transfer/control_writer.h"
#include "transfer/receiver.h"

namespace wormhole::transfer {

struct Listing {
  std::string path;  // relative to what was asked for; "" for the root
  wire::Entry entry;
};

// As people name what on_failed tells of: a directory itself, which cannot be read to its end, ends
// with a slash there, and is "" where it is what was asked for.
[[nodiscard]] std::string shown_unlisted(std::string path);

class Lister final : public Receiver {
 public:
  // Each entry as it comes, in the order of transfer/tree_walker.h; an error ends the listing.
  using Sink = std::function<Result<void>(const Listing&)>;
  // What could not be listed.
  using OnFailed = std::function<void(const Error&)>;

  Lister(std::uint32_t request, ControlWriter& control, Sink sink, OnFailed on_failed)
      : request_(request),
        control_(control),
        sink_(std::move(sink)),
        on_failed_(std::move(on_failed)) {}

  [[nodiscard]] Result<void> on_message(const wire::Message& message) override;
  [[nodiscard]] Result<void> on_frame(const wire::FrameHeader& received, Block& block,
                                      bool on_first_connection) override;
  void fail_with(Error error) override { finish(fail(std::move(error))); }
  [[nodiscard]] bool is_over() const override;
  [[nodiscard]] std::uint64_t taken_bytes() const override { return 0; }
  [[nodiscard]] std::optional<std::uint64_t> left_bytes() const override { return 0; }

  // Until all is listed, or fail_with().
  [[nodiscard]] Result<void> wait();

 private:
  Result<void> on_entries(const wire::Entries& entries);
  Result<void> on_entry(std::uint64_t id, const wire::Entry& entry);
  void finish(Result<void> result);

  const std::uint32_t request_;
  ControlWriter& control_;
  const Sink sink_;
  const OnFailed on_failed_;
  std::uint64_t next_ = 0;
  std::unordered_map<std::uint64_t, std::string> directories_;

  mutable std::mutex mutex_;
  std::condition_variable over_;
  std::optional<Result<void>> result_;
};

}  // namespace wormhole::transfer
