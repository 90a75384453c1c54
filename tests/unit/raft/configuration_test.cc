#include "raft/configuration.h"

#include <map>

#include "common/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;

std::vector<Member> Nodes(std::initializer_list<int> ids) {
  std::vector<Member> members;
  for (int id : ids) members.push_back({NodeId(id), Incarnation(static_cast<uint64_t>(id))});
  return members;
}

std::set<NodeId> Set(std::initializer_list<int> ids) {
  std::set<NodeId> set;
  for (int id : ids) set.insert(NodeId(id));
  return set;
}

LogIndex Quorum(const Configuration& configuration, std::map<int, int> matches) {
  return configuration.QuorumIndex([&](NodeId node) { return LogIndex(matches[node.value()]); });
}

TEST(Configuration, AnIndexIsCommittedWhenAMajorityHasIt) {
  EXPECT_EQ(Quorum({Nodes({1}), {}, {}}, {{1, 5}}), LogIndex(5));
  EXPECT_EQ(Quorum({Nodes({1, 2}), {}, {}}, {{1, 5}, {2, 3}}), LogIndex(3));
  EXPECT_EQ(Quorum({Nodes({1, 2, 3}), {}, {}}, {{1, 9}, {2, 3}, {3, 7}}), LogIndex(7));
  EXPECT_EQ(Quorum({Nodes({1, 2, 3, 4}), {}, {}}, {{1, 9}, {2, 8}, {3, 7}, {4, 1}}), LogIndex(7));
}

TEST(Configuration, AJointConfigurationNeedsBothMajorities) {
  const Configuration joint{Nodes({1, 2, 3}), Nodes({3, 4, 5}), {}};
  EXPECT_EQ(Quorum(joint, {{1, 9}, {2, 9}, {3, 9}, {4, 2}, {5, 1}}), LogIndex(2));
  EXPECT_EQ(joint.Count(Set({1, 2}), {}), VoteResult::kPending);
  EXPECT_EQ(joint.Count(Set({1, 2, 4, 5}), {}), VoteResult::kWon);
  EXPECT_EQ(joint.Count(Set({1, 2}), Set({4, 5})), VoteResult::kLost);
}

TEST(Configuration, LearnersCountInNoMajority) {
  const Configuration configuration{Nodes({1, 2, 3}), {}, Nodes({4, 5})};
  EXPECT_EQ(Quorum(configuration, {{1, 9}, {4, 9}, {5, 9}}), LogIndex(0));
  EXPECT_EQ(configuration.Count(Set({1, 4, 5}), {}), VoteResult::kPending);
}

TEST(Configuration, NobodyIsAMajorityOfNobody) {
  EXPECT_EQ(Configuration{}.Count({}, {}), VoteResult::kLost);
  EXPECT_EQ(Quorum({}, {}), LogIndex(0));
}

TEST(Configuration, AWitnessVotesAndDoesNotStand) {
  Configuration configuration{Nodes({1, 2}), {}, {}};
  configuration.voters.push_back({NodeId(3), Incarnation(3), MemberRole::kWitness});
  EXPECT_EQ(configuration.Count(Set({1, 3}), {}), VoteResult::kWon);
  EXPECT_TRUE(configuration.MayStand(NodeId(1), Incarnation(1)));
  EXPECT_FALSE(configuration.MayStand(NodeId(3), Incarnation(3)));
}

TEST(Configuration, AnotherIncarnationOfAVoterIsNotThatVoter) {
  const Configuration configuration{Nodes({1, 2, 3}), {}, {}};
  EXPECT_FALSE(configuration.MayStand(NodeId(2), Incarnation(77)));
  EXPECT_FALSE(configuration.Contains(NodeId(2), Incarnation(77)));
}

TEST(Configuration, ReadsBackWhatItWrote) {
  Configuration configuration{Nodes({1, 2, 3}), Nodes({3, 4}), Nodes({9})};
  configuration.learners[0].role = MemberRole::kLearner;
  configuration.voters[2].role = MemberRole::kWitness;
  EXPECT_EQ(*Configuration::Decode(configuration.Encode()), configuration);
  EXPECT_THAT(configuration.Nodes(),
              ElementsAre(NodeId(1), NodeId(2), NodeId(3), NodeId(4), NodeId(9)));
}

TEST(Configuration, RefusesEveryTruncationAndAnyTrailingByte) {
  const std::string encoded = Configuration{Nodes({1, 2, 3}), {}, {}}.Encode();
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_FALSE(Configuration::Decode(encoded.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Configuration::Decode(encoded + "x").ok());
}

TEST(Configuration, RefusesANewerFormatRatherThanGuess) {
  std::string encoded = Configuration{Nodes({1}), {}, {}}.Encode();
  encoded[0] = 2;
  EXPECT_EQ(ErrcOf(Configuration::Decode(encoded).status()), Errc::kUnsupportedVersion);
}

}  // namespace
}  // namespace garam::raft
