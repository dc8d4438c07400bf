#include "transfer/version_names.h"

#include <array>

namespace wormhole::transfer {
namespace {

constexpr std::string_view kPurpose = "wormhole version names 1";

}  // namespace

VersionNames::VersionNames(const store::UserSecret& secret, const wire::HostKey& host)
    : key_(store::keyed_hash(secret.key(kPurpose), host)) {}

std::uint64_t VersionNames::of(std::uint64_t announced) const {
  if (announced == 0) return 0;
  std::array<std::byte, sizeof announced> word;
  store_le(word.data(), announced);
  return store::keyed_name(key_, word);
}

void name_versions_of(const std::optional<VersionNames>& names, wire::Entries& entries) {
  for (wire::Entry& entry : entries.entries) {
    entry.version = names.has_value() ? names->of(entry.version) : 0;
  }
}

}  // namespace wormhole::transfer
