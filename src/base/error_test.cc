#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "base/result.h"

namespace wormhole {
namespace {

constexpr int kCodes = static_cast<int>(Code::kCrypto) + 1;

TEST(Error, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code < kCodes; ++code) names.insert(code_name(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kCodes));
  EXPECT_EQ(code_name(Code::kWrongCode), "wrong_code");
}

TEST(Error, ErrnoChoosesTheCode) {
  EXPECT_EQ(os_error(ENOSPC, "write", "f").code, Code::kNoSpace);
  EXPECT_EQ(os_error(EDQUOT, "write", "f").code, Code::kNoSpace);
  EXPECT_EQ(os_error(ENOENT, "open", "f").code, Code::kNotFound);
  EXPECT_EQ(os_error(EACCES, "open", "f").code, Code::kLocalIo);
  EXPECT_EQ(os_error(EEXIST, "create", "f", Code::kExists).code, Code::kExists);
  EXPECT_EQ(os_error(ECONNREFUSED, "connect", "h", Code::kConnect).os_errno, ECONNREFUSED);
}

TEST(Error, OnlyPassingTroublesAreRetryable) {
  EXPECT_TRUE(os_error(EMFILE, "open", "f").retryable);
  EXPECT_TRUE(os_error(ECONNRESET, "receive", "", Code::kLost).retryable);
  EXPECT_FALSE(os_error(EACCES, "open", "f").retryable);
  EXPECT_FALSE(os_error(ENOSPC, "write", "f").retryable);
}

TEST(Error, SentenceSaysWhatOnWhatWhyAndWhatToDo) {
  Error error = os_error(EACCES, "open", "a/b");
  EXPECT_EQ(to_sentence(error), "cannot open 'a/b': permission denied");
  error.advice = "check who owns it";
  EXPECT_EQ(to_sentence(error), "cannot open 'a/b': permission denied; check who owns it");
}

TEST(Error, SentenceWithoutDetailStillGivesAReason) {
  EXPECT_EQ(to_sentence({.code = Code::kLocalIo, .operation = "read", .os_errno = EIO}),
            "cannot read: input/output error");
  for (int code = 0; code < kCodes; ++code) {
    const std::string sentence =
        to_sentence({.code = static_cast<Code>(code), .operation = "go on"});
    EXPECT_TRUE(sentence.starts_with("cannot go on: ")) << sentence;
    EXPECT_GT(sentence.size(), std::string("cannot go on: ").size());
  }
}

TEST(Error, SentenceEscapesWhatAPeerMayHaveChosen) {
  const std::string sentence = to_sentence({.code = Code::kRemoteIo,
                                            .operation = "fetch",
                                            .object = "a\x1b[2Jb\r\nc",
                                            .detail = "no\x1b]0;you\x07"});
  EXPECT_EQ(sentence, "cannot fetch 'a\\x1B[2Jb\\x0D\\x0Ac': no\\x1B]0;you\\x07");
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail({.code = Code::kUsage, .operation = "halve"});
  return number / 2;
}

Result<int> quarter(int number) {
  WH_ASSIGN(const int halved, half(number));
  WH_TRY(half(halved));
  return half(halved);
}

TEST(Result, MacrosPassErrorsOn) {
  ASSERT_TRUE(quarter(8).has_value());
  EXPECT_EQ(*quarter(8), 2);
  ASSERT_FALSE(quarter(6).has_value());
  EXPECT_EQ(quarter(6).error().operation, "halve");
  EXPECT_EQ(quarter(5).error().code, Code::kUsage);
}

}  // namespace
}  // namespace wormhole
