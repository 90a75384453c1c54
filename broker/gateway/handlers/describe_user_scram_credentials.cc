// DescribeUserScramCredentials: kafka-configs asks for them beside the quotas of users. There is no
// SASL yet, so nobody has any.
#include "proto/kafka/describe_user_scram_credentials.h"

#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {

using kafka::DescribeUserScramCredentialsRequest;
using kafka::DescribeUserScramCredentialsResponse;
using kafka::ErrorCode;

void HandleDescribeUserScramCredentials(RequestPtr request) {
  const auto message = request->Decode<DescribeUserScramCredentialsRequest>();
  if (!message.has_value()) return;
  DescribeUserScramCredentialsResponse response;
  std::set<std::string_view> seen;
  std::set<std::string_view> twice;
  if (message->users) {
    for (const auto& user : *message->users) {
      if (!seen.insert(user.name).second) twice.insert(user.name);
    }
  }
  for (const std::string_view user : seen) {
    auto& result = response.results.emplace_back();
    result.user = user;
    const bool repeated = twice.contains(user);
    result.error_code = repeated ? ErrorCode::kDuplicateResource : ErrorCode::kResourceNotFound;
    result.error_message =
        absl::StrCat(repeated ? "Cannot describe SCRAM credentials for the same user twice in a "
                                "single request: "
                              : "Attempt to describe a user credential that does not exist: ",
                     std::string(user));
  }
  request->Answer(response);
}

}  // namespace garam
