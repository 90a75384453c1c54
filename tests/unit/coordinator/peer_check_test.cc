#include "coordinator/peer_check.h"

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

NodeIdentity Node(int32_t node, const std::string& cluster_id) {
  return {.node = NodeId(node), .incarnation = Incarnation(node), .cluster_id = cluster_id};
}

TEST(PeerCheckTest, AMemberOfTheSameClusterIsWelcome) {
  EXPECT_TRUE(CheckPeer(Node(1, "a"), Node(2, "a"), Incarnation(2)).ok());
}

TEST(PeerCheckTest, ABlankNodeIsWelcome) {
  EXPECT_TRUE(CheckPeer(Node(1, "a"), Node(2, ""), std::nullopt).ok());
  EXPECT_TRUE(CheckPeer(Node(1, ""), Node(2, "a"), std::nullopt).ok());
}

TEST(PeerCheckTest, AMemberOfAnotherClusterIsRefused) {
  EXPECT_THAT(CheckPeer(Node(1, "a"), Node(2, "b"), std::nullopt),
              HasErrc(Errc::kInconsistentClusterId));
}

TEST(PeerCheckTest, ATwinIsRefused) {
  EXPECT_THAT(CheckPeer(Node(1, "a"), Node(1, "a"), std::nullopt), HasErrc(Errc::kInvalidRequest));
}

TEST(PeerCheckTest, AnotherIncarnationIsRefused) {
  EXPECT_THAT(CheckPeer(Node(1, "a"), Node(2, "a"), Incarnation(3)),
              HasErrc(Errc::kInvalidRequest));
}

}  // namespace
}  // namespace garam
