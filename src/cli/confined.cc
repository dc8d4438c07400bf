#include "cli/confined.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/index_file.h"
#include "platform/confinement.h"
#include "platform/process.h"
#include "store/private_directory.h"

namespace wormhole::cli {
namespace {

// What a process has used is read there (platform::usage).
constexpr const char* kOwnStatus = "/proc/self";
// A wrong code is asked for once more.
constexpr const char* kTerminal = "/dev/tty";

void confine(const platform::Confinement& to, Output& output) {
  const auto confined = platform::confine(to);
  if (!output.is_verbose()) return;
  if (!confined.has_value()) {
    output.say("not confined: " + to_sentence(confined.error()));
  } else if (!*confined) {
    output.say("not confined: this kernel has no landlock");
  }
}

}  // namespace

void confine_to(const transfer::Shares& shares, Output& output) {
  std::vector<std::string> read = shares.directories();
  read.emplace_back(kOwnStatus);
  // The versions of shared files are made of it.
  read.insert(read.end(), platform::kMachineIdFiles.begin(), platform::kMachineIdFiles.end());
  confine({.written = {}, .read = std::move(read)}, output);
}

void confine_to(const transfer::Destination& destination, Output& output) {
  std::vector<std::string> written = {transfer::written_below(destination), kTerminal};
  if (const auto file = index_file()) {
    const auto directory = std::filesystem::path(*file).parent_path();
    store::make_private_directory(directory);
    written.push_back(directory.string());
  }
  confine({.written = std::move(written), .read = std::nullopt}, output);
}

void confine_to_asking(Output& output) {
  confine({.written = {kTerminal}, .read = std::nullopt}, output);
}

}  // namespace wormhole::cli
