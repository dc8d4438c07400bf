#include "cli/output.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace wormhole::cli {
namespace {

// What `act` writes to that stream.
std::string written(std::FILE* stream, const std::function<void()>& act) {
  std::fflush(stream);
  const int descriptor = ::fileno(stream);
  const int saved = ::dup(descriptor);
  std::FILE* file = std::tmpfile();
  EXPECT_TRUE(file != nullptr && saved >= 0 && ::dup2(::fileno(file), descriptor) >= 0);
  act();
  std::fflush(stream);
  ::dup2(saved, descriptor);
  ::close(saved);
  EXPECT_EQ(std::fseek(file, 0, SEEK_SET), 0);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

const Error kNasty{.code = Code::kNotFound,
                   .operation = "open",
                   .object = "a\x1b[2J\r\nb\xff\xe2\x80\xae",
                   .detail = "why"};

bool is_printable_line(std::string_view text) {
  if (!text.ends_with('\n')) return false;
  text.remove_suffix(1);
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return text.find("\xe2\x80\xae") == std::string_view::npos;
}

TEST(Output, PeopleGetResultsOnStdoutAndTheRestOnStderr) {
  Output output(false, Verbosity::kNormal);
  std::string results;
  const std::string rest = written(stderr, [&] {
    results = written(stdout, [&] {
      output.result("r");
      output.say("s");
      output.error(kNasty);
    });
  });
  EXPECT_EQ(results, "r\n");
  EXPECT_TRUE(rest.starts_with("s\nwormhole: ")) << rest;
  EXPECT_EQ(written(stdout, [&] { output.event({{"event", "x"}}); }), "");
}

TEST(Output, QuietIsQuietButForErrorsAndResults) {
  Output output(false, Verbosity::kQuiet);
  EXPECT_TRUE(output.is_quiet());
  EXPECT_EQ(written(stderr, [&] { output.say("s"); }), "");
  EXPECT_EQ(written(stdout, [&] { output.result("r"); }), "r\n");
  EXPECT_NE(written(stderr, [&] { output.error(kNasty); }), "");
  EXPECT_TRUE(Output(false, Verbosity::kVerbose).is_verbose());
}

TEST(Output, ErrorsAreOnePrintableLine) {
  Output output(false, Verbosity::kNormal);
  const std::string text = written(stderr, [&] { output.error(kNasty); });
  EXPECT_TRUE(text.starts_with("wormhole: ")) << text;
  EXPECT_TRUE(is_printable_line(text)) << text;
}

TEST(Output, ProgramsGetOnlyObjectsOneALine) {
  Output output(true, Verbosity::kNormal);
  EXPECT_TRUE(output.is_json());
  EXPECT_FALSE(output.shows_progress());
  const std::string text = written(stdout, [&] {
    output.result("r");
    output.say("s");
    output.event({{"event", "one"}, {"n", 1}});
    output.event({{"event", "two"}});
  });
  const std::size_t first = text.find('\n');
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(text.substr(0, first)),
            (nlohmann::json{{"event", "one"}, {"n", 1}}));
  EXPECT_EQ(nlohmann::json::parse(text.substr(first + 1)), (nlohmann::json{{"event", "two"}}));
}

TEST(Output, AnErrorIsAnEventToo) {
  Output output(true, Verbosity::kNormal);
  std::string text;
  written(stderr, [&] { text = written(stdout, [&] { output.error(kNasty); }); });
  const auto object = nlohmann::json::parse(text);
  EXPECT_EQ(object["event"], "error");
  EXPECT_EQ(object["code"], code_name(Code::kNotFound));
  EXPECT_EQ(object["reason"], to_sentence(kNasty));
  EXPECT_TRUE(is_printable_line(text));
}

TEST(Output, NamesThatAreNotUtf8StandTwice) {
  nlohmann::json object;
  set_bytes(object, "path", "plain \xc3\xa9");
  EXPECT_EQ(object, (nlohmann::json{{"path", "plain \xc3\xa9"}}));

  const std::pair<std::string, std::string> cases[] = {{"\xff", "/w=="},
                                                       {"\xff\xfe", "//4="},
                                                       {"a\xff"
                                                        "b",
                                                        "Yf9i"}};
  for (const auto& [bytes, base64] : cases) {
    nlohmann::json broken;
    set_bytes(broken, "path", bytes);
    EXPECT_EQ(broken["path_base64"], base64);
    Output output(true, Verbosity::kNormal);
    const std::string text = written(stdout, [&] { output.event(broken); });
    const auto parsed = nlohmann::json::parse(text);
    EXPECT_NE(parsed["path"].get<std::string>().find("\xef\xbf\xbd"), std::string::npos);
  }
}

// CVE-2023-43620: a terminal that shows the objects is not driven by them either.
TEST(Output, ControlAndBidirectionalMarksAreEscapedInJson) {
  Output output(true, Verbosity::kNormal);
  nlohmann::json object;
  const std::string name = "a\x1b[31m\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8 b";
  set_bytes(object, "path", name);
  const std::string text = written(stdout, [&] { output.event(object); });
  EXPECT_TRUE(is_printable_line(text)) << text;
  for (const char* raw : {"\xc2\x9b", "\xe2\x80\xa8"}) EXPECT_EQ(text.find(raw), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(text)["path"], name);
}

TEST(Output, TheLiveLineMakesRoomForOthers) {
  Output output(false, Verbosity::kNormal);
  const std::string text = written(stderr, [&] {
    output.live("50%");
    output.say("said");
    output.live("");
    output.live("60%");
    output.live("");
  });
  EXPECT_EQ(text, "\r\x1b[K50%\r\x1b[Ksaid\n\r\x1b[K60%\r\x1b[K");
}

TEST(Output, ABrokenStdoutIsNoticed) {
  Output output(false, Verbosity::kNormal);
  EXPECT_FALSE(output.is_broken());
  std::fflush(stdout);
  const int saved = ::dup(STDOUT_FILENO);
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  ASSERT_GE(::dup2(::fileno(full), STDOUT_FILENO), 0);
  output.result("lost");
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  std::fclose(full);
  std::clearerr(stdout);
  EXPECT_TRUE(output.is_broken());
}

}  // namespace
}  // namespace wormhole::cli
