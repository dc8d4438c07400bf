#include "transfer/giving_end.h"

#include <utility>

namespace wormhole::transfer {
namespace {

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "give", .detail = std::string(why)};
}

}  // namespace

// Data on the first connection: only until further streams carry it, so that control never waits
// behind a slow taker's disk. Until they have carried as much as this one: a fresh stream starts
// slowly (RFC 5681), and what the first has found out about the path would be idle meanwhile.
bool GivingEnd::FirstConnectionData::take() {
  if (sender_.has_value() && sender_->has_work()) return true;
  if (hands_over()) return false;
  const std::size_t frame = sender_.has_value() ? sender_->frame_bytes() : kFirstFrameBytes;
  auto work = end_.giver_.next_now(frame, end_.data_streams_ + 1);
  if (!work.has_value()) return false;
  if (!sender_.has_value()) sender_.emplace(end_.make_sender(end_.first_));
  sender_->take(std::move(*work));
  return true;
}

Result<void> GivingEnd::FirstConnectionData::send_one(Block& block) {
  const bool last = hands_over() || sender_->holds_too_much();
  const std::uint64_t before = end_.first_.wire_bytes();
  WH_TRY(sender_->step(block, last));
  sent_bytes_ += end_.first_.wire_bytes() - before;
  if (!last) return {};
  if (auto rest = sender_->take_rest()) end_.giver_.give_back(std::move(*rest));
  return {};
}

bool GivingEnd::FirstConnectionData::hands_over() const {
  const bool caught_up = end_.data_streams_ > 0 && end_.further_sent_bytes_ >= sent_bytes_;
  return caught_up || end_.giver_.is_ending(0);
}

GivingEnd::GivingEnd(const Shares& shares, session::SealedWriter& first, ControlWriter& control,
                     Codecs& codecs, const Clock& clock, DataSender::OnSent on_sent)
    : first_(first),
      control_(control),
      codecs_(codecs),
      clock_(clock),
      on_sent_(std::move(on_sent)),
      giver_(shares, control) {}

Result<bool> GivingEnd::on_message(const wire::Message& message) {
  Result<void> done;
  if (const auto* get = std::get_if<wire::Get>(&message)) {
    done = giver_.on_get(*get);
  } else if (const auto* list = std::get_if<wire::List>(&message)) {
    done = giver_.on_list(*list);
  } else if (const auto* want = std::get_if<wire::Want>(&message)) {
    done = giver_.on_want(*want);
  } else if (const auto* chunks = std::get_if<wire::WantChunks>(&message)) {
    done = giver_.on_want_chunks(*chunks);
  } else if (const auto* fine = std::get_if<wire::WantFineChunks>(&message)) {
    done = giver_.on_want_fine_chunks(*fine);
  } else if (const auto* ranges = std::get_if<wire::WantRanges>(&message)) {
    done = giver_.on_want_ranges(*ranges);
  } else if (const auto* credit = std::get_if<wire::Credit>(&message)) {
    done = giver_.on_credit(*credit);
  } else if (const auto* again = std::get_if<wire::Again>(&message)) {
    if (!plain_) return fail(broken("encrypted data asked for again"));
    done = giver_.on_again(*again);
  } else if (const auto* cancel = std::get_if<wire::Cancel>(&message)) {
    giver_.on_cancel(cancel->request);
  } else if (const auto* failed = std::get_if<wire::Failed>(&message)) {
    giver_.on_dropped(failed->request, failed->file);
  } else {
    return false;
  }
  if (!done.has_value()) return fail(done.error());
  return true;
}

DataSender GivingEnd::make_sender(session::SealedWriter& writer) {
  return {writer, giver_.counters(), clock_, plain_, compression_ ? &codecs_ : nullptr, on_sent_};
}

Result<void> GivingEnd::send_all(session::Connection& connection, Block& block) {
  DataSender sender = make_sender(*connection.writer);
  ++data_streams_;
  while (true) {
    auto work = giver_.next_waiting(connection.stream, sender, data_streams_);
    if (!work.has_value()) break;
    sender.take(std::move(*work));
    while (sender.has_work()) {
      const bool last = giver_.is_ending(connection.stream) || sender.holds_too_much() ||
                        giver_.comes_too_late(connection.stream, sender);
      const std::uint64_t before = connection.writer->wire_bytes();
      WH_TRY(sender.step(block, last));
      further_sent_bytes_ += connection.writer->wire_bytes() - before;
      if (!last) continue;
      if (auto rest = sender.take_rest()) giver_.give_back(std::move(*rest));
    }
  }
  if (--data_streams_ == 0) control_.poke();
  WH_TRY(sender.send_end(block));
  connection.socket.finish_sending();
  return {};
}

}  // namespace wormhole::transfer
