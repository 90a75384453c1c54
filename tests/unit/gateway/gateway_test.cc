// The door with real sockets on loopback, over a fake broker.
#include "broker/gateway/gateway.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "proto/kafka/api_versions.h"
#include "proto/kafka/fetch.h"
#include "proto/kafka/list_offsets.h"
#include "proto/kafka/produce.h"
#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/gateway/fake_broker.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using ::testing::ElementsAre;

// A client that blocks. Gives up after ten seconds, so that a broken test ends.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  bool Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // What can be written without blocking, in bytes.
  size_t WriteSome(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  // Exactly `count` bytes; fewer when the other side closed.
  std::string Read(size_t count) {
    std::string out(count, '\0');
    size_t got = 0;
    while (got < count) {
      const ssize_t n = ::recv(fd_, out.data() + got, count - got, 0);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    out.resize(got);
    return out;
  }
  // One frame's body; empty when the connection was closed.
  std::string ReadFrame() {
    const std::string length = Read(4);
    if (length.size() < 4) return {};
    return Read(static_cast<size_t>(LoadBigEndian<int32_t>(length.data())));
  }
  int32_t ReadCorrelation() {
    const std::string frame = ReadFrame();
    return frame.size() < 4 ? -1 : LoadBigEndian<int32_t>(frame.data());
  }
  bool ClosedByPeer() { return Read(1).empty(); }

 private:
  int fd_;
  bool connected_ = false;
};

template <class Message>
std::string Encoded(const Message& message, int16_t version, int32_t correlation) {
  auto frame = kafka::EncodeRequest(message, version, correlation, "test");
  std::string bytes;
  for (const Bytes& piece : *frame) bytes += piece.view();
  return bytes;
}

std::string ProduceBytes(int32_t correlation, int16_t acks, size_t value_bytes = 10,
                         std::string_view topic = "t", int32_t partition = 0) {
  BatchBuilder builder;
  SystemClock clock;
  builder.base_timestamp_ms = clock.WallMs();
  builder.records = {{.value = std::string(value_bytes, 'x')}};
  kafka::ProduceRequest message;
  message.acks = acks;
  message.timeout_ms = 5000;
  auto& data = message.topic_data.emplace_back();
  data.name = topic;
  data.partition_data.push_back({partition, builder.Build()});
  return Encoded(message, 9, correlation);
}

std::string FetchBytes(int32_t correlation, int64_t offset, int32_t wait_ms) {
  kafka::FetchRequest message;
  message.max_wait_ms = wait_ms;
  message.min_bytes = 1;
  auto& topic = message.topics.emplace_back();
  topic.topic = "t";
  auto& partition = topic.partitions.emplace_back();
  partition.fetch_offset = offset;
  partition.partition_max_bytes = 1 << 30;
  return Encoded(message, 11, correlation);
}

std::string VersionsBytes(int32_t correlation) {
  return Encoded(kafka::ApiVersionsRequest{}, 0, correlation);
}

std::string LatestBytes(int32_t correlation) {
  kafka::ListOffsetsRequest message;
  message.replica_id = -1;
  auto& topic = message.topics.emplace_back();
  topic.name = "t";
  topic.partitions.push_back({0, -1, -1});
  return Encoded(message, 4, correlation);
}

class GatewayTest : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    for (size_t i = 0; i < GetParam(); ++i) {
      loops_.push_back(std::make_unique<ShardLoop>("shard-" + std::to_string(i)));
      loops_.back()->Start();
    }
    broker_ = std::make_unique<FakeBroker>(clock_, Executors());
    broker_->config_.listeners = {{"PLAINTEXT", {"127.0.0.1", 0}}};
    broker_->config_.memory_budget_bytes = 1 << 30;
    // On the last shard: with two of them, connections on the first one are elsewhere.
    partition_ = broker_->AddPartition("t", 0, GetParam() - 1);
  }
  void TearDown() override {
    if (gateway_ != nullptr) gateway_->Stop();
    gateway_.reset();
    for (auto& loop : loops_) loop->Stop();
  }
  void Open() {
    gateway_ = std::make_unique<Gateway>(*broker_, Loops());
    const absl::Status status = gateway_->Start();
    ASSERT_TRUE(status.ok()) << status;
  }
  std::unique_ptr<Client> Connect() { return std::make_unique<Client>(gateway_->port(0)); }
  // Runs `task` on the partition's shard and waits for it.
  template <class Task>
  auto OnShard(Task task) {
    std::promise<decltype(task())> ran;
    loops_.back()->Post([&] { ran.set_value(task()); });
    return ran.get_future().get();
  }
  size_t Appended() {
    return OnShard([this] { return partition_->batches().size(); });
  }
  // Waits until `count` batches are there, letting the loops run.
  void AwaitAppended(size_t count) {
    while (Appended() < count) std::this_thread::yield();
  }
  void Commit() {
    OnShard([this] {
      partition_->Commit();
      return 0;
    });
  }
  std::vector<Executor*> Executors() {
    std::vector<Executor*> executors;
    for (auto& loop : loops_) executors.push_back(loop.get());
    return executors;
  }
  std::vector<ShardLoop*> Loops() {
    std::vector<ShardLoop*> loops;
    for (auto& loop : loops_) loops.push_back(loop.get());
    return loops;
  }

  SystemClock clock_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  std::unique_ptr<FakeBroker> broker_;
  std::shared_ptr<FakePartition> partition_;
  std::unique_ptr<Gateway> gateway_;
};

