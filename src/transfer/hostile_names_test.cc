// Attacks by what is announced: names, links, and the order of entries.
#include "base/limits.h"
#include "store/hash.h"
#include "transfer/hostile_attacks.h"

namespace wormhole::transfer::testing {

using wire::Entry;
using wire::EntryType;

Entry directory(std::uint64_t parent, std::string name, std::uint16_t mode) {
  Entry entry;
  entry.type = EntryType::kDirectory;
  entry.parent = parent;
  entry.name = std::move(name);
  entry.mode = mode;
  return entry;
}
Entry file(std::uint64_t parent, std::string name, std::uint64_t size) {
  Entry entry;
  entry.parent = parent;
  entry.name = std::move(name);
  entry.size = size;
  entry.mode = 0644;
  return entry;
}
Entry root_directory() { return directory(wire::kNoEntry, "share"); }
Entry sparse(std::uint64_t parent, std::string name, std::uint64_t size) {
  Entry entry = file(parent, std::move(name), size);
  entry.sparse = true;
  return entry;
}
Entry link(std::uint64_t parent, std::string name, std::string target) {
  Entry entry;
  entry.type = EntryType::kSymlink;
  entry.parent = parent;
  entry.name = std::move(name);
  entry.target = std::move(target);
  return entry;
}
Entry end_of(std::uint64_t id) {
  Entry entry;
  entry.type = EntryType::kDirectoryEnd;
  entry.parent = id;
  return entry;
}

void Talk::entries(std::uint64_t first_id, std::vector<Entry> list) {
  first.say(wire::Entries{request, first_id, std::move(list)});
}

void Talk::give(std::uint64_t id, std::string_view content) {
  while (may_have && decided <= id) {
    const auto want = first.hear_a<wire::Want>();
    if (!want.has_value()) return;
    decided = want->decided;
    wanted.insert(want->files.begin(), want->files.end());
  }
  if (!may_have || wanted.contains(id)) first.data(request, id, 0, content);
}

void Talk::listed(std::uint64_t count) { first.say(wire::Listed{request, count}); }

void Talk::begin_well() {
  entries(0, {root_directory(), file(0, "ok", kOkContent.size())});
  give(1, kOkContent);
}

void Talk::end_well(std::uint64_t id) {
  entries(id, {end_of(0)});
  listed(id + 1);
}

EvilHost::Script answer(Talking talking, wire::Hello hello) {
  return [talking = std::move(talking), hello](EvilHost& host, Peer& first) {
    if (!first.hear_a<wire::Hello>().has_value()) return;
    if (!first.puts()) first.say(hello);
    Talk talk{host, first};
    while (talk.request == 0) {
      const auto message = first.hear();
      if (!message.has_value()) return;
      if (const auto* get = std::get_if<wire::Get>(&*message)) {
        talk.request = get->request;
        talk.may_have = get->may_have;
      }
      if (const auto* list = std::get_if<wire::List>(&*message)) talk.request = list->request;
    }
    talking(talk);
    first.wait_for_end();
  };
}

namespace {

const std::map<std::string, std::string> kOk = {{"ok", std::string(kOkContent)}};

std::map<std::string, std::string> ok_and(std::map<std::string, std::string> more) {
  more.insert(kOk.begin(), kOk.end());
  return more;
}

struct BadName {
  std::string_view label;
  std::string name;
};

std::vector<BadName> bad_names() {
  return {{"parent", "../x"},
          {"absolute", "/x"},
          {"through", "a/../../x"},
          {"nested", "a/x"},
          {"nul", std::string("a\0b", 3)},
          {"empty", ""},
          {"dot", "."},
          {"dotdot", ".."}};
}

// Data of a file behind each entry, as if nothing were wrong.
Attack with_bad_name(const std::string& kind, const BadName& bad, const Entry& entry) {
  return {.name = "name-" + std::string(bad.label) + "-" + kind,
          .ends = Code::kUnsafeName,
          .names = bad.name,
          .arrives = kOk,
          .script = answer([entry](Talk& talk) {
            talk.begin_well();
            talk.entries(2, {entry});
            talk.first.data(talk.request, 2, 0, "x");
            talk.end_well(3);
          })};
}

Attack with_root(std::string name, const Entry& root, const std::string& names) {
  return {.name = std::move(name),
          .ends = Code::kUnsafeName,
          .names = names,
          .script = answer([root](Talk& talk) {
            talk.entries(0, {root});
            talk.first.data(talk.request, 0, 0, "x");
            talk.listed(1);
          })};
}

// Two entries of one name: the first stands, the second is reported.
Attack twice(std::string name, Entry first, Entry second, Code code,
             std::map<std::string, std::string> arrives) {
  const std::string path = second.name;
  return {.name = "twice-" + std::move(name),
          .ends = std::nullopt,
          .fails = {{path, code}},
          .arrives = ok_and(std::move(arrives)),
          .script = answer([first, second](Talk& talk) {
            talk.begin_well();
            std::uint64_t next = 2;
            for (const Entry& entry : {first, second}) {
              const std::uint64_t id = next++;
              talk.entries(id, {entry});
              if (entry.type == EntryType::kDirectory) talk.entries(next++, {end_of(id)});
              if (entry.type == EntryType::kRegular) talk.give(id, "x");
            }
            talk.end_well(next);
          })};
}

}  // namespace

std::vector<Attack> name_attacks() {
  std::vector<Attack> attacks;
  for (const BadName& bad : bad_names()) {
    attacks.push_back(with_bad_name("file", bad, file(0, bad.name, 1)));
    attacks.push_back(with_bad_name("directory", bad, directory(0, bad.name)));
    attacks.push_back(with_bad_name("link", bad, link(0, bad.name, "x")));
    const std::string label = "root-" + std::string(bad.label);
    attacks.push_back(with_root(label + "-file", file(wire::kNoEntry, bad.name, 1), bad.name));
    if (bad.name.empty()) continue;  // several shares: a directory without a name is in order
    attacks.push_back(
        with_root(label + "-directory", directory(wire::kNoEntry, bad.name), bad.name));
  }
  const std::string too_long(kNameMaxBytes + 1, 'n');
  Attack overlong = with_bad_name("file", {"overlong", too_long}, file(0, too_long, 1));
  overlong.ends = Code::kProtocol;  // not even a message that can be read
  overlong.names = "Entries";
  attacks.push_back(std::move(overlong));

  Entry newer = file(0, "x", 1);
  newer.mtime_seconds = 1;
  attacks.push_back(twice("file-file", file(0, "x", 1), newer, Code::kExists, {{"x", "x"}}));
  attacks.push_back(
      twice("link-file", link(0, "x", "ok"), file(0, "x", 1), Code::kExists, {{"x", "-> ok"}}));
  attacks.push_back(
      twice("file-link", file(0, "x", 1), link(0, "x", "ok"), Code::kExists, {{"x", "x"}}));
  attacks.push_back(twice("link-link", link(0, "x", "ok"), link(0, "x", "elsewhere"), Code::kExists,
                          {{"x", "-> ok"}}));
  attacks.push_back(twice("directory-directory", directory(0, "x"), directory(0, "x"),
                          Code::kUnsafeName, {{"x/", ""}}));
  attacks.push_back(
      twice("directory-file", directory(0, "x"), file(0, "x", 1), Code::kExists, {{"x/", ""}}));
  attacks.push_back(
      twice("file-directory", file(0, "x", 1), directory(0, "x"), Code::kExists, {{"x", "x"}}));
  attacks.push_back({.name = "twice-at-once",  // both under way before either is whole
                     .ends = std::nullopt,
                     .fails = {{"x", Code::kExists}},
                     .arrives = ok_and({{"x", "12"}}),
                     .script = answer([](Talk& talk) {
                       talk.begin_well();
                       talk.entries(2, {file(0, "x", 2), file(0, "x", 2)});
                       talk.first.data(talk.request, 2, 0, "1");
                       talk.first.data(talk.request, 3, 0, "3");
                       talk.first.data(talk.request, 2, 1, "2");
                       talk.first.data(talk.request, 3, 1, "4");
                       talk.end_well(4);
                     })});

  // Our own partials' names: as a file, a directory with something in it, a link.
  const std::string partial = store::partial_name("later");
  const std::string in_partial = partial + "/f";
  attacks.push_back({.name = "partial-name",
                     .ends = std::nullopt,
                     .fails = {{partial, Code::kUnsafeName}, {in_partial, Code::kLocalIo}},
                     .arrives = ok_and({{"later", "x"}}),
                     .script = answer([partial](Talk& talk) {
                       talk.begin_well();
                       talk.entries(
                           2, {file(0, partial, 1), link(0, partial, "/"), directory(0, partial),
                               file(4, "f", 1), end_of(4), file(0, "later", 1)});
                       talk.first.data(talk.request, 7, 0, "x");
                       talk.end_well(8);
                     })});
  return attacks;
}

std::vector<Attack> link_attacks(const std::string& outside) {
  std::vector<Attack> attacks;
  attacks.push_back({.name = "link-then-directory",
                     .ends = std::nullopt,
                     .fails = {{"d", Code::kExists},
                               {"d/f", Code::kLocalIo},
                               {"d/e", Code::kLocalIo},
                               {"d/e/g", Code::kLocalIo}},
                     .arrives = ok_and({{"d", "-> " + outside}}),
                     .script = answer([outside](Talk& talk) {
                       talk.begin_well();
                       talk.entries(2, {link(0, "d", outside), directory(0, "d"), file(3, "f", 1),
                                        directory(3, "e"), file(5, "g", 1), end_of(5), end_of(3)});
                       talk.end_well(9);
                     })});
  attacks.push_back({.name = "link-as-parent",
                     .arrives = ok_and({{"d", "-> " + outside}}),
                     .script = answer([outside](Talk& talk) {
                       talk.begin_well();
                       talk.entries(2, {link(0, "d", outside), file(2, "f", 1)});
                       talk.first.data(talk.request, 3, 0, "x");
                       talk.end_well(4);
                     })});
  // A target may name what it likes: it is kept, and nothing of ours ever goes through it.
  attacks.push_back({.name = "link-through-link",
                     .ends = std::nullopt,
                     .fails = {{"b", Code::kExists}, {"b/f", Code::kLocalIo}},
                     .arrives = ok_and({{"a", "-> " + outside}, {"b", "-> a/../x"}}),
                     .script = answer([outside](Talk& talk) {
                       talk.begin_well();
                       talk.entries(2, {link(0, "a", outside), link(0, "b", "a/../x"),
                                        directory(0, "b"), file(4, "f", 1), end_of(4)});
                       talk.end_well(7);
                     })});
  attacks.push_back({.name = "link-under-a-file",
                     .ends = std::nullopt,
                     .fails = {{"f", Code::kExists}},
                     .arrives = ok_and({{"f", "-> " + outside + "/new"}}),
                     .script = answer([outside](Talk& talk) {
                       talk.begin_well();
                       talk.entries(2, {link(0, "f", outside + "/new"), file(0, "f", 1)});
                       talk.give(3, "x");
                       talk.end_well(4);
                     })});
  const auto bad_target = [&](std::string name, std::string target, std::string names) {
    attacks.push_back({.name = std::move(name),
                       .names = std::move(names),
                       .says = "target",
                       .arrives = kOk,
                       .script = answer([target](Talk& talk) {
                         talk.begin_well();
                         talk.entries(2, {link(0, "l", target)});
                         talk.end_well(3);
                       })});
  };
  bad_target("link-empty", "", "l");
  bad_target("link-nul", std::string("a\0b", 3), "l");
  bad_target("link-overlong", std::string(kSymlinkTargetMaxBytes + 1, 't'), "Entries");
  return attacks;
}

std::vector<Attack> entry_attacks() {
  std::vector<Attack> attacks;
  const auto add = [&](std::string name, std::string says, Talking talking,
                       std::map<std::string, std::string> arrives = kOk) {
    attacks.push_back({.name = std::move(name),
                       .says = std::move(says),
                       .arrives = std::move(arrives),
                       .script = answer(std::move(talking))});
  };
  add("file-as-directory", "no directory", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {file(1, "x", 1)});
  });
  add("open-file-as-directory", "no directory", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {file(0, "f", 5), file(2, "x", 1)});
  });
  add("parent-in-the-future", "no directory", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {file(3, "x", 1), directory(0, "d")});
  });
  add("a-second-root", "no directory", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {directory(wire::kNoEntry, "other")});
  });
  add("root-with-a-parent", "root", [](Talk& talk) { talk.entries(0, {directory(0, "share")}); },
      {});
  add("root-is-an-end", "not open", [](Talk& talk) { talk.entries(0, {end_of(0)}); }, {});
  add(
      "ended-directory", "no directory",
      [](Talk& talk) {
        talk.begin_well();
        talk.entries(2, {directory(0, "d"), end_of(2), file(2, "x", 1)});
      },
      ok_and({{"d/", ""}}));
  // One that is not finished yet: a file in it is still to come.
  add(
      "ended-unfinished-directory", "no directory",
      [](Talk& talk) {
        talk.begin_well();
        talk.entries(2, {directory(0, "d"), file(2, "f", 9), end_of(2), file(2, "x", 1)});
      },
      ok_and({{"d/", ""}}));
  add(
      "end-twice", "not open",
      [](Talk& talk) {
        talk.begin_well();
        talk.entries(2, {directory(0, "d"), end_of(2), end_of(2)});
      },
      ok_and({{"d/", ""}}));
  add("end-of-a-file", "not open", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {end_of(1)});
  });
  add("end-of-nothing", "not open", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {end_of(wire::kNoEntry)});
  });
  add("ids-with-a-gap", "out of order", [](Talk& talk) {
    talk.begin_well();
    talk.entries(3, {file(0, "x", 1)});
  });
  add("ids-repeated", "out of order", [](Talk& talk) {
    talk.begin_well();
    talk.entries(1, {file(0, "x", 1)});
  });
  add("ids-not-from-zero", "out of order", [](Talk& talk) { talk.entries(1, {root_directory()}); },
      {});
  add("listed-too-many", "count", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {end_of(0)});
    talk.listed(4);
  });
  add("listed-too-few", "count", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {end_of(0)});
    talk.listed(2);
  });
  add("listed-nothing", "count", [](Talk& talk) { talk.listed(0); }, {});
  add("listed-with-an-open-directory", "open", [](Talk& talk) {
    talk.begin_well();
    talk.listed(2);
  });
  // With a file still to come, so that the request is not over yet.
  add("listed-twice", "count", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {file(0, "x", 2), end_of(0)});
    talk.listed(4);
    talk.listed(4);
  });
  add("entries-after-the-end", "out of order", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {file(0, "x", 2), end_of(0)});
    talk.listed(4);
    talk.entries(4, {file(0, "y", 2)});
  });
  add("more-than-the-credit", "more than it may", [](Talk& talk) {
    talk.begin_well();
    std::uint64_t next = 2;
    while (next < kOpenEntriesMax + wire::kEntriesPerMessageMax) {
      std::vector<Entry> batch;
      for (std::size_t i = 0; i < wire::kEntriesPerMessageMax; ++i) {
        batch.push_back(file(0, "f" + std::to_string(next + i), 1));
      }
      talk.entries(next, std::move(batch));
      next += wire::kEntriesPerMessageMax;
    }
  });
  add("too-large", "too large", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {sparse(0, "x", kFileMaxBytes + 1)});
  });
  add("mode-out-of-range", "mode", [](Talk& talk) {
    talk.begin_well();
    talk.entries(2, {directory(0, "d", 0100755)});
  });
  return attacks;
}

