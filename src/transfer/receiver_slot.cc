#include "transfer/receiver_slot.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace wormhole::transfer {

void ReceiverSlot::put_in(std::uint32_t request, std::shared_ptr<Receiver> receiver) {
  std::scoped_lock lock(mutex_);
  WH_CHECK(receiver_ == nullptr);
  request_ = request;
  receiver_ = std::move(receiver);
}

void ReceiverSlot::take_out() {
  std::unique_lock lock(mutex_);
  ended_request_ = std::max(ended_request_, request_);
  free_.wait(lock, [&] { return users_ == 0; });
  receiver_ = nullptr;
}

void ReceiverSlot::end(std::uint32_t request) {
  std::scoped_lock lock(mutex_);
  ended_request_ = std::max(ended_request_, request);
}

bool ReceiverSlot::is_over(std::uint32_t request) const {
  std::scoped_lock lock(mutex_);
  return request != 0 && request <= ended_request_;
}

bool ReceiverSlot::is_under_way(std::uint32_t request) const {
  std::scoped_lock lock(mutex_);
  return receiver_ != nullptr && request == request_ && request > ended_request_;
}

Result<ReceiverSlot::Held> ReceiverSlot::hold(std::uint32_t request) {
  std::scoped_lock lock(mutex_);
  if (request != 0 && request <= ended_request_) return Held(nullptr, Release{this});
  if (receiver_ == nullptr) {
    return fail({.code = Code::kProtocol,
                 .operation = "take data",
                 .detail = "the other side sent what was not asked for"});
  }
  if (receiver_->is_over()) return Held(nullptr, Release{this});
  ++users_;
  return Held(receiver_.get(), Release{this});
}

void ReceiverSlot::release() {
  std::scoped_lock lock(mutex_);
  --users_;
  free_.notify_all();
}

Result<void> ReceiverSlot::on_frame(const wire::FrameHeader& header, Block& block,
                                    bool on_first_connection) {
  std::uint32_t request = header.request;
  if (header.type == wire::FrameType::kControl) {
    WH_ASSIGN(const auto message, wire::decode(Bytes(block.payload()).first(header.payload_bytes)));
    request = wire::request_of(message);
  }
  WH_ASSIGN(const auto receiver, hold(request));
  return receiver == nullptr ? Result<void>()
                             : receiver->on_frame(header, block, on_first_connection);
}

void ReceiverSlot::fail_with(const Error& error) {
  std::shared_ptr<Receiver> receiver;
  {
    std::scoped_lock lock(mutex_);
    receiver = receiver_;
  }
  if (receiver != nullptr) receiver->fail_with(error);
}

std::optional<ReceiverSlot::Progress> ReceiverSlot::progress() const {
  std::scoped_lock lock(mutex_);
  if (receiver_ == nullptr) return std::nullopt;
  return Progress{receiver_->taken_bytes(), receiver_->left_bytes()};
}

}  // namespace wormhole::transfer
