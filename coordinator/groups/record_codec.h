// How keys and values of __consumer_offsets are written and read, whatever they are about: a number
// (the kind of a key, the version of a value), and a message of Kafka's schemas.
//
// For the files that know the records, group_records.cc and consumer_records.cc.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/bytes.h"
#include "common/status.h"
#include "proto/kafka/reader.h"
#include "proto/kafka/writer.h"

namespace garam {

// Kafka's numbers for what a key is about. Kind 0 was written by brokers before 0.9; it means the
// same as 1.
enum RecordKind : int16_t {
  kOldOffsetKind = 0,
  kOffsetKind = 1,
  kGroupKind = 2,
  kConsumerGroupKind = 3,
  kConsumerMemberKind = 5,
  kConsumerTargetKind = 6,
  kConsumerTargetMemberKind = 7,
  kConsumerAssignmentKind = 8,
  kConsumerRegexKind = 16,
};

template <class Message>
Bytes EncodeRecordPart(int16_t number, const Message& message, int16_t version) {
  kafka::Writer writer;
  writer.Int<int16_t>(number);
  // Only strings over 32 KiB could fail, and no request has them.
  const absl::Status status = message.Encode(writer, version);
  assert(status.ok());
  static_cast<void>(status);
  return writer.FinishContiguous();
}

template <class Key>
Bytes EncodeRecordKey(RecordKind kind, const Key& key) {
  return EncodeRecordPart(kind, key, 0);
}

inline absl::Status CorruptRecord(std::string_view what, const absl::Status& why) {
  return MakeError(Errc::kCorruptRecord, absl::StrCat("__consumer_offsets: ", std::string(what),
                                                      ": ", std::string(why.message())));
}

template <class Message>
absl::StatusOr<Message> DecodeRecordValue(const Bytes& value) {
  kafka::Reader reader(value);
  const auto version = reader.Int<int16_t>("version");
  if (version < Message::kMinVersion || version > Message::kMaxVersion) {
    return MakeError(Errc::kUnsupportedVersion,
                     absl::StrCat("__consumer_offsets: ", std::string(Message::kName), " version ",
                                  version, " is newer than this broker: upgrade it"));
  }
  absl::StatusOr<Message> message = Message::Decode(reader, version);
  if (!message.ok()) return CorruptRecord(Message::kName, message.status());
  return message;
}

}  // namespace garam
