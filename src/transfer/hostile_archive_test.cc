// Hostile owners and attributes, part of the table of attacks.
#include "base/limits.h"
#include "transfer/hostile_attacks.h"

namespace wormhole::transfer::testing {

wire::Entry with(wire::Entry entry, wire::Archived archived) {
  entry.archived = std::make_shared<const wire::Archived>(std::move(archived));
  return entry;
}

namespace {

using wire::Archived;
using wire::Entry;

const std::map<std::string, std::string> kOk = {{"ok", std::string(kOkContent)}};

Entry with_one(Entry entry, std::string name, std::string value = "x") {
  return with(std::move(entry), {.attributes = {{std::move(name), std::move(value)}}});
}

}  // namespace

std::vector<Attack> archive_attacks() {
  std::vector<Attack> attacks;
  const auto add = [&](const std::string& name, bool archives, std::string says, std::string names,
                       const Entry& third, std::map<std::string, std::string> arrives = kOk) {
    attacks.push_back({.name = "archive-" + name,
                       .victim_archives = archives,
                       .names = std::move(names),
                       .says = std::move(says),
                       .arrives = std::move(arrives),
                       .script = answer([third](Talk& talk) {
                         talk.begin_well();
                         talk.entries(2, {third});
                         talk.give(2, "x");
                         talk.end_well(3);
                       })});
  };
  const Entry x = file(0, "x", 1);
  add("unasked-owner", false, "unasked", "x", with(x, {.owner = 0}));
  add("unasked-attribute", false, "unasked", "x", with_one(x, "user.a"));
  const std::string capability("\x01\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 20);
  const std::pair<const char*, std::string> forbidden[] = {
      {"capability", "security.capability"},
      {"selinux", "security.selinux"},
      {"trusted", "trusted.overlay.opaque"},
      {"system", "system.nfs4_acl"},
      {"no-namespace", "a"},
      {"nothing-behind-user", "user."},
      {"nul", std::string("user.a\0b", 8)},
      {"nul-behind-acl", std::string("system.posix_acl_access\0", 24)},
      {"upper-case", "USER.a"}};
  for (const auto& [name, attribute] : forbidden) {
    add(name, true, "not to be taken", "x", with_one(x, attribute, capability));
  }
  add("capability-of-a-directory", true, "not to be taken", "d",
      with_one(directory(0, "d"), "security.capability", capability));
  add("attribute-of-a-symlink", true, "attributes of a symlink", "Entries",
      with_one(link(0, "l", "t"), "user.a"));
  add("owner-nobody", true, "owner out of range", "Entries", with(x, {.owner = UINT32_MAX}));
  add("group-nobody", true, "owner out of range", "Entries", with(x, {.group = UINT32_MAX}));
  add("nul-in-a-name", true, "NUL", "Entries",
      with(x, {.owner = 7, .owner_name = std::string("root\0x", 6)}));
  add("long-name", true, "too long", "Entries",
      with(x, {.owner_name = std::string(kAccountNameMaxBytes + 1, 'n')}));
  add("long-attribute-name", true, "too long", "Entries",
      with_one(x, "user." + std::string(kAttributeNameMaxBytes, 'n')));
  add("large-attribute", true, "too long", "Entries",
      with_one(x, "user.a", std::string(kAttributesMaxBytes, 'v')));
  Archived many;
  many.attributes.assign(kAttributesMax + 1, {"user.a", ""});
  add("many-attributes", true, "too many attributes", "Entries", with(x, many));
  add("time", true, "time out of range", "Entries", with(x, {.atime_nanoseconds = 1'000'000'000}));
  attacks.push_back({.name = "archive-capability-of-the-root",
                     .victim_archives = true,
                     .says = "not to be taken",
                     .script = answer([](Talk& talk) {
                       talk.entries(0, {with_one(root_directory(), "security.capability")});
                     })});
  // Each within its limit, and a gigabyte all together.
  attacks.push_back({.name = "archive-more-than-the-credit",
                     .victim_archives = true,
                     .says = "more than it may",
                     .arrives = kOk,
                     .script = answer([](Talk& talk) {
                       talk.begin_well();
                       for (std::uint64_t id = 2; id < kOpenEntriesMax; ++id) {
                         talk.entries(id, {with_one(file(0, "f" + std::to_string(id), 1), "user.a",
                                                    std::string(60'000, 'v'))});
                       }
                     })});
  // The same in directories that do not end.
  const auto costly = [](std::uint64_t id) {
    return with_one(directory(0, "d" + std::to_string(id)), "user.a", std::string(60'000, 'v'));
  };
  std::map<std::string, std::string> within_credit;
  const std::uint64_t last = (kOpenEntriesMax - 1) / costly(1).cost();
  for (std::uint64_t id = 1; id <= last; ++id) within_credit["d" + std::to_string(id) + "/"] = "";
  attacks.push_back({.name = "archive-without-end",
                     .victim_archives = true,
                     .says = "more than it may",
                     .arrives = within_credit,
                     .script = answer([costly, last](Talk& talk) {
                       talk.entries(0, {root_directory()});
                       for (std::uint64_t id = 1; id <= last + 1; ++id) {
                         talk.entries(id, {costly(id)});
                       }
                     })});
  // What the kernel does not take is counted, and the file is whole.
  attacks.push_back({.name = "archive-rubbish",
                     .victim_archives = true,
                     .ends = std::nullopt,
                     .arrives = {{"ok", std::string(kOkContent)}, {"x", "x"}, {"y", "y"}},
                     .script = answer([x](Talk& talk) {
                       talk.begin_well();
                       talk.entries(2, {with_one(x, "system.posix_acl_access", "rubbish"),
                                        with_one(file(0, "y", 1), "system.posix_acl_default",
                                                 std::string("\2\0\0\0", 4))});
                       talk.give(2, "x");
                       talk.give(3, "y");
                       talk.end_well(4);
                     })});
  return attacks;
}

}  // namespace wormhole::transfer::testing