std::vector<Attack> list_attacks() {
  std::vector<Attack> attacks;
  const auto add = [&](std::string name, Code code, std::string names, std::string says,
                       Talking talking) {
    attacks.push_back({.name = "ls-" + std::move(name),
                       .on_list = true,
                       .ends = code,
                       .names = std::move(names),
                       .says = std::move(says),
                       .script = answer(std::move(talking))});
  };
  for (const BadName& bad : bad_names()) {
    add("name-" + std::string(bad.label), Code::kUnsafeName, bad.name, "name",
        [bad](Talk& talk) { talk.entries(0, {root_directory(), file(0, bad.name, 1)}); });
    if (bad.name.empty()) continue;
    add("root-" + std::string(bad.label), Code::kUnsafeName, bad.name, "name",
        [bad](Talk& talk) { talk.entries(0, {file(wire::kNoEntry, bad.name, 1)}); });
  }
  add("ids-with-a-gap", Code::kProtocol, "", "out of order", [](Talk& talk) {
    talk.entries(0, {root_directory()});
    talk.entries(2, {file(0, "x", 1)});
  });
  add("no-directory", Code::kProtocol, "", "no directory",
      [](Talk& talk) { talk.entries(0, {root_directory(), file(0, "x", 1), file(1, "y", 1)}); });
  add("end-twice", Code::kProtocol, "", "no directory", [](Talk& talk) {
    talk.entries(0, {root_directory(), directory(0, "d"), end_of(1), end_of(1)});
  });
  add("wrong-count", Code::kProtocol, "", "count", [](Talk& talk) {
    talk.entries(0, {root_directory(), end_of(0)});
    talk.listed(3);
  });
  // Paths that grow with each level: 34 GB of them before any count of directories is reached.
  add("bottomless", Code::kProtocol, "", "too long", [](Talk& talk) {
    talk.entries(0, {root_directory()});
    for (std::uint64_t id = 1; id < 1000; ++id) {
      talk.entries(id, {directory(id - 1, std::string(kNameMaxBytes, 'd'))});
    }
  });
  add("bottomless-short", Code::kProtocol, "", "too many", [](Talk& talk) {
    talk.entries(0, {root_directory()});
    for (std::uint64_t id = 1; id < kDepthMax + 10; ++id) {
      talk.entries(id, {directory(id - 1, "d")});
    }
  });
  add("open-directory", Code::kProtocol, "", "open", [](Talk& talk) {
    talk.entries(0, {root_directory()});
    talk.listed(1);
  });
  add("another-request", Code::kProtocol, "", "no request", [](Talk& talk) {
    talk.entries(0, {root_directory(), end_of(0)});
    talk.first.say(wire::Listed{talk.request + 1, 2});
  });
  add("refusal-of-another", Code::kProtocol, "", "no request", [](Talk& talk) {
    talk.first.say(wire::Refused{talk.request + 1, wire::FailureCode::kIo, "no"});
  });
  add("data", Code::kProtocol, "", "data in a listing", [](Talk& talk) {
    talk.entries(0, {root_directory(), file(0, "x", 1)});
    talk.first.data(talk.request, 1, 0, "x");
  });
  add("unexpected-message", Code::kProtocol, "", "unexpected",
      [](Talk& talk) { talk.first.say(wire::Want{talk.request, {}, 0}); });
  add("too-many-open", Code::kProtocol, "", "too many directories", [](Talk& talk) {
    talk.entries(0, {root_directory()});
    std::uint64_t next = 1;
    while (next < kOpenEntriesMax + wire::kEntriesPerMessageMax) {
      std::vector<Entry> batch;
      for (std::size_t i = 0; i < wire::kEntriesPerMessageMax; ++i) {
        batch.push_back(directory(0, "d" + std::to_string(next + i)));
      }
      talk.entries(next, std::move(batch));
      next += wire::kEntriesPerMessageMax;
    }
  });
  return attacks;
}

std::vector<Attack> all_attacks(const std::string& outside) {
  std::vector<Attack> all;
  for (auto part : {name_attacks(), link_attacks(outside), entry_attacks(), archive_attacks(),
                    data_attacks(), plain_attacks(), compressed_attacks(), message_attacks(),
                    stream_attacks(), list_attacks()}) {
    for (Attack& attack : part) all.push_back(std::move(attack));
  }
  return all;
}

}  // namespace wormhole::transfer::testing
