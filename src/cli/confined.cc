#include "cli/confined.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/index_file.h"
#include "platform/accounts.h"
#include "platform/confinement.h"
#include "platform/process.h"
#include "store/private_directory.h"

namespace wormhole::cli {
namespace {

// What a process has used is read there (platform::usage).
constexpr const char* kOwnStatus = "/proc/self";
// A wrong code is asked for once more.
constexpr const char* kTerminal = "/dev/tty";

void tell(const Result<bool>& confined, Output& output) {
  if (!output.is_verbose()) return;
  if (!confined.has_value()) {
    output.say("not confined: " + to_sentence(confined.error()));
  } else if (!*confined) {
    output.say("not confined: landlock is not to be had here");
  }
}

void add_index(std::vector<std::string>& written) {
  const auto file = index_file();
  if (!file.has_value()) return;
  const auto directory = std::filesystem::path(*file).parent_path();
  store::make_private_directory(directory);
  written.push_back(directory.string());
}

void confine_to_reading(const transfer::Shares& shares, std::vector<std::string> written,
                        Output& output) {
  auto read = shares.directories();
  if (!read.has_value()) return tell(fail(read.error()), output);
  read->emplace_back(kOwnStatus);
  // The versions of shared files are made of it.
  read->insert(read->end(), platform::kMachineIdFiles.begin(), platform::kMachineIdFiles.end());
  // Whose the files are, for takers that keep owners.
  platform::prepare_accounts();
  read->insert(read->end(), platform::kAccountFiles.begin(), platform::kAccountFiles.end());
  tell(platform::confine({.written = std::move(written), .read = std::move(*read)}), output);
}

}  // namespace

void confine_to(const transfer::Shares& shares, Output& output) {
  confine_to_reading(shares, {}, output);
}

void confine_to_giving(const transfer::Shares& shares, const std::vector<std::string>& own,
                       Output& output) {
  std::vector<std::string> written = own;
  written.emplace_back(kTerminal);
  confine_to_reading(shares, std::move(written), output);
}

void confine_to_writable(const transfer::Shares& shares, Output& output) {
  auto written = shares.directories();
  if (!written.has_value()) return tell(fail(written.error()), output);
  add_index(*written);
  confine_to_reading(shares, std::move(*written), output);
}

void confine_to(const transfer::Destination& destination, Output& output) {
  std::vector<std::string> written = {transfer::written_below(destination), kTerminal};
  add_index(written);
  tell(platform::confine({.written = std::move(written), .read = std::nullopt}), output);
}

void confine_to_asking(Output& output, const std::vector<std::string>& own) {
  std::vector<std::string> written = own;
  written.emplace_back(kTerminal);
  tell(platform::confine({.written = std::move(written), .read = std::nullopt}), output);
}

}  // namespace wormhole::cli
