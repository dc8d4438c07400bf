// For tests: what a hostile host does to who fetches from it or lists it, and what must come of
// it. One table, played in process against the client and by lab/evil_host against the binary.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "transfer/hostile_peer.h"

namespace wormhole::transfer::testing {

struct Attack {
  std::string name;
  bool on_list = false;          // against `ls -R`, else against `get`
  bool victim_is_plain = false;  // the victim asked for unencrypted data
  bool victim_expands = true;    // it takes compressed data
  bool victim_archives = false;  // it asked for owners and attributes
  // How the command ends; nullopt: it goes on to the end, perhaps without some entries.
  std::optional<Code> ends = Code::kProtocol;
  std::string names = {};  // what the error's object is, where it concerns one entry
  std::string says = {};   // part of the error's detail
  // Entries that are reported and left out.
  std::map<std::string, Code> fails = {};
  // What stands at the destination afterwards: "name" -> content, "name/" -> "", and
  // "name" -> "-> target".
  std::map<std::string, std::string> arrives = {};
  EvilHost::Script script = nullptr;
};

// `outside` is a directory that no attack may reach.
[[nodiscard]] std::vector<Attack> all_attacks(const std::string& outside);

// The parts of it.
[[nodiscard]] std::vector<Attack> name_attacks();
[[nodiscard]] std::vector<Attack> link_attacks(const std::string& outside);
[[nodiscard]] std::vector<Attack> entry_attacks();
[[nodiscard]] std::vector<Attack> archive_attacks();
[[nodiscard]] std::vector<Attack> data_attacks();
[[nodiscard]] std::vector<Attack> plain_attacks();
[[nodiscard]] std::vector<Attack> compressed_attacks();
[[nodiscard]] std::vector<Attack> message_attacks();
[[nodiscard]] std::vector<Attack> stream_attacks();
[[nodiscard]] std::vector<Attack> list_attacks();

// --- what scripts are made of ------------------------------------------------------------------

// A session in which the other side has asked for something.
struct Talk {
  EvilHost& host;
  Peer& first;
  std::uint32_t request = 0;
  bool may_have = false;
  std::uint64_t decided = 0;
  std::set<std::uint64_t> wanted = {};

  // The whole of a small file, if the other side wants it.
  void give(std::uint64_t id, std::string_view content);
  void entries(std::uint64_t first_id, std::vector<wire::Entry> entries);
  void listed(std::uint64_t entries);
  // The root directory, one file "ok" in it with its content, and nothing wrong yet: ids 0 and 1.
  void begin_well();
  // Ends the root directory as entry `id` and says that this was all.
  void end_well(std::uint64_t id);
};
using Talking = std::function<void(Talk&)>;

// Greets, waits for the request, lets `talking` answer it, waits until the other side hangs up.
[[nodiscard]] EvilHost::Script answer(Talking talking, wire::Hello hello = {.streams_max = 4});

inline constexpr std::string_view kOkContent = "as it should be";

[[nodiscard]] wire::Entry directory(std::uint64_t parent, std::string name,
                                    std::uint16_t mode = 0755);
[[nodiscard]] wire::Entry root_directory();
[[nodiscard]] wire::Entry file(std::uint64_t parent, std::string name, std::uint64_t size);
[[nodiscard]] wire::Entry sparse(std::uint64_t parent, std::string name, std::uint64_t size);
[[nodiscard]] wire::Entry link(std::uint64_t parent, std::string name, std::string target);
[[nodiscard]] wire::Entry end_of(std::uint64_t id);
// The same entry, with what it is to have besides.
[[nodiscard]] wire::Entry with(wire::Entry entry, wire::Archived archived);

}  // namespace wormhole::transfer::testing
