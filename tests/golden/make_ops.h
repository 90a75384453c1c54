// Makes the MessageOps of one message type; included by generated code only.
#pragma once

#include <vector>

#include "proto/kafka/frame.h"
#include "tests/golden/dumper.h"
#include "tests/golden/message_ops.h"

namespace garam::kafka {

template <class Message>
absl::StatusOr<Subject> Describe(const Message& message, int16_t version) {
  Subject subject;
  ASSIGN_OR_RETURN(subject.encoded, EncodeMessage(message, version));
  Dumper dumper;
  Dump(dumper, message);
  subject.dump = dumper.Take();
  return subject;
}

template <class Message>
absl::StatusOr<Subject> Recode(const Bytes& bytes, int16_t version) {
  Reader reader(bytes);
  ASSIGN_OR_RETURN(const Message message, Message::Decode(reader, version));
  ASSIGN_OR_RETURN(Subject subject, Describe(message, version));
  subject.left_over = reader.remaining();
  return subject;
}

template <class Message>
MessageOps MakeOps(int16_t request_key) {
  return MessageOps{
      .name = Message::kName,
      .request_key = request_key,
      .min_version = Message::kMinVersion,
      .max_version = Message::kMaxVersion,
      .first_flexible_version = Message::kFirstFlexibleVersion,
      .decode = [](Reader& reader,
                   int16_t version) { return Message::Decode(reader, version).status(); },
      .recode = Recode<Message>,
      .make_default = [](int16_t version) { return Describe(Message{}, version); },
      .make_filled =
          [](Filler& filler, int16_t version) {
            Message message;
            Fill(filler, version, message);
            return Describe(message, version);
          },
  };
}

}  // namespace garam::kafka
