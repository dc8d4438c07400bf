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

  // Made of what this machine and user are: other users of the machine can make it, too. For where
  // nothing can be kept.
  [[nodiscard]] static UserSecret of_machine_and_user();
  // What stands in `file`: 64 hexadecimal digits, this user's and nobody else's to read. It and its
  // directory are made if they are not there, and several processes at once get the same; what is
  // there and is no such secret (a power cut emptied it, others may read it) is replaced, by the
  // last that comes. An error: it is another user's, or cannot be made.
  [[nodiscard]] static Result<UserSecret> open(const std::string& file, Random& random);

  // For one purpose, which is a text that nothing else uses.
  [[nodiscard]] Hash key(std::string_view purpose) const;

 private:
  Hash bytes_;
};

}  // namespace wormhole::store
