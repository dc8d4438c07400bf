// A secret of one user: 32 random bytes, from which a key is derived for each purpose. Immutable:
// any thread. docs/threat-model.md says what rests on it.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "store/hash.h"

namespace wormhole::store {

class UserSecret {
 public:
  explicit UserSecret(const Hash& bytes) : bytes_(bytes) {}

  // This user's, kept in the state directory (platform/process.h), mode 0600. Where nothing can be
  // kept, made of what this machine and user are: then other users of the machine can make it too.
  [[nodiscard]] static UserSecret of_this_user(Random& random);
  // What stands in `file`: 64 hexadecimal digits. It and its directory are made if they are not
  // there; what is there and is no secret (a power cut emptied it) is replaced. Several processes
  // at once get the same.
  [[nodiscard]] static Result<UserSecret> open(const std::string& file, Random& random);

  // For one purpose, which is a text that nothing else uses.
  [[nodiscard]] Hash key(std::string_view purpose) const;

 private:
  Hash bytes_;
};

}  // namespace wormhole::store
