#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

namespace wormhole::cli {
namespace {

// status -> the row's text, name and explanation.
std::map<int, std::string> documented() {
  std::ifstream file(WORMHOLE_SOURCE_DIR "/docs/exit-codes.md");
  EXPECT_TRUE(file.is_open());
  std::map<int, std::string> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.size() > 2 && line.starts_with("| ") && line[2] >= '0' && line[2] <= '9') {
      const int status = std::stoi(line.substr(2));
      EXPECT_TRUE(rows.emplace(status, line).second) << status;
    }
  }
  return rows;
}

TEST(ExitCode, TheDocumentHasEveryStatusByItsName) {
  const std::pair<ExitCode, const char*> statuses[] = {
      {ExitCode::kSuccess, "success"},           {ExitCode::kUsage, "usage"},
      {ExitCode::kConnect, "no connection"},     {ExitCode::kWrongCode, "wrong code"},
      {ExitCode::kPartial, "some files failed"}, {ExitCode::kLocalIo, "local I/O"},
      {ExitCode::kRefused, "refused"},           {ExitCode::kInterrupted, "interrupted"}};
  const auto rows = documented();
  EXPECT_EQ(rows.size(), std::size(statuses));
  for (const auto& [status, name] : statuses) {
    const auto row = rows.find(static_cast<int>(status));
    ASSERT_NE(row, rows.end()) << name;
    EXPECT_NE(row->second.find("| " + std::string(name) + " |"), std::string::npos) << name;
  }
  // 1 has no row: nobody is to branch on it.
  EXPECT_EQ(static_cast<int>(ExitCode::kInternal), 1);
}

// What the document says of a failure stands in the row of the status it gets.
TEST(ExitCode, TheDocumentsRowsAreTheCodes) {
  const std::pair<Code, const char*> phrases[] = {
      {Code::kUsage, "the command line or a value in it is wrong"},
      {Code::kConnect, "the host cannot be reached"},
      {Code::kRefused, "its code was retired"},
      {Code::kVersion, "another version"},
      {Code::kLost, "an established connection was lost"},
      {Code::kWrongCode, "the key exchange ended without a common key"},
      {Code::kProtocol, "broke the protocol"},
      {Code::kChanged, "changed while it was read"},
      {Code::kRemoteIo, "the host may not read it"},
      {Code::kNoSpace, "no space"},
      {Code::kLocalIo, "this machine's file system refused"},
      {Code::kInterrupted, "Ctrl-C"}};
  const auto rows = documented();
  for (const auto& [code, phrase] : phrases) {
    int found = -1;
    for (const auto& [status, row] : rows) {
      if (row.find(phrase) != std::string::npos) found = status;
    }
    EXPECT_EQ(static_cast<int>(exit_code_for(code)), found) << phrase;
  }
}

TEST(ExitCode, NoErrorIsSuccess) {
  for (int code = 0; code <= static_cast<int>(Code::kCrypto); ++code) {
    EXPECT_NE(exit_code_for(static_cast<Code>(code)), ExitCode::kSuccess) << code;
  }
  EXPECT_EQ(exit_code_for(Code::kCrypto), ExitCode::kInternal);
}

}  // namespace
}  // namespace wormhole::cli
