#include "cli/entry_type.h"

namespace wormhole::cli {

using wire::EntryType;

std::string_view type_name(EntryType type) {
  switch (type) {
    case EntryType::kDirectory:
      return "directory";
    case EntryType::kSymlink:
      return "link";
    case EntryType::kRegular:
    case EntryType::kDirectoryEnd:
      break;
  }
  return "file";
}

}  // namespace wormhole::cli
