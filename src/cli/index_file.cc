#include "cli/index_file.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "base/escape.h"
#include "base/start_thread.h"
#include "platform/process.h"

namespace wormhole::cli {

std::optional<std::string> index_file() {
  const auto cache = platform::cache_directory();
  if (!cache.has_value()) return std::nullopt;
  return *cache + "/wormhole/index.db";
}

OpeningIndex::OpeningIndex(Output& output) : output_(output) {
  auto file = index_file();
  if (!file.has_value()) return;
  // Its threads stand while the code may be asked for once more.
  const platform::SignalsElsewhere none_for_them;
  const auto open = [file = std::move(*file)] { return store::Index::open(file); };
  opening_ = std::async(kMeanwhile, open);
}

OpeningIndex::~OpeningIndex() {
  try {
    static_cast<void>(take());
  } catch (const std::exception&) {
    opening_ = {};  // out of memory or threads: it was not needed
  }
}

std::unique_ptr<store::Index> OpeningIndex::take() {
  if (!opening_.valid()) return nullptr;
  auto index = opening_.get();
  if (!index.has_value()) {
    // A cache directory that cannot be written to is nobody's mistake.
    if (output_.is_verbose())
      output_.say("nothing is remembered of earlier runs: " + to_sentence(index.error()));
    return nullptr;
  }
  if (!(*index)->set_aside().empty()) {
    output_.say(
        fmt::format("the index of earlier runs was damaged: it is '{}' now, a new one is begun",
                    escape((*index)->set_aside())));
  }
  return std::move(*index);
}

}  // namespace wormhole::cli
