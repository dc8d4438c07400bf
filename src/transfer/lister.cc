#include "transfer/lister.h"

#include <utility>

#include "base/limits.h"
#include "platform/file_system.h"
#include "transfer/failure.h"

namespace wormhole::transfer {
namespace {

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "list", .detail = std::string(why)};
}

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace

std::string shown_unlisted(std::string path) {
  if (path.ends_with('/')) path.pop_back();
  return path.empty() ? "." : path;
}

Result<void> Lister::on_message(const wire::Message& message) {
  if (const auto* entries = std::get_if<wire::Entries>(&message)) {
    if (entries->request != request_) return fail(broken("entries of no request"));
    return on_entries(*entries);
  }
  if (const auto* failed = std::get_if<wire::Failed>(&message)) {
    if (failed->request != request_) return fail(broken("a failure of no request"));
    const auto parent = directories_.find(failed->parent);
    const std::string path =
        parent == directories_.end() ? failed->name : joined(parent->second, failed->name);
    on_failed_(remote_failure(failed->code, path, failed->reason));
    return {};
  }
  if (const auto* refused = std::get_if<wire::Refused>(&message)) {
    if (refused->request != request_) return fail(broken("a refusal of no request"));
    return fail(remote_failure(refused->code, "", refused->reason));
  }
  if (const auto* listed = std::get_if<wire::Listed>(&message)) {
    if (listed->request != request_) return fail(broken("a list of no request"));
    if (listed->entries != next_ || next_ == 0) return fail(broken("wrong count of entries"));
    if (!directories_.empty()) return fail(broken("a directory was left open"));
    finish(Result<void>());
    return {};
  }
  return fail(broken("unexpected message in a listing"));
}

Result<void> Lister::on_frame(const wire::FrameHeader& /*received*/, Block& /*block*/,
                              bool /*on_first_connection*/) {
  return fail(broken("data in a listing"));
}

Result<void> Lister::on_entries(const wire::Entries& entries) {
  if (entries.first_id != next_) return fail(broken("entries out of order"));
  std::uint32_t taken = 0;
  for (const wire::Entry& entry : entries.entries) {
    const std::uint64_t id = next_++;
    if (entry.type == wire::EntryType::kDirectoryEnd) {
      if (directories_.erase(entry.parent) == 0) return fail(broken("end of no directory"));
      continue;
    }
    ++taken;
    WH_TRY(on_entry(id, entry));
  }
  if (taken > 0) control_.add_credit(request_, taken);
  return {};
}

Result<void> Lister::on_entry(std::uint64_t id, const wire::Entry& entry) {
  std::string path;
  // Several shares at once are a directory without a name.
  if (id != 0 || entry.type != wire::EntryType::kDirectory) {
    WH_TRY(platform::check_name(entry.name));
  }
  if (id != 0) {
    const auto parent = directories_.find(entry.parent);
    if (parent == directories_.end()) return fail(broken("entry of no directory"));
    path = joined(parent->second, entry.name);
    if (path.size() > kPathMaxBytes) return fail(broken("a path too long"));
  }
  if (entry.type == wire::EntryType::kDirectory) {
    directories_.emplace(id, path);
    // An honest walk goes down one chain at a time.
    if (directories_.size() > kDepthMax) return fail(broken("too many directories"));
  }
  return sink_({std::move(path), entry});
}

void Lister::finish(Result<void> result) {
  std::scoped_lock lock(mutex_);
  if (!result_.has_value()) result_ = std::move(result);
  over_.notify_all();
}

Result<void> Lister::wait() {
  std::unique_lock lock(mutex_);
  over_.wait(lock, [&] { return result_.has_value(); });
  return *result_;
}

bool Lister::is_over() const {
  std::scoped_lock lock(mutex_);
  return result_.has_value();
}

}  // namespace wormhole::transfer
