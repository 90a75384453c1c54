#include "coordinator/groups/consumer_protocol.h"

#include "proto/kafka/reader.h"

namespace garam {

std::vector<std::string> SubscribedTopics(const Bytes& metadata) {
  kafka::Reader reader(metadata);
  reader.Int<int16_t>("version");
  // Every version begins with the topics: an int32 count and int16-length strings.
  const int64_t count = reader.ArrayCount(false, false, 2, sizeof(std::string), "topics");
  std::vector<std::string> topics;
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    topics.emplace_back(reader.String(false, "topic"));
  }
  return reader.ok() ? topics : std::vector<std::string>();
}

}  // namespace garam