INSTANTIATE_TEST_SUITE_P(Shards, GatewayTest, ::testing::Values(1, 2));

TEST_P(GatewayTest, AnswersARequest) {
  Open();
  auto client = Connect();
  ASSERT_TRUE(client->Write(VersionsBytes(5)));
  EXPECT_EQ(client->ReadCorrelation(), 5);
}

TEST_P(GatewayTest, AnswersLeaveInTheOrderOfTheRequests) {
  partition_->commits_at_once = false;
  Open();
  auto client = Connect();
  ASSERT_TRUE(client->Write(ProduceBytes(1, -1) + ProduceBytes(2, -1) + VersionsBytes(3)));
  AwaitAppended(2);  // The second started before the first was answered.
  Commit();
  EXPECT_EQ(client->ReadCorrelation(), 1);
  EXPECT_EQ(client->ReadCorrelation(), 2);
  EXPECT_EQ(client->ReadCorrelation(), 3);
}

TEST_P(GatewayTest, ManyPipelinedProducesKeepTheirOrderInTheLog) {
  Open();
  auto client = Connect();
  std::string all;
  for (int i = 0; i < 500; ++i) all += ProduceBytes(i, -1, static_cast<size_t>(10 + i * 7));
  ASSERT_TRUE(client->Write(all));
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client->ReadCorrelation(), i);
  const std::vector<Bytes> batches = OnShard([this] { return partition_->batches(); });
  ASSERT_EQ(batches.size(), 500U);
  for (size_t i = 1; i < batches.size(); ++i)
    EXPECT_GT(batches[i].size(), batches[i - 1].size() - 1);
}

TEST_P(GatewayTest, TakesARequestByteByByte) {
  Open();
  auto client = Connect();
  for (const char byte : ProduceBytes(9, -1)) ASSERT_TRUE(client->Write({&byte, 1}));
  EXPECT_EQ(client->ReadCorrelation(), 9);
}

TEST_P(GatewayTest, TakesALargeRequestBetweenSmallOnes) {
  Open();
  TopicConfig config;
  config.max_message_bytes = 20 << 20;
  partition_->SetConfig(config);
  auto client = Connect();
  ASSERT_TRUE(client->Write(VersionsBytes(1) + ProduceBytes(2, -1, 8 << 20) + VersionsBytes(3)));
  EXPECT_EQ(client->ReadCorrelation(), 1);
  EXPECT_EQ(client->ReadCorrelation(), 2);
  EXPECT_EQ(client->ReadCorrelation(), 3);
}

TEST_P(GatewayTest, SendsAnAnswerThatIsLargerThanTheSocketsBuffers) {
  Open();
  TopicConfig config;
  config.max_message_bytes = 20 << 20;
  partition_->SetConfig(config);
  auto client = Connect();
  ASSERT_TRUE(client->Write(ProduceBytes(1, -1, 16 << 20)));
  EXPECT_EQ(client->ReadCorrelation(), 1);
  ASSERT_TRUE(client->Write(FetchBytes(2, 0, 1000) + VersionsBytes(3)));
  const std::string frame = client->ReadFrame();
  EXPECT_GT(frame.size(), size_t{16} << 20);
  const Bytes batch = OnShard([this] { return partition_->batches()[0]; });
  EXPECT_NE(frame.find(batch.view()), std::string::npos) << "the very bytes";
  EXPECT_EQ(client->ReadCorrelation(), 3);
}

TEST_P(GatewayTest, ClosesOnALengthThatIsNotAcceptable) {
  broker_->config_.socket_request_max_bytes = 1000;
  Open();
  for (const std::string_view length :
       {std::string_view("\0\0\0\0", 4), {"\xff\xff\xff\xff", 4}, {"\0\0\x03\xe9", 4}}) {
    auto client = Connect();
    ASSERT_TRUE(client->Write(length));
    EXPECT_TRUE(client->ClosedByPeer());
  }
}

