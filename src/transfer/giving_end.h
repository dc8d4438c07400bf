// The end of a session that gives: requests come in by one connection, data leaves by all of them.
//
// on_message() is called by the thread that reads the first connection and never blocks;
// first_connection() is for the thread that writes it, send_all() for each further stream's. The
// rest: any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/block.h"
#include "base/clock.h"
#include "base/result.h"
#include "session/connection.h"
#include "transfer/codecs.h"
#include "transfer/control_writer.h"
#include "transfer/data_sender.h"
#include "transfer/giver.h"
#include "transfer/shares.h"

namespace wormhole::transfer {

class GivingEnd {
 public:
  // All outlive it.
  GivingEnd(const Shares& shares, session::SealedWriter& first, ControlWriter& control,
            Codecs& codecs, const Clock& clock, DataSender::OnSent on_sent = nullptr);
  GivingEnd(const GivingEnd&) = delete;
  GivingEnd& operator=(const GivingEnd&) = delete;

  // What both ends have said of how data may travel. Before the first request.
  void agree(bool plain, bool compression) {
    plain_ = plain;
    compression_ = compression && !plain;
  }

  // False: it is no message for a giver.
  [[nodiscard]] Result<bool> on_message(const wire::Message& message);
  // What the first connection carries besides control: only until further streams do.
  [[nodiscard]] DataSource& first_connection() { return first_connection_; }
  // Gives on a further stream until that is to end, and ends it in order.
  [[nodiscard]] Result<void> send_all(session::Connection& connection, Block& block);

  [[nodiscard]] Giver& giver() { return giver_; }
  [[nodiscard]] const GivenCounters& counters() const { return giver_.counters(); }

 private:
  class FirstConnectionData final : public DataSource {
   public:
    explicit FirstConnectionData(GivingEnd& end) : end_(end) {}
    bool take() override;
    Result<void> send_one(Block& block) override;

   private:
    [[nodiscard]] bool hands_over() const;

    GivingEnd& end_;
    std::uint64_t sent_bytes_ = 0;
    std::optional<DataSender> sender_;
  };

  [[nodiscard]] DataSender make_sender(session::SealedWriter& writer);

  session::SealedWriter& first_;
  ControlWriter& control_;
  Codecs& codecs_;
  const Clock& clock_;
  const DataSender::OnSent on_sent_;
  Giver giver_;
  FirstConnectionData first_connection_{*this};
  std::atomic<bool> plain_ = false;
  std::atomic<bool> compression_ = false;
  std::atomic<unsigned> data_streams_ = 0;             // further streams that carry data
  std::atomic<std::uint64_t> further_sent_bytes_ = 0;  // by them, so far
};

}  // namespace wormhole::transfer
