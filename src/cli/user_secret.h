// This user's secret, in the state directory.
#pragma once

#include "cli/output.h"
#include "store/user_secret.h"

namespace wormhole::cli {

// $XDG_STATE_HOME/wormhole/secret, else below ~/.local/state. Where it cannot be kept, one that
// other users of this machine can make too; with a word, unless the user has no home.
[[nodiscard]] store::UserSecret user_secret(Output& output, Random& random);

// Sees to it that there is one, where the process is confined before it is needed.
void make_user_secret(Output& output);

}  // namespace wormhole::cli