TEST_P(GatewayTest, ClosesOnGarbageAndServesOthers) {
  Open();
  for (const std::string_view junk :
       {std::string_view("\0\0\0\x08\x7f\x7f\0\0\0\0\0\x01", 12),    // An API that is not here.
        std::string_view("\0\0\0\x08\0\x03\0\x63\0\0\0\x01", 12),    // Metadata 99.
        std::string_view("\0\0\0\x0a\0\0\0\x02\0\0\0\x01\0\0", 14),  // Produce 2.
        std::string_view("\0\0\0\x03\0\x03\0", 7),                   // Not even a header.
        std::string_view("GET / HTTP/1.1\r\n\r\n")}) {
    auto client = Connect();
    ASSERT_TRUE(client->Write(junk));
    EXPECT_TRUE(client->ClosedByPeer());
  }
  auto client = Connect();
  ASSERT_TRUE(client->Write(VersionsBytes(1)));
  EXPECT_EQ(client->ReadCorrelation(), 1);
}

TEST_P(GatewayTest, AcksZeroIsNotAnswered) {
  Open();
  auto client = Connect();
  ASSERT_TRUE(client->Write(ProduceBytes(1, 0) + VersionsBytes(2)));
  EXPECT_EQ(client->ReadCorrelation(), 2);
  AwaitAppended(1);
}

TEST_P(GatewayTest, AnErrorWithAcksZeroClosesTheConnection) {
  Open();
  auto client = Connect();
  ASSERT_TRUE(client->Write(ProduceBytes(1, 0, 10, "nowhere")));
  EXPECT_TRUE(client->ClosedByPeer());
}

