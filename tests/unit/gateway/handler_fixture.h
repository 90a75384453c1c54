// Handlers without sockets: one request in, the decoded answer out. One shard, or two.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/gateway/dispatch.h"
#include "broker/gateway/request.h"
#include "common/testing/fake_executor.h"
#include "proto/kafka/frame.h"
#include "tests/unit/coordinator/cluster_fixture.h"
#include "tests/unit/gateway/fake_broker.h"

namespace garam {

// Remembers how a request ended.
class FakeSink final : public AnswerSink {
 public:
  void OnFinished(Request& request) override {
    finished = true;
    for (const Bytes& piece : request.TakeFrame()) frame += piece.view();
  }
  void CloseBecause(std::string_view why) override { closed = std::string(why); }

  bool finished = false;
  std::string frame;
  std::optional<std::string> closed;
};

class HandlerFixture : public ClusterFixture {
 protected:
  HandlerFixture() { broker_.config_.memory_budget_bytes = 1 << 30; }

  void UseImage() {
    broker_.SetImage(image_);
    broker_.live = live_;
  }

  // Hands the message to its handler; `sink_` then knows what came out.
  template <class Message>
  RequestPtr Send(const Message& message, int16_t version) {
    auto frame = kafka::EncodeRequest(message, version, 77, "test");
    EXPECT_TRUE(frame.ok()) << frame.status();
    std::string bytes;
    for (const Bytes& piece : *frame) bytes += piece.view();
    return SendBytes(bytes.substr(4));
  }
  RequestPtr SendBytes(const std::string& bytes) {
    sink_ = std::make_shared<FakeSink>();
    kafka::Reader reader(Bytes::Copy(bytes));
    const auto header = kafka::DecodeRequestHeader(reader);
    EXPECT_TRUE(header.ok());
    auto request = std::make_shared<Request>(services_, sink_, "PLAINTEXT", "/127.0.0.1",
                                             MemoryBudget::Charge(), *header, reader);
    FindHandled(header->request_api_key)->handler(request);
    return request;
  }
  void Settle() {
    while (home_.RunReady() + away_.RunReady() > 0) {
    }
  }
  template <class Response>
  Response Answer(int16_t version) {
    Settle();
    EXPECT_TRUE(sink_->finished) << sink_->closed.value_or("no answer");
    if (!sink_->finished) return Response{};
    kafka::Reader reader(Bytes::Copy(std::string_view(sink_->frame).substr(4)));
    const auto header = kafka::DecodeResponseHeader(reader, Response::kApiKey, version);
    EXPECT_TRUE(header.ok());
    EXPECT_EQ(header->correlation_id, 77);
    absl::StatusOr<Response> response = Response::Decode(reader, version);
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(reader.remaining(), 0U);
    return *std::move(response);
  }
  template <class Response, class Message>
  Response Ask(const Message& message, int16_t version) {
    Send(message, version);
    return Answer<Response>(version);
  }

  FakeClock clock_;
  FakeExecutor home_{clock_};
  FakeExecutor away_{clock_};
  FakeBroker broker_{clock_, {&home_, &away_}};
  std::shared_ptr<GatewayMemory> memory_ = std::make_shared<GatewayMemory>(1 << 20, 1 << 20);
  std::shared_ptr<ShardServices> services_ =
      std::make_shared<ShardServices>(broker_, 0, memory_, 100);
  std::shared_ptr<FakeSink> sink_;
};

}  // namespace garam
