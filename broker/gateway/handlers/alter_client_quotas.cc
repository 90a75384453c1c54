// AlterClientQuotas: passed on to the controller, wherever it is. The request names no time limit.
#include <memory>
#include <string>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/alter_client_quotas.h"

namespace garam {
namespace {

using kafka::AlterClientQuotasRequest;
using kafka::AlterClientQuotasResponse;

// What Kafka's clients wait for an answer by default is twice that.
constexpr Duration kTimeLimit = Millis(15'000);

QuotaChange ChangeOf(const AlterClientQuotasRequest::EntryData& entry) {
  QuotaChange change;
  for (const auto& part : entry.entity) {
    auto& [type, name] = change.entity.emplace_back();
    type = part.entity_type;
    if (part.entity_name.has_value()) name = std::string(*part.entity_name);
  }
  for (const auto& asked : entry.ops) {
    QuotaOp& op = change.ops.emplace_back();
    op.key = asked.key;
    if (!asked.remove) op.value = asked.value;
  }
  return change;
}

}  // namespace

void HandleAlterClientQuotas(RequestPtr request) {
  const auto message = request->Decode<AlterClientQuotasRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<AlterClientQuotasResponse>();
  std::vector<QuotaChange> changes;
  for (const auto& entry : message->entries) {
    const QuotaChange& change = changes.emplace_back(ChangeOf(entry));
    auto& answer = response->entries.emplace_back();
    for (const auto& [type, name] : change.entity) answer.entity.push_back({type, name});
  }
  Broker& broker = request->broker();
  broker.AlterClientQuotas(std::move(changes), message->validate_only,
                           broker.clock().Mono() + kTimeLimit, request->services().shard,
                           [request, response](const std::vector<absl::Status>& results) {
                             for (size_t i = 0; i < results.size(); ++i) {
                               auto& answer = response->entries[i];
                               answer.error_code = ToErrorCode(results[i]);
                               answer.error_message = std::nullopt;
                               if (!results[i].ok()) {
                                 answer.error_message = std::string(results[i].message());
                               }
                             }
                             request->Answer(*response);
                           });
}

}  // namespace garam
