// What a taker makes of owners, attributes and access times that it asked for (wire::Keeps).
//
// By handle only, before a file has its name, and before its mode is set. What this system does not
// let it keep is counted and told, and is no failure: the file is whole.
// Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "platform/accounts.h"
#include "platform/file_system.h"
#include "transfer/events.h"
#include "wire/messages.h"

namespace wormhole::transfer {

class ArchiveKeeper {
 public:
  // `events` and `counters` outlive it.
  ArchiveKeeper(wire::Keeps keeps, TakerEvents& events, TakenCounters& counters)
      : keeps_(keeps), events_(events), counters_(counters) {}

  // kProtocol where an entry says what was not asked for, or has an attribute that nobody sends.
  [[nodiscard]] Result<void> check(const wire::Entry& entry) const;

  // What else of the user's stands on it.
  enum class Others : bool { kStay, kGo };
  // Owner, group and attributes. `archived` null: the host does not tell. Returns the mode that is
  // to be set next: changing owners drops bits of it, and the group's may be those of an ACL that
  // did not come. Attributes may be set only where the owner may write: such a mode may be there
  // meanwhile.
  [[nodiscard]] std::uint32_t keep(const platform::File& file, const wire::Archived* archived,
                                   std::uint32_t mode, const std::string& path);
  [[nodiscard]] std::uint32_t keep(const platform::Directory& directory,
                                   const wire::Archived* archived, std::uint32_t mode,
                                   const std::string& path, Others others);
  // Of a symlink that is there: owner and group.
  void keep(const platform::Directory& directory, const std::string& name,
            const wire::Archived* archived, const std::string& path);
  // nullopt: that was not asked for.
  [[nodiscard]] std::optional<platform::Timestamp> accessed(const wire::Archived* archived) const;
  // Who will own it here: before that, whoever made it does. nullopt: nobody else.
  [[nodiscard]] std::optional<std::uint32_t> owner(const wire::Archived* archived);

 private:
  template <typename Handle>
  std::uint32_t keep_open(const Handle& handle, const wire::Archived* archived, std::uint32_t mode,
                          const std::string& path, Others others);
  void lose_owner(const std::string& path, const std::string& why);
  void give(int handle, const platform::FileStatus& now, const wire::Archived* archived,
            const std::string& path);
  void lose(std::atomic<std::uint64_t>& counter, std::string_view operation,
            const std::string& path, const std::string& why, std::uint64_t count = 1);

  const wire::Keeps keeps_;
  TakerEvents& events_;
  TakenCounters& counters_;
  platform::Accounts accounts_;
};

}  // namespace wormhole::transfer
