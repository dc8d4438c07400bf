// wormhole: share a folder, fetch it on another machine. Builds the parts and hands them down.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/code_source.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "platform/process.h"

namespace wormhole::cli {
namespace {

constexpr const char* kTargetHelp = "HOST[:PORT][/PATH]; an IPv6 address stands in brackets";

struct CommandLine {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string encryption = "on";
  std::string compression = "auto";
  bool update = false;
  bool ignore_existing = false;
  std::map<RuleArgument::Kind, std::vector<std::string>> rule_values;
  std::map<const CLI::Option*, RuleArgument::Kind> rule_kinds;
  ShareArguments share;
  TransferArguments get;
  TransferArguments put;
  ListArguments list;
  CacheArguments cache;
};

void add_common(CLI::App& command, CommandLine& line) {
  command.add_flag("--json", line.json, "One JSON object a line on stdout, for programs");
  command.add_flag("-q,--quiet", line.quiet,
                   "Only errors and results: no progress, no closing sentence");
  command.add_flag("-v,--verbose", line.verbose, "Say more: how it connected, every file");
}

void add_code(CLI::App& command, std::optional<std::string>& code_file) {
  command.add_option("--code-file", code_file, "Read the join code from FILE")->type_name("FILE");
  // Taken out of the arguments before they are parsed; named here for --help.
  command.add_option("--code", "The join code (better: the prompt, WORMHOLE_CODE or --code-file)")
      ->type_name("CODE");
}

void add_encryption(CLI::App& command, CommandLine& line, const std::string& help) {
  command.add_option("--encryption", line.encryption, help)
      ->check(CLI::IsMember({"on", "off"}))
      ->type_name("on|off");
}

void add_share(CLI::App& share, CommandLine& line) {
  share.add_option("PATH", line.share.paths, "What to share")->required();
  share.add_option("--listen", line.share.listen, "Where to listen; port 0: any free one")
      ->type_name("ADDR:PORT");
  share
      .add_option("--code-file", line.share.code_file,
                  "Read the join code from FILE if it exists, else write the new one there")
      ->type_name("FILE");
  share.add_option("--code", "The join code (better: WORMHOLE_CODE or --code-file)")
      ->type_name("CODE");
  share.add_flag("--writable", line.share.writable,
                 "Others may put files into it, replace and delete what is there");
  share
      .add_flag("--incoming", line.share.incoming,
                "Others may add files, and neither see nor replace what is there")
      ->excludes("--writable");
  share.add_flag("--once", line.share.once, "End after one client has been served");
  add_encryption(share, line, "off: clients that ask for it too get file data unencrypted");
  add_common(share, line);
  share.footer(
      "Examples:\n"
      "  wormhole share ~/footage\n"
      "  wormhole share a.mov b.mov --once\n"
      "  wormhole share ~/inbox --incoming\n"
      "  wormhole share . --listen 192.0.2.1:7117 --code-file ~/.share-code");
}

void add_selection(CLI::App& command, CommandLine& line, SelectionArguments& selection) {
  const auto add = [&](const std::string& name, RuleArgument::Kind kind, const std::string& help,
                       const std::string& type) {
    std::vector<std::string>& values = line.rule_values[kind];
    line.rule_kinds
        [command.add_option(name, values, help)->allow_extra_args(false)->type_name(type)] = kind;
  };
  using Kind = RuleArgument::Kind;
  add("--exclude", Kind::kExclude,
      "Pass over what fits: *.o, /top/only, cache/, a/**/b; of several rules the first decides",
      "PATTERN");
  add("--include", Kind::kInclude, "Do not, whatever comes after", "PATTERN");
  add("--exclude-from", Kind::kExcludeFrom, "Patterns from FILE, one a line", "FILE");
  command.add_flag("--gitignore", selection.gitignore,
                   "Pass over what .gitignore files in it name");
  command.add_option("--max-size", selection.max_size, "Pass over longer files: 100M, 2GB")
      ->type_name("SIZE");
}

// As they stood: which one comes first decides.
std::vector<RuleArgument> rules_of(const CLI::App& command, const CommandLine& line) {
  std::map<RuleArgument::Kind, std::size_t> taken;
  std::vector<RuleArgument> rules;
  for (CLI::Option* option : command.parse_order()) {
    const auto kind = line.rule_kinds.find(option);
    if (kind == line.rule_kinds.end()) continue;
    const auto& values = line.rule_values.at(kind->second);
    rules.push_back({kind->second, values.at(taken[kind->second]++)});
  }
  return rules;
}

// What get and put have in common.
void add_transfer(CLI::App& command, CommandLine& line, TransferArguments& arguments) {
  add_code(command, arguments.code_file);
  command.add_flag("--overwrite", arguments.overwrite, "Replace files that differ");
  command.add_flag("-u,--update", line.update, "Replace files that are older there, leave newer");
  command.add_flag("--ignore-existing", line.ignore_existing, "Leave every file that is there")
      ->excludes("--overwrite")
      ->excludes("--update");
  command.add_flag("-a,--archive", arguments.keeps.archive,
                   "Owners, groups, extended attributes and ACLs as at the source, too");
  command.add_flag("-U,--atimes", arguments.keeps.access_times,
                   "Access times as at the source, too");
  command.add_flag("--delete", arguments.may_delete,
                   "Delete what is not at the source; shown, and asked, first");
  command.add_flag("-y,--yes", arguments.sure, "Do not ask before deleting");
  add_selection(command, line, arguments.selection);
  command.add_flag("-n,--dry-run", arguments.dry_run, "Say what would be done, and do nothing");
  command
      .add_option("--bwlimit", arguments.rate_limit, "Bytes a second at most, in KiB or as 1.5M")
      ->type_name("RATE");
  command.add_flag("--stats", arguments.stats, "At the end, all that was counted");
  command.add_flag("--checksum", arguments.checksum,
                   "Compare files that look equal by their content, not by size and time");
  command.add_flag("!--no-reuse", arguments.reuse,
                   "Files that differ come whole, and nothing is told of what is there");
  command.add_flag("--fsync", arguments.sync, "Report success only when the data is on disk");
  command
      .add_option("--streams", arguments.streams, "TCP connections for data (default: the fastest)")
      ->check(CLI::Range(std::size_t{1}, kStreamsMax))
      ->type_name("N");
  command
      .add_option("--compression", line.compression,
                  "off: never, not even where it would be faster")
      ->check(CLI::IsMember({"auto", "off"}))
      ->type_name("auto|off");
  add_encryption(command, line, "off: file data travels unencrypted, if the host allows it too");
  add_common(command, line);
}

void add_get(CLI::App& get, CommandLine& line) {
  get.add_option(
         "TARGET [DEST]", line.get.operands,
         std::string(kTargetHelp) +
             ". DEST: where to; it receives a directory's contents (default: its name, "
             "here); '-': standard output. Several TARGETs of one host: each by its name into DEST")
      ->required();
  add_transfer(get, line, line.get);
  get.footer(
      "Examples:\n"
      "  wormhole get 192.0.2.1\n"
      "  wormhole get studio.local/day-3 ~/day-3\n"
      "  wormhole get studio.local/day-3 studio.local/day-4 ~/days --exclude '*.tmp'\n"
      "  WORMHOLE_CODE=4821-marble-anchor-tulip wormhole get [2001:db8::1]:7118 dest/");
}

void add_put(CLI::App& put, CommandLine& line) {
  put.add_option("PATH... TARGET", line.put.operands,
                 "What to put, and where to: " + std::string(kTargetHelp) +
                     ". With a PATH after the host, that receives a directory's contents; "
                     "without one, and of several, each goes by its name. '-': standard input")
      ->required();
  add_transfer(put, line, line.put);
  put.footer(
      "Examples:\n"
      "  wormhole put ~/day-3 192.0.2.1\n"
      "  wormhole put ~/day-3 studio.local/footage/day-3 --update\n"
      "  wormhole put a.mov b.mov studio.local/footage");
}

void add_list(CLI::App& list, CommandLine& line) {
  list.add_option("TARGET", line.list.target, kTargetHelp)->required();
  add_code(list, line.list.code_file);
  list.add_flag("-l", line.list.long_form, "Mode, size and time of each entry");
  list.add_flag("-R", line.list.recursive, "Everything below, too");
  add_common(list, line);
  list.footer("Examples:\n  wormhole ls 192.0.2.1\n  wormhole ls -lR studio.local/day-3");
}

void add_cache(CLI::App& cache, CommandLine& line) {
  cache.add_flag("--verify", line.cache.verify,
                 "Look at each file, and forget those that were changed or are gone");
  cache.add_flag("--clear", line.cache.clear, "Forget everything; the files stay");
  add_common(cache, line);
  cache.footer("Examples:\n  wormhole cache\n  wormhole cache --verify");
}

// What the options said together.
void finish(const CommandLine& line, const CLI::App& command, TransferArguments& arguments) {
  arguments.unencrypted = line.encryption == "off";
  arguments.compression = line.compression == "auto";
  arguments.selection.rules = rules_of(command, line);
  if (line.update) {
    arguments.overwrite = true;
    arguments.leaves = transfer::Leaves::kNewer;
  }
  if (line.ignore_existing) arguments.leaves = transfer::Leaves::kAll;
}

struct Command {
  const char* name;
  const char* summary;
  void (*add_options)(CLI::App& command, CommandLine& line);
  // `given`: with those options, parsed.
  ExitCode (*run)(CommandLine& line, const CLI::App& given, Environment& environment);
};

constexpr std::array kCommands = {
    Command{"share", "Share files and directories", add_share,
            [](CommandLine& line, const CLI::App& /*given*/, Environment& environment) {
              line.share.allow_unencrypted = line.encryption == "off";
              return run_share(line.share, environment);
            }},
    Command{"get", "Fetch what a host shares", add_get,
            [](CommandLine& line, const CLI::App& given, Environment& environment) {
              finish(line, given, line.get);
              return run_get(line.get, environment);
            }},
    Command{"put", "Put files into what a host shares with --writable or --incoming", add_put,
            [](CommandLine& line, const CLI::App& given, Environment& environment) {
              finish(line, given, line.put);
              return run_put(line.put, environment);
            }},
    Command{"ls", "List what a host shares", add_list,
            [](CommandLine& line, const CLI::App& /*given*/, Environment& environment) {
              return run_list(line.list, environment);
            }},
    Command{"cache", "Show what is remembered of fetched files", add_cache,
            [](CommandLine& line, const CLI::App& /*given*/, Environment& environment) {
              return run_cache(line.cache, environment);
            }},
};

// The one that will be parsed: the options of the others are not made for it. Null: not said, or
// none of ours. (What stands before a command is an option that ends the program.)
const Command* command_named(const std::vector<std::string>& arguments) {
  const auto* found = std::ranges::find_if(kCommands, [&](const Command& command) {
    return arguments.size() > 1 && arguments[1] == command.name;
  });
  return found == kCommands.end() ? nullptr : found;
}

// Parses what the shell gave. kUsage, or an exception of the library.
Result<void> parse(CLI::App& app, const std::vector<std::string>& given) {
  std::vector<std::string> arguments(
      given.begin(), given.begin() + std::min<std::ptrdiff_t>(2, std::ssize(given)));
  if (const auto commands = app.get_subcommands({}); commands.size() == 1) {
    CLI::App& command = *commands.front();
    const auto is_operand = [](const CLI::Option* option) { return option->get_positional(); };
    for (CLI::Option* option : command.get_options(is_operand)) {
      option->transform(CLI::Validator(
          [](std::string& value) {
            value = unmarked(std::move(value));
            return std::string();
          },
          ""));
    }
    auto prepared =
        prepare_arguments({given.begin() + 2, given.end()}, [&](const std::string& name) {
          const CLI::Option* option = command.get_option_no_throw(name);
          return option != nullptr && option->get_items_expected_min() > 0;
        });
    if (!prepared.has_value()) return fail(std::move(prepared).error());
    std::ranges::move(*prepared, std::back_inserter(arguments));
  }
  std::vector<const char*> pointers;
  pointers.reserve(arguments.size());
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  app.parse(static_cast<int>(pointers.size()), pointers.data());
  return {};
}

int run(int argc, char** argv) {
  platform::hold_standard_descriptors();
  platform::raise_descriptor_limit();
  platform::hide_from_other_processes();
  std::vector<std::string> arguments;
  const GivenCode code = take_given_code(argc, argv, arguments);

  CLI::App app("Share a folder on one computer, fetch it on another: encrypted, at line rate.");
  app.name("wormhole");
  app.require_subcommand(1);
  app.set_version_flag("--version", "wormhole " WORMHOLE_VERSION);
  app.footer(
      "Examples:\n"
      "  wormhole share ~/footage          shows a code and the command for the other side\n"
      "  wormhole get 192.0.2.1            asks for the code, fetches into ./footage\n\n"
      "'wormhole COMMAND --help' shows a command's options and more examples.");
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return without_marks(CLI::FailureMessage::simple(failed, error));
  });
  CommandLine line;
  const Command* const named = command_named(arguments);
  for (const Command& command : kCommands) {
    if (named != nullptr && named != &command) continue;
    command.add_options(*app.add_subcommand(command.name, command.summary), line);
  }
  try {
    if (const auto parsed = parse(app, arguments); !parsed.has_value()) {
      Output(/*json=*/false, Verbosity::kNormal).error(parsed.error());
      return static_cast<int>(ExitCode::kUsage);
    }
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help and version itself and calls them success.
    return app.exit(error) == 0 ? static_cast<int>(ExitCode::kSuccess)
                                : static_cast<int>(ExitCode::kUsage);
  }

