#include "coordinator/node_identity_file.h"

#include "common/crc32c.h"
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::HasSubstr;

StoredIdentity Formed() {
  return {.node = NodeId(2),
          .incarnation = Incarnation(0xfedcba9876543210),
          .proposal = FormationProposal{.cluster_id = "abc",
                                        .voters = {{.node = NodeId(1),
                                                    .incarnation = Incarnation(1),
                                                    .control_address = "[::1]:9093"},
                                                   {.node = NodeId(2),
                                                    .incarnation = Incarnation(0xfedcba9876543210),
                                                    .control_address = "b:9093"}}}};
}

TEST(NodeIdentityFileTest, ABlankIdentityIsReadBack) {
  const StoredIdentity blank{.node = NodeId(0), .incarnation = Incarnation(7)};
  const auto read = DecodeNodeIdentity(EncodeNodeIdentity(blank));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, blank);
}

TEST(NodeIdentityFileTest, AStoredProposalIsReadBack) {
  const auto read = DecodeNodeIdentity(EncodeNodeIdentity(Formed()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Formed());
}

TEST(NodeIdentityFileTest, EveryTornOrChangedFileIsNoticed) {
  const std::string text = EncodeNodeIdentity(Formed());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(DecodeNodeIdentity(text.substr(0, size)).status(), HasErrc(Errc::kStorage));
  }
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] ^= 1;
    EXPECT_FALSE(DecodeNodeIdentity(changed).ok()) << "byte " << at;
  }
}

TEST(NodeIdentityFileTest, ANewerVersionIsRefusedInOneClearLine) {
  std::string text = "version=2\nnode.id=1\nincarnation=1\n";
  char checksum[32];
  snprintf(checksum, sizeof(checksum), "crc32c=%08x\n", Crc32c(text));
  const absl::Status status = DecodeNodeIdentity(text + checksum).status();
  EXPECT_THAT(status, HasErrc(Errc::kUnsupportedVersion));
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 2"));
}

TEST(NodeIdentityFileTest, AFolderOfAnotherNodeIsRefused) {
  EXPECT_TRUE(CheckDataFolder(Formed(), NodeId(2), "data").ok());
  const absl::Status status = CheckDataFolder(Formed(), NodeId(3), "data");
  EXPECT_THAT(status, HasErrc(Errc::kInvalidConfig));
  EXPECT_THAT(std::string(status.message()), HasSubstr("data belongs to node.id 2"));
}

}  // namespace
}  // namespace garam
