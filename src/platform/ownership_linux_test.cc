#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "platform/accounts.h"
#include "platform/confinement.h"
#include "platform/ownership.h"
#include "platform/test_directory.h"

namespace wormhole::platform {
namespace {

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}
struct AclEntry {
  std::uint16_t tag;
  std::uint16_t permissions;
  std::uint32_t id = UINT32_MAX;
};
std::string acl(const std::vector<AclEntry>& entries) {
  std::string text = little_endian(2, 4);
  for (const AclEntry& one : entries) {
    text +=
        little_endian(one.tag, 2) + little_endian(one.permissions, 2) + little_endian(one.id, 4);
  }
  return text;
}
const std::string kAcl = acl({{1, 6}, {2, 6, 1234}, {4, 4}, {16, 6}, {32, 0}});

TEST(KeptAttributes, AreTheUsersAndAclsAndNothingElse) {
  for (const std::string_view name :
       {"user.a", "user.\xff", "user..", "system.posix_acl_access", "system.posix_acl_default"}) {
    EXPECT_TRUE(is_kept_attribute(name)) << name;
  }
  for (const std::string_view name :
       {"", "user", "user.", "USER.a", " user.a", "userx.a", "security.capability",
        "security.selinux", "trusted.overlay.opaque", "system.posix_acl_accessx", "system.nfs4_acl",
        "btrfs.compression", "system.posix_acl", "a"}) {
    EXPECT_FALSE(is_kept_attribute(name)) << name;
  }
  using namespace std::string_view_literals;
  EXPECT_FALSE(is_kept_attribute("user.a\0b"sv));
  EXPECT_FALSE(is_kept_attribute("system.posix_acl_access\0"sv));
  EXPECT_TRUE(is_kept_attribute("user." + std::string(kAttributeNameMaxBytes - 5, 'n')));
  EXPECT_FALSE(is_kept_attribute("user." + std::string(kAttributeNameMaxBytes - 4, 'n')));
}

TEST(GroupBitsOfAcl, AreThoseOfTheGroupNotOfTheMask) {
  EXPECT_EQ(group_bits_of_acl(kAcl), 4u);
  EXPECT_EQ(group_bits_of_acl(acl({{4, 0}, {16, 7}})), 0u);
  EXPECT_EQ(group_bits_of_acl(acl({})), std::nullopt);
  EXPECT_EQ(group_bits_of_acl(""), std::nullopt);
  EXPECT_EQ(group_bits_of_acl(kAcl.substr(1)), std::nullopt);
  EXPECT_EQ(group_bits_of_acl(little_endian(1, 4) + kAcl.substr(4)), std::nullopt);
}

class OwnershipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    temp_.write("file", "content");
    std::filesystem::create_symlink("nowhere", temp_ / "link");
    if (!set_attribute(file_.emplace(*temp_.open().open_file("file")).descriptor(),
                       {"user.probe", ""})
             .has_value()) {
      GTEST_SKIP() << "no user attributes on this file system";
    }
    ASSERT_TRUE(remove_attribute(handle(), "user.probe").has_value());
  }
  [[nodiscard]] int handle() const { return file_->descriptor(); }
  [[nodiscard]] std::vector<Attribute> there() const {
    auto kept = read_attributes(handle()).kept;
    std::ranges::sort(kept, {}, &Attribute::name);
    return kept;
  }

  const TestDirectory temp_;
  std::optional<File> file_;
};

TEST_F(OwnershipTest, AttributesComeBack) {
  EXPECT_TRUE(there().empty());
  using namespace std::string_literals;
  const std::vector<Attribute> all = {
      {"user.bytes", "\xff\0\n"s}, {"user.empty", ""}, {"user.longer", std::string(3000, 'v')}};
  for (const Attribute& one : all)
    ASSERT_TRUE(set_attribute(handle(), one).has_value()) << one.name;
  EXPECT_EQ(there(), all);
  ASSERT_TRUE(set_attribute(handle(), {"user.empty", "not any more"}).has_value());
  EXPECT_EQ(there()[1].value, "not any more");
  ASSERT_TRUE(remove_attribute(handle(), "user.empty").has_value());
  EXPECT_TRUE(remove_attribute(handle(), "user.empty").has_value()) << "gone already";
  EXPECT_EQ(there().size(), 2u);
}

TEST_F(OwnershipTest, NothingElseIsSet) {
  for (const char* name : {"security.capability", "trusted.mine", "security.evil", "user."}) {
    EXPECT_FALSE(set_attribute(handle(), {name, "x"}).has_value()) << name;
  }
  EXPECT_TRUE(there().empty());
}

