// The three commands. Each parses nothing: it is given what the command line said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/code_source.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "platform/process.h"

namespace wormhole::cli {

struct ShareArguments {
  std::vector<std::string> paths;
  std::optional<std::string> listen;
  std::optional<std::string> code_file;
  bool once = false;
  bool allow_unencrypted = false;
};

struct JoinArguments {
  std::string target;
  std::optional<std::string> code_file;
};

struct GetArguments {
  JoinArguments join;
  std::optional<std::string> destination;
  std::optional<unsigned> streams;
  bool unencrypted = false;
  bool compression = true;
  bool overwrite = false;
  bool sync = false;
  bool checksum = false;
  bool reuse = true;
};

struct ListArguments {
  JoinArguments join;
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
[[nodiscard]] ExitCode run_get(const GetArguments& arguments, Environment& environment);
[[nodiscard]] ExitCode run_cache(const CacheArguments& arguments, Environment& environment);
[[nodiscard]] ExitCode run_list(const ListArguments& arguments, Environment& environment);

}  // namespace wormhole::cli
