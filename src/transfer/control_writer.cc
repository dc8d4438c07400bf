#include "transfer/control_writer.h"

#include <algorithm>

namespace wormhole::transfer {

ControlWriter::ControlWriter(session::SealedWriter& writer, BlockPool& pool)
    : writer_(writer), block_(pool.acquire()) {}

void ControlWriter::push(wire::Message message) {
  std::scoped_lock lock(mutex_);
  if (closed_) return;
  if (messages_.size() >= kControlStandingMax) {
    overflowed_ = true;
    return;
  }
  messages_.push_back(std::move(message));
  wake_.notify_one();
}

Result<void> ControlWriter::check_read() const {
  std::scoped_lock lock(mutex_);
  if (!overflowed_) return {};
  return fail({.code = Code::kProtocol,
               .operation = "answer",
               .detail = "the other side does not read what it asks for"});
}

bool ControlWriter::push_waiting(wire::Message message) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return closed_ || messages_.size() < kControlWaitingMax; });
  if (closed_) return false;
  messages_.push_back(std::move(message));
  wake_.notify_one();
  return true;
}

void ControlWriter::add_credit(std::uint32_t request, std::uint32_t entries) {
  std::scoped_lock lock(mutex_);
  if (closed_) return;
  credit_[request] += entries;
  wake_.notify_one();
}

void ControlWriter::poke() {
  std::scoped_lock lock(mutex_);
  poked_ = true;
  wake_.notify_one();
}

void ControlWriter::close() {
  std::scoped_lock lock(mutex_);
  closed_ = true;
  wake_.notify_one();
  room_.notify_all();
}

Result<void> ControlWriter::run(DataSource* data) {
  bool looks_for_data = data != nullptr;
  while (true) {
    // First data in hand, then a look at the messages: what announces that data was pushed
    // before the data could be taken, so it is seen here and leaves first.
    const bool in_hand = looks_for_data && data->take();
    looks_for_data = in_hand;
    std::optional<wire::Message> message;
    {
      std::unique_lock lock(mutex_);
      const auto something = [&] {
        return closed_ || poked_ || !messages_.empty() || !credit_.empty();
      };
      if (!in_hand && !wake_.wait_for(lock, kPingInterval, something)) {
        message = wire::Ping{};
      }
      if (poked_) {
        poked_ = false;
        looks_for_data = data != nullptr;
      }
      if (!messages_.empty()) {
        message = std::move(messages_.front());
        messages_.pop_front();
        room_.notify_one();
      } else if (!credit_.empty()) {
        const auto [request, entries] = *credit_.begin();
        message = wire::Credit{request, std::min(entries, kOpenEntriesMax)};
        if (entries > kOpenEntriesMax) {
          credit_.begin()->second -= kOpenEntriesMax;
        } else {
          credit_.erase(credit_.begin());
        }
      } else if (closed_) {
        return {};
      }
    }
    if (message.has_value()) {
      WH_TRY(send(*message));
    } else if (in_hand) {
      WH_TRY(data->send_one(block_));
    }
  }
}

Result<void> ControlWriter::send(const wire::Message& message) {
  WH_ASSIGN(const std::size_t size, wire::encode(message, block_.payload()));
  return writer_.send(
      {.payload_bytes = static_cast<std::uint32_t>(size), .type = wire::FrameType::kControl},
      block_);
}

}  // namespace wormhole::transfer
