#include "coordinator/groups/group_topics.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace garam {
namespace {

// FNV-1a with 64 bits: it is stored, so it must not hang on the process.
class StableHash {
 public:
  void Add(std::string_view text) {
    Add(text.size());
    for (const char c : text) Mix(static_cast<uint8_t>(c));
  }
  void Add(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) Mix(static_cast<uint8_t>(number >> shift));
  }
  int64_t value() const { return static_cast<int64_t>(hash_); }

 private:
  void Mix(uint8_t byte) {
    hash_ ^= byte;
    hash_ *= 0x100000001b3;
  }

  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

int64_t HashTopics(std::span<const AssignorTopic> topics) {
  if (topics.empty()) return 0;
  StableHash hash;
  for (const AssignorTopic& topic : topics) {
    hash.Add(topic.id.raw());
    hash.Add(topic.name);
    hash.Add(static_cast<uint64_t>(topic.partition_count));
    hash.Add(topic.racks.size());
    for (std::vector<std::string> racks : topic.racks) {
      std::sort(racks.begin(), racks.end());
      hash.Add(racks.size());
      for (const std::string& rack : racks) hash.Add(rack);
    }
  }
  return hash.value();
}

}  // namespace garam
