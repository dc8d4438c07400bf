// What a host says of a put, at the end that gives: how far it has got, what did not arrive, that
// it is over. The data goes its own way (transfer/giving_end.h).
//
// Threads: those of Receiver; the sink is called by the one that reads the first connection, and so
// are the events, but for a file that leaves: its stream's thread tells that.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "transfer/events.h"
#include "transfer/receiver.h"

namespace wormhole::transfer {

class PutClient final : public Receiver {
 public:
  // Of a dry run; an error ends the session.
  using OnPlanned = std::function<Result<void>(const wire::Planned&)>;

  // All outlive it. The counters become what the host's are.
  PutClient(std::uint32_t request, TakerEvents& events, TakenCounters& counters,
            OnPlanned on_planned)
      : request_(request),
        events_(events),
        counters_(counters),
        on_planned_(std::move(on_planned)) {}

  [[nodiscard]] Result<void> on_message(const wire::Message& message) override;
  [[nodiscard]] Result<void> on_frame(const wire::FrameHeader& received, Block& block,
                                      bool on_first_connection) override;
  void on_begun(const std::string& path) override { events_.on_file(path); }
  void fail_with(Error error) override { finish(fail(std::move(error))); }
  [[nodiscard]] bool is_over() const override;
  [[nodiscard]] std::uint64_t taken_bytes() const override { return counters_.bytes; }
  [[nodiscard]] std::optional<std::uint64_t> left_bytes() const override {
    return counters_.left_to_come();
  }

  // Until the host is done with it, or fail_with().
  [[nodiscard]] Result<void> wait();
  // Where it went; empty before the host told.
  [[nodiscard]] std::string shown_root() const;

 private:
  void finish(Result<void> result);

  const std::uint32_t request_;
  TakerEvents& events_;
  TakenCounters& counters_;
  const OnPlanned on_planned_;

  mutable std::mutex mutex_;
  std::condition_variable over_;
  std::string shown_root_;
  std::optional<Result<void>> result_;
};

}  // namespace wormhole::transfer
