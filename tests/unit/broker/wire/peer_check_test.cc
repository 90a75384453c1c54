#include "broker/wire/peer_check.h"

#include <gtest/gtest.h>

#include "common/status.h"

namespace garam {
namespace {

NodeIdentity Identity(int node, std::string cluster) {
  return {NodeId(node), Incarnation(1), StartId(2), std::move(cluster)};
}

TEST(PeerCheckTest, OneClusterAgrees) {
  EXPECT_TRUE(CheckPeer(Identity(1, "c"), Identity(2, "c"), {}).ok());
  EXPECT_TRUE(CheckPeer(Identity(1, ""), Identity(2, "c"), {}).ok());
  EXPECT_TRUE(CheckPeer(Identity(1, "c"), Identity(2, ""), {}).ok());
}

TEST(PeerCheckTest, AnotherClusterIsRefused) {
  const absl::Status status = CheckPeer(Identity(1, "c"), Identity(2, "d"), {});
  EXPECT_EQ(ErrcOf(status), Errc::kInconsistentClusterId);
  EXPECT_EQ(status.message(), "broker 2 belongs to cluster d, this broker to c");
}

TEST(PeerCheckTest, AProtocolThatOnlyOneSideSpeaksIsRefused) {
  const absl::Status newer = CheckPeer(Identity(1, "c"), Identity(2, "c"), {7, 9});
  EXPECT_EQ(ErrcOf(newer), Errc::kUnsupportedVersion);
  EXPECT_EQ(newer.message(),
            "broker 2 speaks the peer protocol 7 to 9, this broker 1 to 1: upgrade this broker");
  EXPECT_TRUE(CheckPeer(Identity(1, "c"), Identity(2, "c"), {1, 9}).ok());
  EXPECT_EQ(ErrcOf(CheckPeer(Identity(1, "c"), Identity(2, "c"), {0, 0})),
            Errc::kUnsupportedVersion);
}

TEST(PeerCheckTest, TwoFoldersUnderOneNodeIdAreRefused) {
  NodeIdentity other = Identity(1, "c");
  EXPECT_TRUE(CheckPeer(Identity(1, "c"), other, {}).ok());
  other.incarnation = Incarnation(9);
  EXPECT_FALSE(CheckPeer(Identity(1, "c"), other, {}).ok());
}

}  // namespace
}  // namespace garam
