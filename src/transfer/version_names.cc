#include "transfer/version_names.h"

#include <algorithm>
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
  const store::Hash name = store::keyed_hash(key_, word);
  return std::max<std::uint64_t>(load_le<std::uint64_t>(name.data()), 1);
}

}  // namespace wormhole::transfer
