#include "broker/http/admin_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/quota_manager.h"
#include "common/testing/fake_executor.h"
#include "tests/unit/broker/http/http_client.h"
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::HasSubstr;

// A broker that says what the test tells it to.
class FakeBroker final : public Broker {
 public:
  const BrokerConfig& config() const override { return config_; }
  const Clock& clock() const override { return clock_; }
  size_t shard_count() const override { return 1; }
  Executor& executor(size_t) override { return executor_; }
  std::shared_ptr<const MetadataImage> image() const override { return image_; }
  std::set<NodeId> live_brokers() const override { return live_; }
  std::set<NodeId> listed_brokers() const override { return live_; }
  NodeId controller() const override { return controller_; }
  PartitionState StateOf(const TopicImage&, int32_t partition) const override {
    return states_[partition];
  }
  absl::StatusOr<std::shared_ptr<Partition>> Find(std::string_view, int32_t) const override {
    return MakeError(Errc::kUnknownTopic, "none");
  }
  absl::StatusOr<std::shared_ptr<Partition>> Find(const TopicId&, int32_t) const override {
    return MakeError(Errc::kUnknownTopicId, "none");
  }
  void CreateTopics(
      std::vector<TopicSpec>, bool, MonoTime, size_t,
      absl::AnyInvocable<void(std::vector<absl::StatusOr<CreatedTopic>>) &&> done) override {
    std::move(done)({});
  }
  void DeleteTopics(std::vector<TopicId>, MonoTime, size_t,
                    absl::AnyInvocable<void(std::vector<absl::Status>) &&> done) override {
    std::move(done)({});
  }
  void DescribeFolder(size_t,
                      absl::AnyInvocable<void(absl::StatusOr<LogFolder>) &&> done) override {
    std::move(done)(LogFolder{});
  }
  void MoveReplicas(std::vector<MoveSpec> moves, MonoTime, size_t,
                    absl::AnyInvocable<void(std::vector<absl::Status>) &&> done) override {
    moved_.insert(moved_.end(), moves.begin(), moves.end());
    std::move(done)(std::vector<absl::Status>(moves.size()));
  }
  void CreatePartitions(std::vector<MorePartitionsSpec>, bool, MonoTime, size_t,
                        StatusesDone done) override {
    std::move(done)({});
  }
  void AlterConfigs(std::vector<ConfigChange>, bool, MonoTime, size_t, StatusesDone done) override {
    std::move(done)({});
  }
  void AlterClientQuotas(std::vector<QuotaChange>, bool, MonoTime, size_t,
                         StatusesDone done) override {
    std::move(done)({});
  }
  void UpdateFeatures(std::vector<FeatureUpdate>, bool, MonoTime, size_t,
                      absl::AnyInvocable<void(absl::Status) &&> done) override {
    std::move(done)(absl::OkStatus());
  }
  void DescribeQuorum(MonoTime, size_t,
                      absl::AnyInvocable<void(absl::StatusOr<QuorumState>) &&> done) override {
    std::move(done)(QuorumState{});
  }
  QuotaManager& quotas() override { return quotas_; }
  void NewProducerId(size_t, absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) override {
    std::move(done)(0);
  }
  void UnregisterBroker(NodeId, MonoTime, size_t,
                        absl::AnyInvocable<void(absl::Status) &&> done) override {
    std::move(done)(absl::OkStatus());
  }

  BrokerConfig config_;
  QuotaManager quotas_{{}};
  FakeClock clock_;
  FakeExecutor executor_{clock_};
  std::shared_ptr<const MetadataImage> image_ = MetadataImage::Empty();
  std::set<NodeId> live_;
  NodeId controller_ = kNoNode;
  std::vector<PartitionState> states_;
  std::vector<MoveSpec> moved_;
};

class AdminRoutesTest : public ClusterFixture {
 protected:
  AdminRoutesTest() {
    loop_.Start();
    AddAdminRoutes(server_, broker_, metrics_);
    EXPECT_TRUE(server_.Start().ok());
  }
  ~AdminRoutesTest() override {
    server_.Stop();
    loop_.Stop();
  }

  HttpAnswer Get(const std::string& path) { return HttpClient(server_.port()).Get(path); }
  HttpAnswer Post(const std::string& path) {
    return HttpClient(server_.port()).Get(path, boost::beast::http::verb::post);
  }

  // Three brokers, this one being the first, and a topic of three partitions.
  void JoinCluster() {
    StartCluster(3);
    Create({.name = "t", .num_partitions = 3});
    broker_.image_ = image_;
    broker_.live_ = live_;
    broker_.controller_ = NodeId(2);
    const std::vector<NodeId> all{NodeId(1), NodeId(2), NodeId(3)};
    broker_.states_ = {State(NodeId(1), all), State(NodeId(1), {NodeId(1)}),
                       State(NodeId(2), {NodeId(2)})};
  }

  static PartitionState State(NodeId leader, std::vector<NodeId> isr) {
    PartitionState state;
    state.leader = leader;
    state.isr = std::move(isr);
    return state;
  }

