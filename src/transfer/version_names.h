// What a taker calls the versions that one host announced: a name of its own for each, in journals
// of partials and in the index, which that host alone can bring about.
//
// A version is a host's word for exactly these bytes (source_versions.h), and it is told to whoever
// fetches. Were it kept as it was told, a host could repeat another's word over other bytes. So the
// name is a keyed hash of the word and of the key that the host proved to have
// (session/host_identity.h), under a key of this user: another host's same word is another name,
// and nobody else can look for words of the same name. Immutable; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "store/user_secret.h"
#include "wire/messages.h"

namespace wormhole::transfer {

class VersionNames {
 public:
  VersionNames(const store::UserSecret& secret, const wire::HostKey& host);
  // 0, which names nothing, for 0.
  [[nodiscard]] std::uint64_t of(std::uint64_t announced) const;

 private:
  const store::Hash key_;  // for this host
};

// What the host calls its versions becomes what we call them; without names, nothing.
void name_versions_of(const std::optional<VersionNames>& names, wire::Entries& entries);

}  // namespace wormhole::transfer