TEST_P(GatewayTest, ALongPollIsAnsweredByTheNextProduce) {
  Open();
  auto consumer = Connect();
  auto producer = Connect();
  ASSERT_TRUE(consumer->Write(FetchBytes(1, 0, 60'000)));
  while (OnShard([this] { return partition_->watches(); }) == 0) std::this_thread::yield();
  ASSERT_TRUE(producer->Write(ProduceBytes(2, -1)));
  EXPECT_EQ(producer->ReadCorrelation(), 2);
  EXPECT_EQ(consumer->ReadCorrelation(), 1);
}

TEST_P(GatewayTest, AConsumerThatGoesLeavesNothingBehind) {
  Open();
  {
    auto consumer = Connect();
    ASSERT_TRUE(consumer->Write(FetchBytes(1, 0, 60'000)));
    while (OnShard([this] { return partition_->watches(); }) == 0) std::this_thread::yield();
  }
  while (OnShard([this] { return partition_->watches(); }) > 0) std::this_thread::yield();
}

TEST_P(GatewayTest, OtherRequestsWaitForTheOneBefore) {
  Open();
  auto client = Connect();
  ASSERT_TRUE(client->Write(FetchBytes(1, 0, 60'000) + LatestBytes(2)));
  while (OnShard([this] { return partition_->watches(); }) == 0) std::this_thread::yield();
  OnShard([this] {
    partition_->Append(BatchBuilder{}.Build());
    return 0;
  });
  EXPECT_EQ(client->ReadCorrelation(), 1);
  const std::string frame = client->ReadFrame();
  kafka::Reader reader(Bytes::Copy(frame));
  ASSERT_TRUE(kafka::DecodeResponseHeader(reader, kafka::ApiKey::kListOffsets, 4).ok());
  const auto latest = kafka::ListOffsetsResponse::Decode(reader, 4);
  EXPECT_EQ(latest->topics[0].partitions[0].offset, 1) << "as if asked after the fetch";
}

TEST_P(GatewayTest, AFullBudgetStopsReadingAndGoesOnWhenFreed) {
  broker_->config_.queued_max_request_bytes = 256 * 1024;
  partition_->commits_at_once = false;
  Open();
  auto client = Connect();
  std::string all;
  constexpr int kRequests = 200;  // 20 MB: more than the budget and the socket buffers.
  for (int i = 0; i < kRequests; ++i) all += ProduceBytes(i, -1, 100'000);
  auto writing = std::async(std::launch::async, [&] { return client->Write(all); });
  AwaitAppended(2);
  const size_t first = Appended();
  EXPECT_LT(first, 20U) << "the budget holds less than three of them";
  int answered = 0;
  auto reading = std::async(std::launch::async, [&] {
    while (answered < kRequests && client->ReadCorrelation() == answered) ++answered;
  });
  while (Appended() < kRequests) Commit();
  Commit();
  reading.wait();
  EXPECT_TRUE(writing.get());
  EXPECT_EQ(answered, kRequests);
}

TEST_P(GatewayTest, AClientThatDoesNotReadIsNotServedFurther) {
  Open();
  TopicConfig config;
  config.max_message_bytes = 20 << 20;
  partition_->SetConfig(config);
  auto client = Connect();
  ASSERT_TRUE(client->Write(ProduceBytes(0, -1, 4 << 20)));
  EXPECT_EQ(client->ReadCorrelation(), 0);
  std::string fetches;
  for (int i = 1; i <= 20; ++i) fetches += FetchBytes(i, 0, 0);
  ASSERT_TRUE(client->Write(fetches));
  while (OnShard([this] { return partition_->reads; }) == 0) std::this_thread::yield();
  auto other = Connect();
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(other->Write(VersionsBytes(i)));
    ASSERT_EQ(other->ReadCorrelation(), i);
  }
  // 80 MB would be more than the sockets hold.
  EXPECT_LT(OnShard([this] { return partition_->reads; }), 10);
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(client->ReadCorrelation(), i);
}

TEST_P(GatewayTest, IdleConnectionsAreClosed) {
  broker_->config_.connections_max_idle = Millis(50);
  Open();
  EXPECT_TRUE(Connect()->ClosedByPeer());
}

TEST_P(GatewayTest, TooManyConnectionsAreRefused) {
  broker_->config_.max_connections = 1;
  Open();
  auto first = Connect();
  ASSERT_TRUE(first->Write(VersionsBytes(1)));
  EXPECT_EQ(first->ReadCorrelation(), 1);
  EXPECT_TRUE(Connect()->ClosedByPeer());
}

TEST_P(GatewayTest, APortInUseIsOneClearLine) {
  Open();
  broker_->config_.listeners[0].address.port = gateway_->port(0);
  Gateway second(*broker_, Loops());
  const absl::Status status = second.Start();
  EXPECT_EQ(ErrcOf(status), Errc::kInvalidConfig);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("cannot listen on PLAINTEXT"));
}

TEST_P(GatewayTest, StopClosesConnectionsWithWorkUnderWay) {
  partition_->commits_at_once = false;
  Open();
  auto producer = Connect();
  auto consumer = Connect();
  ASSERT_TRUE(producer->Write(ProduceBytes(1, -1)));
  ASSERT_TRUE(consumer->Write(FetchBytes(1, 0, 60'000)));
  AwaitAppended(1);
  while (OnShard([this] { return partition_->watches(); }) == 0) std::this_thread::yield();
  gateway_->Stop();
  EXPECT_TRUE(producer->ClosedByPeer());
  EXPECT_TRUE(consumer->ClosedByPeer());
  gateway_.reset();
  Commit();  // Completions that come after the door has gone touch nothing of it.
}

// KIP-219: the answer leaves at once, and what comes after it waits.
TEST_P(GatewayTest, AThrottledConnectionIsNotReadForAsLongAsItWasTold) {
  // A little more than a window's worth, which is ten to eleven seconds' by the place in the
  // second.
  broker_->quota_manager.SetQuotas({{{{"client-id", "test"}}, {{"producer_byte_rate", 100}}}});
  Open();
  auto client = Connect();
  const auto asked = std::chrono::steady_clock::now();
  ASSERT_TRUE(client->Write(ProduceBytes(1, -1, 1040)));
  const std::string frame = client->ReadFrame();
  ASSERT_TRUE(client->Write(VersionsBytes(2)));
  kafka::Reader reader(Bytes::Copy(frame));
  ASSERT_TRUE(kafka::DecodeResponseHeader(reader, kafka::ApiKey::kProduce, 9).ok());
  const auto response = kafka::ProduceResponse::Decode(reader, 9);
  ASSERT_TRUE(response.ok());
  ASSERT_GT(response->throttle_time_ms, 0);
  ASSERT_LT(response->throttle_time_ms, 5000);
  EXPECT_EQ(client->ReadCorrelation(), 2);
  EXPECT_GE(std::chrono::steady_clock::now() - asked, Millis(response->throttle_time_ms));
}

TEST_P(GatewayTest, ClientsWithoutAQuotaAreNotHeldByThoseOfOthers) {
  broker_->quota_manager.SetQuotas({{{{"client-id", "other"}}, {{"producer_byte_rate", 1}}}});
  Open();
  auto client = Connect();
  ASSERT_TRUE(client->Write(ProduceBytes(1, -1, 100'000) + VersionsBytes(2)));
  EXPECT_EQ(client->ReadCorrelation(), 1);
  EXPECT_EQ(client->ReadCorrelation(), 2);
}

}  // namespace
}  // namespace garam
