// Worked examples of docs/formats/ for the tests that compare them with the code.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

namespace wormhole::testing {

// The indented lines "name = hex" of a document; an indented line that only holds hex goes on
// with the last name. Spaces within the hex are dropped.
inline std::map<std::string, std::string> documented_values(const std::string& path) {
  std::ifstream file(WORMHOLE_SOURCE_DIR + ("/" + path));
  EXPECT_TRUE(file.is_open()) << path;
  std::map<std::string, std::string> values;
  std::string* last = nullptr;
  for (std::string line; std::getline(file, line);) {
    const std::size_t equals = line.find(" = ");
    if (!line.starts_with("    ")) {
      last = nullptr;
    } else if (equals != std::string::npos) {
      std::string name = line.substr(4, equals - 4);
      name.erase(name.find_last_not_of(' ') + 1);
      last = &values[name];
      line.erase(0, equals + 3);
    }
    if (last == nullptr) continue;
    for (const char c : line) {
      if (c != ' ') last->push_back(c);
    }
  }
  return values;
}

}  // namespace wormhole::testing
