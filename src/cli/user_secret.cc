#include "cli/user_secret.h"

#include "platform/process.h"

namespace wormhole::cli {

store::UserSecret user_secret(Output& output, Random& random) {
  const auto directory = platform::state_directory();
  if (directory.has_value()) {
    const auto kept = store::UserSecret::open(*directory + "/wormhole/secret", random);
    if (kept.has_value()) return *kept;
    output.say("this user's secret cannot be kept: " + to_sentence(kept.error()));
  }
  return store::UserSecret::of_machine_and_user();
}

}  // namespace wormhole::cli
