// Batches of keyed records for the tests of compaction, and what they hold.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/compression.h"
#include "common/crc32c.h"
#include "common/record_batch.h"
#include "common/record_cursor.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam::storage {

struct KeyedRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;  // Nothing: a tombstone.
  int64_t timestamp_delta_ms = 0;
};

struct KeyedBatch {
  std::vector<KeyedRecord> records;
  Compression codec = Compression::kNone;
  int64_t base_offset = 0;
  int32_t term = 1;
  int64_t base_timestamp_ms = 1'000'000;
  int64_t producer_id = -1;
  int32_t base_sequence = -1;

  Bytes Build() const {
    BatchBuilder builder;
    std::string plain;
    int64_t newest = 0;
    builder.records.clear();
    for (const KeyedRecord& record : records) {
      plain += RecordBytes(record, static_cast<int32_t>(builder.records.size()));
      builder.records.emplace_back();
      newest = std::max(newest, record.timestamp_delta_ms);
    }
    builder.packed = codec == Compression::kNone ? plain : Compress(codec, plain);
    builder.codec = codec;
    builder.base_offset = base_offset;
    builder.leader_epoch = term;
    builder.base_timestamp_ms = base_timestamp_ms;
    builder.max_timestamp_ms = base_timestamp_ms + newest;
    builder.producer_id = producer_id;
    builder.producer_epoch = producer_id >= 0 ? int16_t{3} : int16_t{-1};
    builder.base_sequence = base_sequence;
    return builder.Build();
  }

 private:
  static void PutBlob(const std::optional<std::string>& blob, std::string& out) {
    AppendVarlong(out, blob ? static_cast<int64_t>(blob->size()) : -1);
    out += blob.value_or("");
  }
  static std::string RecordBytes(const KeyedRecord& record, int32_t position) {
    std::string body(1, '\0');
    AppendVarlong(body, record.timestamp_delta_ms);
    AppendVarlong(body, position);
    PutBlob(record.key, body);
    PutBlob(record.value, body);
    AppendVarlong(body, 1);  // One header.
    PutBlob("h", body);
    PutBlob("header of " + record.key.value_or(""), body);
    std::string out;
    AppendVarlong(out, static_cast<int64_t>(body.size()));
    return out + body;
  }
};

// One record as a reader sees it.
struct SeenRecord {
  int64_t offset = -1;
  int64_t timestamp_ms = -1;
  std::string key;
  std::optional<std::string> value;

  friend bool operator==(const SeenRecord&, const SeenRecord&) = default;
};

inline std::vector<SeenRecord> RecordsOf(std::string_view batch) {
  std::vector<SeenRecord> seen;
  const RecordBatchView header(batch.data());
  EXPECT_EQ(header.size_bytes(), batch.size());
  EXPECT_EQ(header.crc(), Crc32c(header.checked_bytes()));
  std::string scratch;
  if (header.record_count() == 0) return seen;
  auto plain = PlainRecords(batch, scratch);
  EXPECT_TRUE(plain.ok()) << plain.status();
  RecordCursor cursor(*plain);
  RecordFields fields;
  for (int32_t i = 0; i < header.record_count(); ++i) {
    EXPECT_TRUE(cursor.Next(fields));
    SeenRecord record;
    record.offset = header.base_offset().value() + fields.offset_delta;
    record.timestamp_ms = TimestampOf(header, fields);
    record.key = std::string(fields.key);
    if (fields.value) record.value = std::string(*fields.value);
    seen.push_back(std::move(record));
  }
  EXPECT_TRUE(cursor.at_end());
  return seen;
}

// What a reader of all records believes in the end.
inline std::map<std::string, std::string> ValuesOf(const std::vector<SeenRecord>& records) {
  std::map<std::string, std::string> values;
  for (const SeenRecord& record : records) {
    if (record.value) {
      values[record.key] = *record.value;
    } else {
      values.erase(record.key);
    }
  }
  return values;
}

}  // namespace garam::storage
