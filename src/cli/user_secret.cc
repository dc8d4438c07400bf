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

void make_user_secret(Output& output) {
  platform::SystemRandom random;
  static_cast<void>(user_secret(output, random));
}

}  // namespace wormhole::cli
