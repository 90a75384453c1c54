// The golden bytes: what Kafka's own classes wrote for every message and version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/bytes.h"

namespace garam::kafka {

struct GoldenCase {
  std::string message;  // For example ProduceRequest.
  int16_t version;
  std::string name;  // default, fresh, bare, empty, null, full or tagged.
  Bytes bytes;

  std::string ToString() const { return message + " v" + std::to_string(version) + " " + name; }
};

struct GoldenApi {
  std::string name;
  int16_t key;
  int16_t version;
  int16_t request_header_version;
  int16_t response_header_version;
};

// A record as Kafka's group coordinator writes it into __consumer_offsets.
struct GoldenRecord {
  std::string name;
  Bytes key;                   // Behind its type.
  std::optional<Bytes> value;  // Behind its version; nothing in a tombstone.
};

struct Golden {
  std::vector<GoldenCase> cases;
  std::vector<GoldenApi> apis;
  std::vector<GoldenRecord> records;
};

// Every file of `folder`; aborts on one that cannot be understood.
Golden ReadGolden(const std::string& folder);

}  // namespace garam::kafka
