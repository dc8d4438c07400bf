#include "transfer/surplus.h"

#include <algorithm>

#include "base/limits.h"
#include "store/hash.h"
#include "transfer/folded_names.h"

namespace wormhole::transfer {
namespace {

using platform::FileType;

std::uint64_t hash_of(std::string_view name) { return std::hash<std::string_view>{}(name); }

class Visit {
 public:
  Visit(const Selector& selector, const SurplusEvents& events)
      : selector_(selector), events_(events) {}

  // Null: nothing in it is known. False: something stays.
  bool directory(const platform::Directory& directory, const std::string& path,
                 const KnownNames* known, std::size_t depth) {
    const auto own = directory.status();
    auto names = own.has_value() ? names_in(directory, known)
                                 : Result<std::vector<std::string>>(fail(own.error()));
    if (!names.has_value()) {
      events_.on_unseen(path, names.error());
      return false;
    }
    bool all_go = true;
    for (const std::string& name : *names) {
      all_go = entry(directory, own->device, name, path + name, known, depth) && all_go;
    }
    return all_go;
  }

 private:
  // All at once: what is removed while a directory is read may hide other entries.
  static Result<std::vector<std::string>> names_in(const platform::Directory& directory,
                                                   const KnownNames* known) {
    std::vector<std::string> names;
    WH_ASSIGN(auto reader, directory.read());
    while (true) {
      WH_ASSIGN(const auto next, reader.next());
      if (!next.has_value()) break;
      if (known == nullptr || !known->contains(next->name)) names.emplace_back(next->name);
    }
    std::ranges::sort(names);
    return names;
  }

  bool entry(const platform::Directory& parent, std::uint64_t device, const std::string& name,
             const std::string& path, const KnownNames* known, std::size_t depth) {
    if (store::is_partial_name(name)) return false;
    const auto status = parent.status_of(name);
    if (!status.has_value()) {
      if (status.error().code == Code::kNotFound) return true;
      events_.on_unseen(path, status.error());
      return false;
    }
    const bool may_be_known = known != nullptr && known->contains_folded(name);
    if (may_be_known && folds_case(parent, name, *status).value_or(false)) return false;
    const bool is_directory = status->type == FileType::kDirectory;
    if (!selector_.takes_path(is_directory ? path + "/" : path)) return false;
    if (!is_directory) return events_.on_surplus(parent, name, path, *status);
    if (status->device != device || depth >= kDepthMax) {
      events_.on_unseen(path,
                        {.code = Code::kLimit,
                         .operation = "delete",
                         .object = path,
                         .detail = depth >= kDepthMax ? "it is too deep"
                                                      : "another file system is mounted there"});
      return false;
    }
    if (!events_.may_empty(path, *status)) return false;
    const auto below = parent.open_directory(name);
    if (!below.has_value()) {
      events_.on_unseen(path, below.error());
      return false;
    }
    return directory(*below, path + "/", nullptr, depth + 1) &&
           events_.on_surplus(parent, name, path, *status);
  }

  const Selector& selector_;
  const SurplusEvents& events_;
};

}  // namespace

void KnownNames::add(std::string_view name) {
  hashes_.push_back(hash_of(name));
  folded_hashes_.push_back(hash_of(folded(name)));
}

void KnownNames::settle() {
  std::ranges::sort(hashes_);
  std::ranges::sort(folded_hashes_);
}

bool KnownNames::contains_folded(std::string_view name) const {
  return std::ranges::binary_search(folded_hashes_, hash_of(folded(name)));
}

bool KnownNames::contains(std::string_view name) const {
  return std::ranges::binary_search(hashes_, hash_of(name));
}

void visit_surplus(const platform::Directory& directory, const std::string& path,
                   const KnownNames& known, const Selector& selector, const SurplusEvents& events) {
  if (!known.is_complete()) return;
  Visit(selector, events).directory(directory, path, &known, 0);
}

}  // namespace wormhole::transfer