  FakeBroker broker_;
  Metrics metrics_;
  ShardLoop loop_{"http"};
  HttpServer server_{loop_, HostPort{"127.0.0.1", 0}};
};

TEST_F(AdminRoutesTest, ABrokerIsHealthyBeforeItIsReady) {
  EXPECT_EQ(Get("/health").status, 200u);
  const HttpAnswer ready = Get("/ready");
  EXPECT_EQ(ready.status, 503u);
  EXPECT_EQ(ready.body, "not in a cluster yet\n");
}

TEST_F(AdminRoutesTest, ARegisteredBrokerWithAControllerIsReady) {
  JoinCluster();
  EXPECT_EQ(Get("/ready").status, 200u);
}

TEST_F(AdminRoutesTest, WithoutAControllerABrokerIsNotReady) {
  JoinCluster();
  broker_.controller_ = kNoNode;
  EXPECT_EQ(Get("/ready").status, 503u);
}

TEST_F(AdminRoutesTest, ADrainMovesWhatTheBrokerHasAndItsProgressShows) {
  JoinCluster();
  Register(BrokerOf(4));
  broker_.image_ = image_;
  broker_.live_ = live_;
  EXPECT_EQ(Get("/admin/brokers/2").body,
            "{\"broker\":2,\"registered\":true,\"alive\":true,\"partitions\":3,"
            "\"leaving\":0,\"leading\":1}\n");
  const HttpAnswer answer = Post("/admin/brokers/2/drain");
  EXPECT_EQ(answer.status, 202u);
  EXPECT_EQ(answer.body, "3 partitions are to move\n");
  ASSERT_EQ(broker_.moved_.size(), 3u);
  for (const MoveSpec& move : broker_.moved_) {
    EXPECT_THAT(*move.replicas, testing::UnorderedElementsAre(NodeId(1), NodeId(3), NodeId(4)));
    Apply(PlanMove(*image_, move));
  }
  broker_.image_ = image_;
  EXPECT_THAT(Get("/admin/brokers/2").body, HasSubstr("\"partitions\":3,\"leaving\":3,"));
}

TEST_F(AdminRoutesTest, ADrainThatCannotBeSaysWhy) {
  JoinCluster();
  const HttpAnswer answer = Post("/admin/brokers/2/drain");
  EXPECT_EQ(answer.status, 409u);
  EXPECT_THAT(answer.body, HasSubstr("broker 2 cannot be drained: partition t-0 has 3 replicas"));
  EXPECT_TRUE(broker_.moved_.empty());
}

TEST_F(AdminRoutesTest, OtherWordsAboutBrokersAreRefused) {
  JoinCluster();
  EXPECT_EQ(Post("/admin/brokers/9/drain").status, 404u);
  EXPECT_EQ(Get("/admin/brokers/9").status, 404u);
  EXPECT_EQ(Get("/admin/brokers/x").status, 404u);
  EXPECT_EQ(Get("/admin/brokers/-1").status, 404u);
  EXPECT_EQ(Get("/admin/brokers/2/drain").status, 405u);
  EXPECT_EQ(Post("/admin/brokers/2").status, 405u);
  EXPECT_EQ(Post("/ready").status, 405u);
  EXPECT_TRUE(broker_.moved_.empty());
}

TEST_F(AdminRoutesTest, AnUnregisteredBrokerIsNotReady) {
  JoinCluster();
  broker_.config_.node_id = NodeId(9);
  EXPECT_EQ(Get("/ready").body, "not registered yet\n");
}

TEST_F(AdminRoutesTest, APartitionWithoutLeaderIsCountedByItsFirstReplicaThatIsAlive) {
  JoinCluster();
  broker_.states_ = {State(kNoNode, {}), State(kNoNode, {}), State(kNoNode, {})};
  broker_.live_ = {NodeId(1)};
  EXPECT_THAT(Get("/metrics").body, HasSubstr("garam_leaderless_partitions 3\n"));
  broker_.live_ = {NodeId(2), NodeId(3)};
  EXPECT_THAT(Get("/metrics").body, HasSubstr("garam_leaderless_partitions 0\n"));
}

TEST_F(AdminRoutesTest, MetricsTellOfTheClusterAndOfWhatThisBrokerLeads) {
  JoinCluster();
  const HttpAnswer answer = Get("/metrics");
  EXPECT_EQ(answer.content_type, Metrics::kContentType);
  for (const char* line :
       {"garam_broker_ready 1\n", "garam_broker_controller 0\n", "garam_cluster_brokers 3\n",
        "garam_cluster_live_brokers 3\n", "garam_cluster_topics 1\n",
        "garam_cluster_partitions 3\n", "garam_replicas 3\n", "garam_raft_leaders 2\n",
        "garam_under_replicated_partitions 1\n", "garam_leaderless_partitions 0\n",
        "process_cpu_seconds_total "}) {
    EXPECT_THAT(answer.body, HasSubstr(line));
  }
}

}  // namespace
}  // namespace garam
