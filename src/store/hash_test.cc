#include "store/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace wormhole::store {
namespace {

// BLAKE3 official test vectors (BLAKE3-team/BLAKE3, test_vectors.json): input bytes count
// 0, 1, ..., 250, 0, 1, ...
ByteVector counting(std::size_t length) {
  ByteVector bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

// First in this file: only the process's first hash looks at the CPU (a race, for TSan to see).
TEST(Hash, TheFirstOnesMayBeConcurrent) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 8; ++i) {
    threads.emplace_back([] { EXPECT_NE(hash(counting(2000)), Hash{}); });
  }
  for (std::thread& thread : threads) thread.join();
}

// The same vectors: the key is their 32 ASCII bytes.
TEST(Hash, KnownAnswersWithAKey) {
  Hash key;
  std::ranges::copy(as_bytes("whats the Elvish word for friend"), key.begin());
  EXPECT_EQ(to_hex(keyed_hash(key, counting(0))),
            "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26");
  EXPECT_EQ(to_hex(keyed_hash(key, counting(1))),
            "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b");
}

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(to_hex(hash(counting(0))),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(to_hex(hash(counting(1))),
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
  EXPECT_EQ(to_hex(hash(counting(1024))),
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
}

TEST(PartialName, IsRecognisedAndDiffersByFinalName) {
  const std::string longest(255, 'x');
  for (const std::string& name : {std::string("a"), std::string("\xff\x01"), longest}) {
    EXPECT_TRUE(is_partial_name(partial_name(name)));
    EXPECT_LE(partial_name(name).size(), 255u);
    EXPECT_FALSE(is_partial_name(name));
  }
  EXPECT_NE(partial_name("a"), partial_name("b"));
  EXPECT_FALSE(is_partial_name(".wormhole-"));
  EXPECT_FALSE(is_partial_name(partial_name("a") + "0"));
}

}  // namespace
}  // namespace wormhole::store