  Output output(line.json, line.quiet     ? Verbosity::kQuiet
                           : line.verbose ? Verbosity::kVerbose
                                          : Verbosity::kNormal);
  auto stop = platform::StopSignals::install();
  if (!stop.has_value()) {
    output.error(stop.error());
    return static_cast<int>(ExitCode::kInternal);
  }
  Environment environment{output, code, *stop};
  const CLI::App& given = *app.get_subcommands().front();
  ExitCode exit = ExitCode::kInternal;
  for (const Command& command : kCommands) {
    if (given.get_name() == command.name) exit = command.run(line, given, environment);
  }
  if (exit == ExitCode::kSuccess && output.is_broken()) {
    output.error({.code = Code::kLocalIo,
                  .operation = "write",
                  .object = "standard output",
                  .detail = "what was printed there is not complete"});
    exit = ExitCode::kLocalIo;
  }
  return static_cast<int>(exit);
}

}  // namespace
}  // namespace wormhole::cli

int main(int argc, char** argv) {
  try {
    return wormhole::cli::run(argc, argv);
  } catch (const std::exception&) {
    // Out of memory or threads, in a library or at start: nothing half-done stands under a
    // final name.
    std::fputs("wormhole: this machine is out of memory or threads\n", stderr);
    return static_cast<int>(wormhole::cli::ExitCode::kInternal);
  }
}
