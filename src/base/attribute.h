// An extended attribute of a file (xattr(7)), a POSIX ACL among them. Raw bytes, both.
#pragma once

#include <string>

namespace wormhole {

struct Attribute {
  std::string name;   // with its namespace: "user.origin"
  std::string value;  // may be empty

  friend bool operator==(const Attribute&, const Attribute&) = default;
};

}  // namespace wormhole
