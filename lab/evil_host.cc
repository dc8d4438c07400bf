// A hostile host for the end-to-end tests: plays one attack of src/transfer/hostile_attacks.h
// against whoever joins with the code of those tests, until its standard input ends.
//
//   evil_host --list             every attack, one JSON object a line, and what must come of it
//   evil_host ATTACK OUTSIDE     prints its port; OUTSIDE is a directory no attack may reach
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "transfer/hostile_attacks.h"

namespace {

using wormhole::transfer::testing::Attack;
using wormhole::transfer::testing::EvilHost;

// Names and contents are bytes: in hexadecimal.
std::string hex(std::string_view text) { return wormhole::to_hex(wormhole::as_bytes(text)); }

// Contents above this size are compared by nobody here: only their length is said.
constexpr std::size_t kShownBytes = 4096;

void print(const Attack& attack) {
  std::string fails;
  for (const auto& [path, code] : attack.fails) {
    fails += fmt::format("{}\"{}\":\"{}\"", fails.empty() ? "" : ",", hex(path),
                         wormhole::code_name(code));
  }
  std::string arrives;
  for (const auto& [path, content] : attack.arrives) {
    arrives += fmt::format("{}\"{}\":", arrives.empty() ? "" : ",", hex(path));
    arrives += content.size() > kShownBytes ? fmt::format("{}", content.size())
                                            : fmt::format("\"{}\"", hex(content));
  }
  const std::string_view ends = attack.ends.has_value() ? wormhole::code_name(*attack.ends) : "";
  fmt::print(
      "{{\"name\":\"{}\",\"on_list\":{},\"victim_is_plain\":{},"
      "\"victim_expands\":{},\"victim_archives\":{},\"ends\":\"{}\",\"names\":\"{}\","
      "\"says\":\"{}\",\"fails\":{{{}}},\"arrives\":{{{}}}}}\n",
      attack.name, attack.on_list, attack.victim_is_plain, attack.victim_expands,
      attack.victim_archives, ends, hex(attack.names), attack.says, fails, arrives);
}

int list() {
  for (const Attack& attack : wormhole::transfer::testing::all_attacks("OUTSIDE")) print(attack);
  return 0;
}

int play(const std::string& name, const std::string& outside) {
  auto all = wormhole::transfer::testing::all_attacks(outside);
  const auto attack =
      std::ranges::find_if(all, [&](const Attack& one) { return one.name == name; });
  if (attack == all.end()) {
    fmt::print(stderr, "evil_host: no attack of the name {}\n", name);
    return 2;
  }
  // Once: who comes back for what was lost is hung up on.
  std::atomic<bool> played = false;
  const EvilHost host([&](EvilHost& evil, wormhole::transfer::testing::Peer& first) {
    if (played.exchange(true)) return first.hang_up();
    attack->script(evil, first);
  });
  fmt::print("{}\n", host.address().port);
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") return list();
  if (argc == 3) return play(argv[1], argv[2]);
  fmt::print(stderr, "usage: evil_host --list | evil_host ATTACK OUTSIDE\n");
  return 2;
}
