#include "session/host_identity.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/document_testing.h"

namespace wormhole::session {
namespace {

template <typename Array>
Array documented(const std::string& name) {
  const auto values = wormhole::testing::documented_values("docs/formats/messages.md");
  const auto bytes = from_hex(values.at(name)).value();
  Array array;
  EXPECT_EQ(bytes.size(), array.size()) << name;
  std::ranges::copy(bytes, array.begin());
  return array;
}

using Seed = std::array<std::byte, 32>;

// The seed and its public key are those of test 1 in RFC 8032, section 7.1.
TEST(HostIdentity, TheDocumentsExample) {
  const HostIdentity host(documented<Seed>("seed"));
  const auto session = documented<SessionId>("session id");
  const wire::HostProof proof = host.prove(session, Role::kHost);
  EXPECT_EQ(to_hex(proof.key), to_hex(documented<wire::HostKey>("host key")));
  EXPECT_EQ(to_hex(proof.key), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const auto values = wormhole::testing::documented_values("docs/formats/messages.md");
  EXPECT_EQ(to_hex(proof.signature), values.at("signature"));
  EXPECT_TRUE(is_proven(proof, session, Role::kHost));
}

TEST(HostIdentity, AProofIsGoodForItsSessionAndItsKeyOnly) {
  const HostIdentity host(documented<Seed>("seed"));
  const HostIdentity other(Seed{std::byte{1}});
  const SessionId session{std::byte{7}};
  SessionId another = session;
  another.back() ^= std::byte{1};
  const wire::HostProof proof = host.prove(session, Role::kHost);
  EXPECT_TRUE(is_proven(proof, session, Role::kHost));
  EXPECT_FALSE(is_proven(proof, another, Role::kHost));
  EXPECT_FALSE(is_proven(proof, session, Role::kDialler));
  EXPECT_TRUE(is_proven(host.prove(session, Role::kDialler), session, Role::kDialler));
  // Another's key over this signature, and the other way round.
  wire::HostProof stolen = other.prove(session, Role::kHost);
  EXPECT_NE(stolen.key, proof.key);
  stolen.key = proof.key;
  EXPECT_FALSE(is_proven(stolen, session, Role::kHost));
  for (const std::size_t at : {0U, 31U, 32U, 63U}) {
    wire::HostProof bent = proof;
    bent.signature[at] ^= std::byte{1};
    EXPECT_FALSE(is_proven(bent, session, Role::kHost)) << at;
  }
}

// Points of small order: for such a "key" a signature can be made that fits everything.
TEST(HostIdentity, AKeyThatNobodyCanHaveIsNone) {
  for (const unsigned first : {0U, 1U}) {
    wire::HostProof proof;
    proof.key[0] = std::byte(first);
    proof.signature[0] = std::byte(first);
    EXPECT_FALSE(is_proven(proof, SessionId{}, Role::kHost));
  }
}

}  // namespace
}  // namespace wormhole::session
