// Who takes the answers to the request that is under way, held while any thread is at it.
//
// Any thread. Requests are numbered upwards and come one after another; late words about one that
// is over are nobody's offence.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/result.h"
#include "transfer/receiver.h"

namespace wormhole::transfer {

class ReceiverSlot {
 public:
  ReceiverSlot() = default;
  ReceiverSlot(const ReceiverSlot&) = delete;
  ReceiverSlot& operator=(const ReceiverSlot&) = delete;

  // Precondition: none is in it.
  void put_in(std::uint32_t request, std::shared_ptr<Receiver> receiver);
  // The request is over: no thread is at its receiver any more, nor comes to it.
  void take_out();
  // This request, and all before it, are over.
  void end(std::uint32_t request);
  [[nodiscard]] bool is_over(std::uint32_t request) const;
  [[nodiscard]] bool is_under_way(std::uint32_t request) const;

  struct Release {
    ReceiverSlot* slot = nullptr;
    void operator()(Receiver* /*receiver*/) const { slot->release(); }
  };
  using Held = std::unique_ptr<Receiver, Release>;
  // Null: late words. kProtocol: nobody asked for that. 0 is whichever is under way.
  [[nodiscard]] Result<Held> hold(std::uint32_t request);

  // A frame of data, from any stream, to whom it is for.
  [[nodiscard]] Result<void> on_frame(const wire::FrameHeader& header, Block& block,
                                      bool on_first_connection);

  // The request ends from outside, if there is one.
  void fail_with(const Error& error);

  struct Progress {
    std::uint64_t taken_bytes = 0;
    std::optional<std::uint64_t> left_bytes;
  };
  // nullopt: no request is under way.
  [[nodiscard]] std::optional<Progress> progress() const;

 private:
  void release();

  mutable std::mutex mutex_;
  std::condition_variable free_;
  std::shared_ptr<Receiver> receiver_;
  std::uint32_t request_ = 0;
  std::uint32_t ended_request_ = 0;
  unsigned users_ = 0;
};

}  // namespace wormhole::transfer
