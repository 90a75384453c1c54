// One request under way: its bytes, and the one way to answer it.
//
// Handlers take it by shared_ptr and finish it exactly once, at once or later, by Answer,
// AnswerNothing or CloseConnection. Finishing after the connection has gone does nothing.
//
// Threads: the shard of its connection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/gateway/frame_assembler.h"
#include "broker/gateway/shard_services.h"
#include "broker/quota_manager.h"
#include "common/clock.h"
#include "proto/kafka/frame.h"

namespace garam {

class Request;

// Where finished requests go: the connection.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  // `request` is finished; may be called while its handler runs.
  virtual void OnFinished(Request& request) = 0;
  // Closes the connection with one line in the log.
  virtual void CloseBecause(std::string_view reason) = 0;
};

class Request : public std::enable_shared_from_this<Request> {
 public:
  // `reader` stands before the message.
  Request(std::shared_ptr<ShardServices> services, std::weak_ptr<AnswerSink> sink,
          std::string_view listener, std::string_view client_host, MemoryBudget::Charge charge,
          const kafka::RequestHeader& header, kafka::Reader reader)
      : services_(std::move(services)),
        sink_(std::move(sink)),
        listener_(listener),
        client_host_(client_host),
        charge_(std::move(charge)),
        header_(header),
        reader_(std::move(reader)),
        size_bytes_(reader_.remaining()) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  ShardServices& services() { return *services_; }
  Broker& broker() { return services_->broker; }
  const std::string& listener() const { return listener_; }
  // Where the request came from, as Kafka writes it: "/127.0.0.1".
  const std::string& client_host() const { return client_host_; }
  std::string_view client_id() const { return header_.client_id.value_or(""); }
  int16_t api_key() const { return header_.request_api_key; }
  int16_t version() const { return header_.request_api_version; }

  // The message; on failure the connection is closed, and the request finished.
  template <class Message>
  std::optional<Message> Decode() {
    absl::StatusOr<Message> message = Message::Decode(reader_, version());
    if (message.ok()) return *std::move(message);
    CloseConnection(message.status().message());
    return std::nullopt;
  }

  // Says how long the client is left alone, where it has used more than its quotas.
  template <class Response>
  void Answer(const Response& response) {
    if (services_->quotas.active()) ChargeTime();
    if (throttle_ > Duration::zero()) {
      if constexpr (requires { response.throttle_time_ms; }) {
        Response told = response;
        told.throttle_time_ms =
            static_cast<int32_t>(std::chrono::duration_cast<Millis>(throttle_).count());
        return AnswerAs(told, version());
      }
    }
    AnswerAs(response, version());
  }
  // In the form of another version than the request's: ApiVersions' way out.
  template <class Response>
  void AnswerAs(const Response& response, int16_t version) {
    absl::StatusOr<std::vector<Bytes>> frame =
        kafka::EncodeResponse(response, version, header_.correlation_id);
    if (!frame.ok()) return CloseConnection(frame.status().message());
    Finish(*std::move(frame));
  }
  // For acks=0.
  void AnswerNothing() { Finish({}); }
  void CloseConnection(absl::string_view reason);

  // Whose quotas count. Nobody has a name yet.
  QuotaClient quota_client() const { return {kAnonymousUser, client_id()}; }
  size_t size_bytes() const { return size_bytes_; }  // Of the message.
  // Counts bytes that the client wrote or reads with this; once. How long it is to be left alone.
  Duration Charge(QuotaKind kind, size_t bytes);
  // Leave it alone for so long at least, once it has its answer.
  void Throttle(Duration wait) { throttle_ = std::max(throttle_, wait); }
  // The shard's time that this takes counts from here on, or no longer: what waits for others costs
  // nothing.
  void StartClock();
  void StopClock();

  // `cancel` runs if the connection closes before the request is finished.
  void OnCancel(std::function<void()> cancel) { cancel_ = std::move(cancel); }

  // For the connection.
  bool finished() const { return finished_; }
  Duration throttle() const { return throttle_; }
  std::vector<Bytes> TakeFrame() { return std::move(frame_); }
  void Cancel();

 private:
  static constexpr std::string_view kAnonymousUser = "ANONYMOUS";

  void ChargeTime();
  void Finish(std::vector<Bytes> frame);

  const std::shared_ptr<ShardServices> services_;
  const std::weak_ptr<AnswerSink> sink_;
  const std::string listener_;
  const std::string client_host_;
  MemoryBudget::Charge charge_;  // Before services_ goes.
  const kafka::RequestHeader header_;
  kafka::Reader reader_;
  const size_t size_bytes_;
  std::optional<MonoTime> clock_started_;
  Duration time_used_{};
  Duration throttle_{};
  std::function<void()> cancel_;
  bool finished_ = false;
  std::vector<Bytes> frame_;
};

using RequestPtr = std::shared_ptr<Request>;

}  // namespace garam
