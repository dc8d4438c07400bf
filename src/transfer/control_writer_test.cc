#include "transfer/control_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/limits.h"
#include "transfer/connection_pair.h"

namespace wormhole::transfer {
namespace {

using wire::Cancel;
using wire::Credit;

class ControlWriterTest : public ::testing::Test {
 protected:
  // What was pushed before, sent in order until close().
  Result<void> drain(DataSource* data = nullptr) {
    control_.close();
    return control_.run(data);
  }
  std::uint32_t next_cancel() {
    const auto message = pair_.receive_message();
    const auto* cancel = std::get_if<Cancel>(&message);
    EXPECT_NE(cancel, nullptr) << wire::message_name(message);
    return cancel == nullptr ? 0 : cancel->request;
  }
  std::pair<std::uint32_t, std::uint32_t> next_credit() {
    const auto message = pair_.receive_message();
    const auto* credit = std::get_if<Credit>(&message);
    EXPECT_NE(credit, nullptr) << wire::message_name(message);
    return credit == nullptr ? std::pair{0U, 0U} : std::pair{credit->request, credit->entries};
  }

  testing::ConnectionPair pair_;
  BlockPool pool_{2};
  ControlWriter control_{*pair_.near().writer, pool_};
};

TEST_F(ControlWriterTest, SendsInOrderAndAllBeforeItEnds) {
  for (std::uint32_t i = 1; i <= 100; ++i) control_.push(Cancel{i});
  ASSERT_TRUE(drain().has_value());
  for (std::uint32_t i = 1; i <= 100; ++i) EXPECT_EQ(next_cancel(), i);
}

TEST_F(ControlWriterTest, NothingIsTakenAfterClose) {
  control_.push(Cancel{1});
  control_.close();
  control_.push(Cancel{2});
  control_.add_credit(3, 4);
  EXPECT_FALSE(control_.push_waiting(Cancel{5}));
  ASSERT_TRUE(control_.run(nullptr).has_value());
  EXPECT_EQ(next_cancel(), 1U);
  pair_.near().socket.finish_sending();
  Block block = pool_.acquire();
  EXPECT_FALSE(pair_.far().reader->receive(block).has_value());
}

TEST_F(ControlWriterTest, CreditOfARequestIsGathered) {
  control_.add_credit(1, 5);
  control_.add_credit(2, 7);
  control_.add_credit(1, 6);
  control_.push(Cancel{9});
  ASSERT_TRUE(drain().has_value());
  EXPECT_EQ(next_cancel(), 9U) << "messages first";
  EXPECT_EQ(next_credit(), (std::pair{1U, 11U}));
  EXPECT_EQ(next_credit(), (std::pair{2U, 7U}));
}

TEST_F(ControlWriterTest, MoreCreditThanAMessageHoldsGoesInSeveral) {
  control_.add_credit(1, kOpenEntriesMax);
  control_.add_credit(1, kOpenEntriesMax + 3);
  ASSERT_TRUE(drain().has_value());
  EXPECT_EQ(next_credit(), (std::pair{1U, kOpenEntriesMax}));
  EXPECT_EQ(next_credit(), (std::pair{1U, kOpenEntriesMax}));
  EXPECT_EQ(next_credit(), (std::pair{1U, 3U}));
}

TEST_F(ControlWriterTest, AWalkerWaitsWhileMuchStands) {
  for (std::size_t i = 0; i < kControlWaitingMax; ++i) {
    ASSERT_TRUE(control_.push_waiting(Cancel{static_cast<std::uint32_t>(i + 1)}));
  }
  std::atomic<bool> pushed = false;
  std::thread walker([&] {
    EXPECT_TRUE(control_.push_waiting(Cancel{1000}));
    pushed = true;
  });
  EXPECT_FALSE(pushed) << "nothing was sent yet";
  std::thread writer([&] { EXPECT_TRUE(control_.run(nullptr).has_value()); });
  walker.join();
  control_.close();
  writer.join();
  for (std::uint32_t i = 1; i <= kControlWaitingMax; ++i) EXPECT_EQ(next_cancel(), i);
  EXPECT_EQ(next_cancel(), 1000U);
}

TEST_F(ControlWriterTest, WaitersAreWokenByClose) {
  for (std::size_t i = 0; i < kControlWaitingMax; ++i) control_.push(Cancel{1});
  std::thread walker([&] { EXPECT_FALSE(control_.push_waiting(Cancel{2})); });
  control_.close();
  walker.join();
}

TEST_F(ControlWriterTest, SaysWhenTheStreamBreaks) {
  pair_.near().socket.shut_down();
  control_.push(Cancel{1});
  EXPECT_FALSE(control_.run(nullptr).has_value());
  control_.close();
}

TEST_F(ControlWriterTest, TooLargeAMessageIsOurErrorNotATornStream) {
  wire::Entry entry;
  entry.name.assign(kNameMaxBytes, 'n');
  control_.push(wire::Entries{1, 0, std::vector<wire::Entry>(wire::kEntriesPerMessageMax, entry)});
  const auto result = drain();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kLimit);
}

// Frames of data that say which they are; before each, optionally, something happens.
class Frames final : public DataSource {
 public:
  Frames(session::SealedWriter& writer, BlockPool& pool, unsigned count)
      : writer_(writer), block_(pool.acquire()), left_(count) {}
  bool take() override { return left_ > 0; }
  Result<void> send_one(Block& /*block*/) override {
    if (before_each) before_each();
    --left_;
    return writer_.send({.payload_bytes = 1, .type = wire::FrameType::kData}, block_);
  }
  void refill(unsigned count) { left_ = count; }
  std::function<void()> before_each;

 private:
  session::SealedWriter& writer_;
  Block block_;
  std::atomic<unsigned> left_;
};

TEST_F(ControlWriterTest, ControlNeverWaitsBehindMoreThanOneFrame) {
  Frames frames(*pair_.near().writer, pool_, 3);
  std::uint32_t request = 0;
  frames.before_each = [&] {
    if (++request == 3) control_.close();
    control_.push(Cancel{request});
  };
  control_.push(Cancel{100});
  ASSERT_TRUE(control_.run(&frames).has_value());
  BlockPool pool(1);
  Block block = pool.acquire();
  std::string order;
  for (int i = 0; i < 6; ++i) {
    order += pair_.receive(block).type == wire::FrameType::kData ? 'd' : 'c';
  }
  EXPECT_EQ(order, "cdcdcd");
}

TEST_F(ControlWriterTest, APokeBringsDataBack) {
  Frames frames(*pair_.near().writer, pool_, 0);
  std::thread writer([&] { EXPECT_TRUE(control_.run(&frames).has_value()); });
  control_.push(Cancel{1});
  EXPECT_EQ(next_cancel(), 1U);
  frames.refill(2);
  control_.poke();
  BlockPool pool(1);
  Block block = pool.acquire();
  EXPECT_EQ(pair_.receive(block).type, wire::FrameType::kData);
  EXPECT_EQ(pair_.receive(block).type, wire::FrameType::kData);
  control_.close();
  writer.join();
}

}  // namespace
}  // namespace wormhole::transfer
