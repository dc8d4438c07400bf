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
Error failure_of(wire::FailureCode code, std::string path, std::string reason, bool by_giver) {
  Error error = remote_failure(code, std::move(path), std::move(reason));
  error.operation = kOperation;
  error.is_peers = !by_giver;
  if (by_giver && error.code == Code::kRemoteIo) error.code = Code::kLocalIo;
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
    Error error = failure_of(failed->code, failed->path, failed->reason, failed->by_giver);
    if (failed->is_replaceable) error.advice = "use --overwrite to replace it";
    events_.on_failed(failed->path, error);
    return {};
  }
  if (const auto* planned = std::get_if<wire::Planned>(&message)) {
    if (on_planned_ == nullptr) return fail(broken("the host plans what is to be done"));
    return on_planned_(*planned);
  }
  if (const auto* refused = std::get_if<wire::Refused>(&message)) {
    finish(fail(failure_of(refused->code, "", refused->reason, refused->by_giver)));
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
