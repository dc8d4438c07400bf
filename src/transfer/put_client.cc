#include "transfer/put_client.h"

#include <utility>

#include "transfer/failure.h"
#include "transfer/taken_counts.h"

namespace wormhole::transfer {
namespace {

constexpr std::string_view kOperation = "put";

Error broken(std::string_view why) {
  return {
      .code = Code::kProtocol, .operation = std::string(kOperation), .detail = std::string(why)};
}

// The host's words, or our own giver's, that the host has passed on.
Error failure_of(const wire::NotTaken& failed) {
  Error error = remote_failure(failed.code, failed.path, failed.reason);
  error.operation = kOperation;
  error.is_peers = !failed.by_giver;
  if (failed.by_giver && error.code == Code::kRemoteIo) error.code = Code::kLocalIo;
  if (!failed.by_giver && error.code == Code::kExists) {
    error.advice = "use --overwrite to replace it";
  }
  return error;
}

}  // namespace

Result<void> PutClient::on_message(const wire::Message& message) {
  if (wire::request_of(message) != request_) return fail(broken("an answer to no request"));
  if (const auto* taken = std::get_if<wire::Taken>(&message)) {
    set_from(*taken, counters_);
    {
      std::scoped_lock lock(mutex_);
      shown_root_ = taken->root;
    }
    if (taken->last) finish(Result<void>());
    return {};
  }
  if (const auto* failed = std::get_if<wire::NotTaken>(&message)) {
    events_.on_failed(failed->path, failure_of(*failed));
    return {};
  }
  if (const auto* planned = std::get_if<wire::Planned>(&message)) {
    if (on_planned_ == nullptr) return fail(broken("the host plans what is to be done"));
    return on_planned_(*planned);
  }
  if (const auto* refused = std::get_if<wire::Refused>(&message)) {
    Error error = remote_failure(refused->code, "", refused->reason);
    error.operation = kOperation;
    finish(fail(std::move(error)));
    return {};
  }
  return fail(broken("unexpected message " + std::string(wire::message_name(message))));
}

Result<void> PutClient::on_frame(const wire::FrameHeader& /*received*/, Block& /*block*/,
                                 bool /*on_first_connection*/) {
  return fail(broken("data from a taker"));
}

void PutClient::finish(Result<void> result) {
  std::scoped_lock lock(mutex_);
  if (!result_.has_value()) result_ = std::move(result);
  over_.notify_all();
}

Result<void> PutClient::wait() {
  std::unique_lock lock(mutex_);
  over_.wait(lock, [&] { return result_.has_value(); });
  return *result_;
}

bool PutClient::is_over() const {
  std::scoped_lock lock(mutex_);
  return result_.has_value();
}

std::string PutClient::shown_root() const {
  std::scoped_lock lock(mutex_);
  return shown_root_;
}

}  // namespace wormhole::transfer