TEST_F(OwnershipTest, AclsComeBackAndTheModeGoesWithThem) {
  ASSERT_TRUE(file_->set_mode(0600).has_value());
  if (!set_attribute(handle(), {std::string(kAccessAcl), kAcl}).has_value()) {
    GTEST_SKIP() << "no ACLs on this file system";
  }
  EXPECT_EQ(there(), (std::vector<Attribute>{{std::string(kAccessAcl), kAcl}}));
  EXPECT_EQ(file_->status()->mode, 0660u);
  // What it is set to once more leaves it as it is.
  ASSERT_TRUE(file_->set_mode(0660).has_value());
  EXPECT_EQ(there()[0].value, kAcl);
  EXPECT_FALSE(set_attribute(handle(), {std::string(kAccessAcl), "rubbish"}).has_value());
  EXPECT_FALSE(set_attribute(handle(), {std::string(kDefaultAcl), kAcl}).has_value())
      << "no directory";
  ASSERT_TRUE(remove_attribute(handle(), kAccessAcl).has_value());
  EXPECT_TRUE(there().empty());
}

TEST_F(OwnershipTest, CapabilitiesAreToldOf) {
  EXPECT_FALSE(read_attributes(handle()).has_capabilities);
  // linux/capability.h: revision 2, CAP_NET_RAW.
  const std::string raw = little_endian(0x02000001, 4) + little_endian(1 << 13, 16);
  if (::fsetxattr(handle(), "security.capability", raw.data(), raw.size(), 0) != 0) {
    GTEST_SKIP() << "takes root";
  }
  const Attributes read = read_attributes(handle());
  EXPECT_TRUE(read.has_capabilities);
  EXPECT_TRUE(read.kept.empty());
  EXPECT_EQ(read.left_out, 0u);
}

TEST_F(OwnershipTest, OwnersAreSetOneOrBoth) {
  const FileStatus before = *file_->status();
  EXPECT_TRUE(set_owner(handle(), before.owner, before.group).has_value());
  if (::geteuid() != 0) {
    EXPECT_EQ(set_owner(handle(), before.owner + 1, before.group).error().os_errno, EPERM);
    return;
  }
  ASSERT_TRUE(set_owner(handle(), 4711, std::nullopt).has_value());
  ASSERT_TRUE(set_owner(handle(), std::nullopt, 4712).has_value());
  EXPECT_EQ(file_->status()->owner, 4711u);
  EXPECT_EQ(file_->status()->group, 4712u);

  const Directory directory = temp_.open();
  const auto link = directory.open_symlink("link");
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->status.type, FileType::kSymlink);
  ASSERT_TRUE(set_owner(link->handle.get(), 1, 2).has_value());
  EXPECT_EQ(directory.status_of("link")->owner, 1u);
  EXPECT_EQ(directory.status_of("link")->group, 2u);
}

TEST_F(OwnershipTest, APartialThatIsTakenOverHasNoneUnlessItIsKept) {
  const Directory directory = temp_.open();
  {
    const auto partial = directory.open_partial("partial");
    ASSERT_TRUE(partial.has_value());
    ASSERT_TRUE(set_attribute(partial->descriptor(), {"user.a", "1"}).has_value());
    static_cast<void>(set_attribute(partial->descriptor(), {std::string(kAccessAcl), kAcl}));
  }
  const auto attributes = [&](Contents contents) {
    return read_attributes(directory.open_partial("partial", contents)->descriptor()).kept.size();
  };
  EXPECT_GE(attributes(Contents::kKeep), 1u);
  EXPECT_EQ(attributes(Contents::kDrop), 0u);
  EXPECT_EQ(directory.status_of("partial")->mode, 0600u);
}

TEST_F(OwnershipTest, OnlySymlinksAreOpenedAsSuch) {
  const Directory directory = temp_.open();
  EXPECT_EQ(directory.open_symlink("file").error().code, Code::kSkippedSpecial);
  EXPECT_EQ(directory.open_symlink("gone").error().code, Code::kNotFound);
  EXPECT_EQ(directory.open_symlink("../link").error().code, Code::kUnsafeName);
}

// As a host is, once it shares: without what prepare_accounts() loads there are no names.
TEST(ConfinedAccounts, HaveTheirNames) {
  const TestDirectory box;
  bool is_confined = false;
  std::string name;
  std::thread([&] {
    prepare_accounts();
    Confinement to{.written = {}, .read = {{box.path().string()}}};
    to.read->insert(to.read->end(), kAccountFiles.begin(), kAccountFiles.end());
    const auto done = confine(to);
    is_confined = done.has_value() && *done;
    name = Accounts().user_name(0);
  }).join();
  if (!is_confined) GTEST_SKIP() << "this kernel has no landlock";
  EXPECT_EQ(name, "root");
}

}  // namespace
}  // namespace wormhole::platform
