#include "cli/code_source.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "platform/process.h"
#include "platform/test_directory.h"

namespace wormhole::cli {
namespace {

// argv as the kernel lays it out: one writable piece of memory, null behind the last.
class FakeArgv {
 public:
  FakeArgv(std::initializer_list<std::string> arguments) {
    for (const std::string& argument : arguments) memory_ += argument + '\0';
    std::size_t at = 0;
    for (const std::string& argument : arguments) {
      pointers_.push_back(memory_.data() + at);
      at += argument.size() + 1;
    }
    pointers_.push_back(nullptr);
  }
  FakeArgv(const FakeArgv&) = delete;
  FakeArgv& operator=(const FakeArgv&) = delete;

  GivenCode take() {
    return take_given_code(static_cast<int>(pointers_.size()) - 1, pointers_.data(), left);
  }
  [[nodiscard]] bool shows(std::string_view secret) const {
    return memory_.find(secret) != std::string::npos;
  }
  std::vector<std::string> left;

 private:
  std::string memory_;
  std::vector<char*> pointers_;
};

using Arguments = std::vector<std::string>;

TEST(CodeSource, TheCodeIsTakenOutOfArgv) {
  FakeArgv apart{"wormhole", "get", "host", "--code", "4821-marble-anchor-tulip", "-q"};
  EXPECT_EQ(apart.take().argument, "4821-marble-anchor-tulip");
  EXPECT_EQ(apart.left, (Arguments{"wormhole", "get", "host", "-q"}));
  EXPECT_FALSE(apart.shows("marble"));
  EXPECT_FALSE(apart.shows("4821"));
  EXPECT_TRUE(apart.shows("host")) << "nothing else is touched";

  FakeArgv joined{"wormhole", "--code=4821-marble-anchor-tulip", "get", "host"};
  EXPECT_EQ(joined.take().argument, "4821-marble-anchor-tulip");
  EXPECT_EQ(joined.left, (Arguments{"wormhole", "get", "host"}));
  EXPECT_FALSE(joined.shows("marble"));
  EXPECT_TRUE(joined.shows("get"));
}

TEST(CodeSource, EveryCodeIsScrubbedAndTheLastOneCounts) {
  FakeArgv argv{"wormhole", "--code", "first secret", "get", "--code=second secret", "host"};
  EXPECT_EQ(argv.take().argument, "second secret");
  EXPECT_FALSE(argv.shows("secret"));
  EXPECT_EQ(argv.left, (Arguments{"wormhole", "get", "host"}));
}

TEST(CodeSource, EmptyAndMissingValues) {
  FakeArgv empty{"wormhole", "--code", "", "get"};
  EXPECT_EQ(empty.take().argument, "");
  EXPECT_EQ(empty.left, (Arguments{"wormhole", "get"}));
  FakeArgv missing{"wormhole", "get", "--code"};
  EXPECT_FALSE(missing.take().argument.has_value());
  EXPECT_EQ(missing.left, (Arguments{"wormhole", "get", "--code"})) << "the parser complains";
}

TEST(CodeSource, OtherArgumentsThatLookLikeItStay) {
  FakeArgv argv{"wormhole", "--code-file", "f", "--codex=1", "--", "--code", "operand", "--code=x"};
  EXPECT_FALSE(argv.take().argument.has_value());
  EXPECT_EQ(argv.left, (Arguments{"wormhole", "--code-file", "f", "--codex=1", "--", "--code",
                                  "operand", "--code=x"}));
  EXPECT_TRUE(argv.shows("operand"));
  FakeArgv program{"--code=x", "get"};
  EXPECT_FALSE(program.take().argument.has_value());
  FakeArgv nothing{};
  EXPECT_FALSE(nothing.take().argument.has_value());
}

TEST(CodeSource, TheEnvironmentGivesItsCodeAndForgetsIt) {
  ASSERT_EQ(::setenv("WORMHOLE_CODE", "spoken words", 1), 0);
  FakeArgv argv{"wormhole", "get", "host"};
  const GivenCode given = argv.take();
  EXPECT_EQ(given.environment, "spoken words");
  EXPECT_EQ(::getenv("WORMHOLE_CODE"), nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    EXPECT_EQ(std::string_view(*entry).find("spoken"), std::string_view::npos);
  }
  EXPECT_FALSE(comes_from_prompt(given, std::nullopt));
}

TEST(CodeSource, TheArgumentComesBeforeTheFileBeforeTheEnvironment) {
  const platform::TestDirectory there;
  const std::string file = there / "code";
  ASSERT_TRUE(platform::write_secret_file(file, "from-file").has_value());
  const GivenCode both{.argument = "from-argument", .environment = "from-environment"};
  const GivenCode environment{.argument = std::nullopt, .environment = "from-environment"};
  EXPECT_EQ(code_for_joining(both, file)->text(), "from-argument");
  EXPECT_EQ(code_for_joining(environment, file)->text(), "from-file");
  EXPECT_EQ(code_for_joining(environment, std::nullopt)->text(), "from-environment");
  EXPECT_EQ(code_for_sharing(both, file).value()->text(), "from-argument");
  EXPECT_EQ(code_for_sharing(environment, file).value()->text(), "from-file");
  EXPECT_EQ(code_for_sharing(environment, std::nullopt).value()->text(), "from-environment");
  EXPECT_FALSE(comes_from_prompt(both, std::nullopt));
  EXPECT_FALSE(comes_from_prompt({}, file));
  EXPECT_TRUE(comes_from_prompt({}, std::nullopt));
}

TEST(CodeSource, SharingMakesACodeWhereNoneIsGiven) {
  const platform::TestDirectory there;
  const auto none = code_for_sharing({}, std::nullopt);
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  const auto written_later = code_for_sharing({}, there / "not there yet");
  ASSERT_TRUE(written_later.has_value());
  EXPECT_FALSE(written_later->has_value());
  EXPECT_FALSE(code_for_joining({}, there / "not there yet").has_value());
}

TEST(CodeSource, UnusableCodesAreUsageErrorsThatDoNotRepeatThem) {
  const platform::TestDirectory there;
  ASSERT_TRUE(platform::write_secret_file(there / "empty", "").has_value());
  for (const std::string& bad : {std::string(), std::string("se\ncret"), std::string(300, 's')}) {
    const GivenCode given{.argument = bad, .environment = std::nullopt};
    const auto joining = code_for_joining(given, std::nullopt);
    ASSERT_FALSE(joining.has_value());
    EXPECT_EQ(joining.error().code, Code::kUsage);
    EXPECT_FALSE(code_for_sharing(given, std::nullopt).has_value());
    if (!bad.empty()) {
      EXPECT_EQ(to_sentence(joining.error()).find("cret"), std::string::npos);
    }
  }
  EXPECT_FALSE(code_for_joining({}, there / "empty").has_value());
  EXPECT_FALSE(code_for_sharing({}, there / "empty").has_value());
}

TEST(CodeSource, ACodeFileIsNotReadThroughASymlink) {
  const platform::TestDirectory there;
  ASSERT_TRUE(platform::write_secret_file(there / "code", "words").has_value());
  std::filesystem::create_symlink("code", there / "link");
  EXPECT_FALSE(code_for_joining({}, there / "link").has_value());
  EXPECT_FALSE(code_for_sharing({}, there / "link").has_value());
}

}  // namespace
}  // namespace wormhole::cli
