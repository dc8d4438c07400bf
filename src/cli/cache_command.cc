#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/index_file.h"

namespace wormhole::cli {
namespace {

using nlohmann::json;

// What stands there no more as it was fetched is forgotten.
Result<std::uint64_t> verify(store::Index& index) {
  WH_TRY(index.check());
  WH_ASSIGN(const auto places, index.all());
  std::uint64_t gone = 0;
  for (const store::Place& place : places) {
    if (store::standing_of(place) != store::Standing::kGone) continue;
    index.remove(place.path);
    ++gone;
  }
  return gone;
}

Result<void> work_on(store::Index& index, const CacheArguments& arguments, Output& output,
                     const std::string& file) {
  if (arguments.clear) WH_TRY(index.clear());
  std::uint64_t gone = 0;
  if (arguments.verify) {
    WH_ASSIGN(gone, verify(index));
  }
  WH_ASSIGN(const auto summary, index.summary());
  if (output.is_json()) {
    json object = {{"event", "cache"},
                   {"files", summary.files},
                   {"file_bytes", summary.bytes},
                   {"disk_bytes", summary.disk_bytes},
                   {"lookups", summary.lookups},
                   {"found", summary.found},
                   {"reused_bytes", summary.reused_bytes},
                   {"forgotten", gone}};
    set_bytes(object, "path", file);
    output.event(object);
    return {};
  }
  output.result(fmt::format("index     {} ({})", escape(file), human_bytes(summary.disk_bytes)));
  output.result(fmt::format("files     {} ({}) that were fetched and can be used again",
                            human_count(summary.files), human_bytes(summary.bytes)));
  output.result(summary.lookups == 0
                    ? std::string("found     none was looked for yet")
                    : fmt::format("found     {} of {} that were looked for ({:.0f} %), {} of which "
                                  "did not come again",
                                  human_count(summary.found), human_count(summary.lookups),
                                  100.0 * static_cast<double>(summary.found) /
                                      static_cast<double>(summary.lookups),
                                  human_bytes(summary.reused_bytes)));
  if (arguments.verify) {
    output.result(fmt::format("verified  {} {} changed or gone, and forgotten", human_count(gone),
                              gone == 1 ? "was" : "were"));
  }
  return {};
}

}  // namespace

ExitCode run_cache(const CacheArguments& arguments, Environment& environment) {
  Output& output = environment.output;
  const auto file = index_file();
  Result<void> result;
  if (!file.has_value()) {
    result = fail({.code = Code::kLocalIo,
                   .operation = "find the cache directory",
                   .detail = "neither XDG_CACHE_HOME nor HOME is set"});
  } else {
    auto index = store::Index::open(*file);
    result = index.has_value() ? work_on(**index, arguments, output, *file) : fail(index.error());
  }
  if (result.has_value()) return ExitCode::kSuccess;
  output.error(result.error());
  return exit_code_for(result.error().code);
}

}  // namespace wormhole::cli
