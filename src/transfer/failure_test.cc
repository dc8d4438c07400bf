#include "transfer/failure.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace wormhole::transfer {
namespace {

TEST(Failure, EveryCodeCrossesTheWireAsWhatItMeansThere) {
  const struct {
    Code here;
    wire::FailureCode wire;
    Code there;
  } cases[] = {{Code::kNotFound, wire::FailureCode::kNotFound, Code::kNotFound},
               {Code::kChanged, wire::FailureCode::kChanged, Code::kChanged},
               {Code::kSkippedSpecial, wire::FailureCode::kSpecial, Code::kSkippedSpecial},
               {Code::kLimit, wire::FailureCode::kLimit, Code::kLimit},
               {Code::kUnsafeName, wire::FailureCode::kUnsafeName, Code::kUnsafeName},
               {Code::kLocalIo, wire::FailureCode::kIo, Code::kRemoteIo},
               {Code::kNoSpace, wire::FailureCode::kIo, Code::kRemoteIo},
               {Code::kCrypto, wire::FailureCode::kIo, Code::kRemoteIo}};
  for (const auto& [here, wire, there] : cases) {
    EXPECT_EQ(failure_code({.code = here, .operation = "read"}), wire);
    EXPECT_EQ(remote_failure(wire, "p", "r").code, there);
  }
}

TEST(Failure, ReasonsTellWhyButNotWhere) {
  const Error denied = os_error(EACCES, "open", "/home/someone/secret");
  const std::string reason = failure_reason(denied);
  EXPECT_FALSE(reason.empty());
  EXPECT_EQ(reason.find("someone"), std::string::npos);
  EXPECT_EQ(failure_reason({.code = Code::kChanged, .operation = "read", .detail = "why"}), "why");
  EXPECT_EQ(failure_reason({.code = Code::kLocalIo, .operation = "read", .os_errno = ENOENT}),
            "No such file or directory");
  EXPECT_FALSE(failure_reason({.code = Code::kLimit, .operation = "read"}).empty());
}

TEST(Failure, NamesFitTheirMessage) {
  const wire::Failed failed{.name = failure_name(std::string(765, 'x')), .reason = "too long"};
  ByteVector out(wire::kMessageMaxBytes);
  const auto length = wire::encode(failed, out);
  ASSERT_TRUE(length.has_value());
  const auto crossed = wire::decode(Bytes(out).first(*length));
  ASSERT_TRUE(crossed.has_value()) << crossed.error().detail;
  EXPECT_EQ(std::get<wire::Failed>(*crossed).name, std::string(kNameMaxBytes, 'x'));
  EXPECT_EQ(failure_name("short"), "short");
}

TEST(Failure, ReasonsFitTheirMessage) {
  const std::string longest(wire::kReasonMaxBytes + 100, 'x');
  EXPECT_EQ(failure_reason({.code = Code::kLimit, .operation = "read", .detail = longest}).size(),
            wire::kReasonMaxBytes);
}

TEST(Failure, TheTakerNamesItsOwnPathAndEscapesTheHostsWords) {
  const Error error = remote_failure(wire::FailureCode::kIo, "a/b", "bad\x1b[2J\n");
  EXPECT_EQ(error.object, "a/b");
  const std::string sentence = to_sentence(error);
  EXPECT_NE(sentence.find("the host says"), std::string::npos);
  EXPECT_EQ(sentence.find('\x1b'), std::string::npos);
  EXPECT_EQ(sentence.find('\n'), std::string::npos);
  EXPECT_TRUE(remote_failure(wire::FailureCode::kChanged, "a", "").retryable);
}

}  // namespace
}  // namespace wormhole::transfer
