// The commands. Each parses nothing: it is given what the command line said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/code_source.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/selection.h"
#include "platform/process.h"
#include "transfer/present.h"
#include "transfer/shown_deletions.h"
#include "wire/messages.h"

namespace wormhole::cli {

struct ShareArguments {
  std::vector<std::string> paths;
  std::optional<std::string> listen;
  std::optional<std::string> code_file;
  bool once = false;
  bool allow_unencrypted = false;
  bool writable = false;
  bool incoming = false;  // may be added to, and is not shown
};

// What the user was shown of a mirror before he said yes: nothing else is deleted.
struct ShownMirror {
  platform::Timestamp started;  // and nothing that was made or changed since
  std::shared_ptr<transfer::ShownDeletions> deletions;  // of a get: a put's host remembers them
};

// Of get: TARGET [DEST], or TARGET... DEST; of put: PATH... TARGET.
struct TransferArguments {
  std::vector<std::string> operands;
  std::optional<std::string> code_file;
  SelectionArguments selection;
  wire::Keeps keeps;
  transfer::Leaves leaves = transfer::Leaves::kNone;
  std::optional<std::string> rate_limit;
  bool dry_run = false;
  bool stats = false;
  std::optional<unsigned> streams;
  bool unencrypted = false;
  bool compression = true;
  bool overwrite = false;
  bool sync = false;
  bool checksum = false;
  bool reuse = true;
  bool may_delete = false;
  bool sure = false;                 // of that, without being asked
  std::optional<ShownMirror> shown;  // where he was asked
};

struct ListArguments {
  std::string target;
  std::optional<std::string> code_file;
  bool long_form = false;
  bool recursive = false;
};

struct CacheArguments {
  bool verify = false;
  bool clear = false;
};

// What every command works with; built once in main.
struct Environment {
  Output& output;
  const GivenCode& code;
  const platform::StopSignals& stop;
};

[[nodiscard]] ExitCode run_share(const ShareArguments& arguments, Environment& environment);
[[nodiscard]] ExitCode run_get(const TransferArguments& arguments, Environment& environment);
[[nodiscard]] ExitCode run_put(const TransferArguments& arguments, Environment& environment);
[[nodiscard]] ExitCode run_cache(const CacheArguments& arguments, Environment& environment);
[[nodiscard]] ExitCode run_list(const ListArguments& arguments, Environment& environment);

}  // namespace wormhole::cli
