// Requests that name partitions by topic, and want one answer for each.
#pragma once

#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

namespace garam {

// Lays the answers out in the request's order, and returns how many there are. They stay where they
// are from then on.
template <class Message, class Response>
size_t LayOutAnswers(const Message& message, Response& response) {
  size_t count = 0;
  response.topics.reserve(message.topics.size());
  for (const auto& topic : message.topics) {
    auto& answer = response.topics.emplace_back();
    answer.name = topic.name;
    answer.partitions.resize(topic.partitions.size());
    for (size_t p = 0; p < topic.partitions.size(); ++p) {
      answer.partitions[p].partition_index = topic.partitions[p].partition_index;
    }
    count += topic.partitions.size();
  }
  return count;
}

// Calls `each(topic, asked, answer, again)` for every partition; `again`: it was named before.
template <class Message, class Response, class Each>
void ForEachAnswer(const Message& message, Response& response, Each each) {
  std::set<std::pair<std::string_view, int>> seen;
  for (size_t t = 0; t < message.topics.size(); ++t) {
    const auto& topic = message.topics[t];
    for (size_t p = 0; p < topic.partitions.size(); ++p) {
      const bool again = !seen.emplace(topic.name, topic.partitions[p].partition_index).second;
      each(topic.name, topic.partitions[p], response.topics[t].partitions[p], again);
    }
  }
}

}  // namespace garam
