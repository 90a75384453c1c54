// Raft messages in frames: the second half of stream_codec.h.
#include <type_traits>
#include <utility>
#include <variant>

#include "broker/wire/frame_codec.h"
#include "broker/wire/stream_codec.h"
#include "common/byte_codec.h"
#include "common/status.h"
#include "raft/messages.h"

namespace garam {
namespace {

// On the wire: never renumber.
enum class MessageKind : uint8_t {
  kVoteRequest = 1,
  kVoteReply = 2,
  kAppend = 3,
  kAppendReply = 4,
  kTimeoutNow = 5,
};

// Index, term, kind and size of one entry.
constexpr size_t kEntryRowBytes = 8 + 4 + 1 + 4;

absl::Status Corrupt(std::string_view what) { return MakeError(Errc::kCorruptRecord, what); }

// A message that `Io` reads into, or one that it writes from.
template <class Io, class M>
using Of = std::conditional_t<Io::kReads, M, const M>;

// The fields of every message, once, for both directions.
template <class Io>
void Fields(Io& io, Of<Io, raft::VoteRequest>& message) {
  io(message.term);
  io(message.pre);
  io(message.transfer);
  io(message.incarnation);
  io(message.last_index);
  io(message.last_term);
  io(message.last_resort);
}
template <class Io>
void Fields(Io& io, Of<Io, raft::VoteReply>& message) {
  io(message.term);
  io(message.pre);
  io(message.granted);
  io(message.in_doubt);
  io(message.from);
}
template <class Io>
void Fields(Io& io, Of<Io, raft::Append>& message) {  // But for the entries.
  io(message.term);
  io(message.session);
  io(message.prev_index);
  io(message.prev_term);
  io(message.commit);
  io(message.leader_last);
  io(message.to);
  io(message.leader_first);
  io(message.round);
  io(message.life);
  io(message.compact_before);
}
template <class Io>
void Fields(Io& io, Of<Io, raft::AppendReply>& message) {
  io(message.term);
  io(message.session);
  io(message.rejected);
  io(message.written);
  io(message.durable);
  io(message.commit);
  io(message.prev_index);
  io(message.hint_index);
  io(message.hint_term);
  io(message.from);
  io(message.round);
  io(message.life);
}
template <class Io>
void Fields(Io& io, Of<Io, raft::TimeoutNow>& message) {
  io(message.term);
}

class FieldWriter {
 public:
  static constexpr bool kReads = false;
  explicit FieldWriter(ByteWriter& out) : out_(out) {}
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.Put(static_cast<uint8_t>(value));
    } else if constexpr (std::is_integral_v<T>) {
      out_.Put(value);
    } else {
      out_.Put(value.value());
    }
  }

 private:
  ByteWriter& out_;
};

class FieldReader {
 public:
  static constexpr bool kReads = true;
  explicit FieldReader(ByteReader& in) : in_(in) {}
  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = in_.Get<uint8_t>() != 0;
    } else if constexpr (std::is_integral_v<T>) {
      value = in_.Get<T>();
    } else {
      value = T(in_.Get<typename T::rep>());
    }
  }

 private:
  ByteReader& in_;
};

MessageKind KindOf(const raft::VoteRequest&) { return MessageKind::kVoteRequest; }
MessageKind KindOf(const raft::VoteReply&) { return MessageKind::kVoteReply; }
MessageKind KindOf(const raft::Append&) { return MessageKind::kAppend; }
MessageKind KindOf(const raft::AppendReply&) { return MessageKind::kAppendReply; }
MessageKind KindOf(const raft::TimeoutNow&) { return MessageKind::kTimeoutNow; }

size_t PutEntryRows(const std::vector<LogEntry>& entries, ByteWriter& writer) {
  size_t bytes = 0;
  writer.Put(static_cast<uint32_t>(entries.size()));
  for (const LogEntry& entry : entries) {
    writer.Put(entry.index.value());
    writer.Put(entry.term.value());
    writer.Put(static_cast<uint8_t>(entry.kind));
    writer.Put(static_cast<uint32_t>(entry.bytes.size()));
    bytes += entry.bytes.size();
  }
  return bytes;
}

absl::Status GetEntries(ByteReader& reader, std::string_view body, KeepFn keep,
                        std::vector<LogEntry>& entries) {
  const size_t count = reader.Get<uint32_t>();
  if (!reader.ok() || count > reader.left() / kEntryRowBytes) {
    return Corrupt("an append with fewer entries than it says");
  }
  entries.resize(count);
  const Bytes kept = body.empty() ? Bytes() : keep(body);
  size_t at = 0;
  for (LogEntry& entry : entries) {
    entry.index = LogIndex(reader.Get<int64_t>());
    entry.term = Term(reader.Get<int32_t>());
    const auto kind = reader.Get<uint8_t>();
    const size_t size = reader.Get<uint32_t>();
    if (kind > static_cast<uint8_t>(EntryKind::kCommand)) return Corrupt("an entry of no kind");
    if (size > body.size() - at) return Corrupt("an entry beyond its frame");
    entry.kind = static_cast<EntryKind>(kind);
    if (size > 0) entry.bytes = kept.Slice(at, size);
    at += size;
  }
  if (at != body.size()) return Corrupt("a frame with bytes of no entry");
  return absl::OkStatus();
}

template <class M>
absl::StatusOr<raft::Message> ReadMessage(ByteReader& reader, std::string_view body, KeepFn keep) {
  M message;
  FieldReader fields(reader);
  Fields(fields, message);
  if constexpr (std::is_same_v<M, raft::Append>) {
    RETURN_IF_ERROR(GetEntries(reader, body, keep, message.entries));
  } else if (!body.empty()) {
    return Corrupt("entries in a message that has none");
  }
  // A later protocol may say more after this; what it must not do is say less.
  if (!reader.ok()) return Corrupt("a message that ends early");
  return message;
}

absl::StatusOr<raft::Message> ReadMessageOf(MessageKind kind, ByteReader& reader,
                                            std::string_view body, KeepFn keep) {
  switch (kind) {
    case MessageKind::kVoteRequest:
      return ReadMessage<raft::VoteRequest>(reader, body, keep);
    case MessageKind::kVoteReply:
      return ReadMessage<raft::VoteReply>(reader, body, keep);
    case MessageKind::kAppend:
      return ReadMessage<raft::Append>(reader, body, keep);
    case MessageKind::kAppendReply:
      return ReadMessage<raft::AppendReply>(reader, body, keep);
    case MessageKind::kTimeoutNow:
      return ReadMessage<raft::TimeoutNow>(reader, body, keep);
  }
  return Corrupt("a message of an unknown kind");
}

}  // namespace

size_t EncodeMessageHead(const GroupMessage& message, std::string& out) {
  const size_t at = OpenFrame(FrameKind::kMessage, out);
  ByteWriter writer(out);
  writer.Put(message.group.value());
  const size_t entry_bytes = std::visit(
      [&writer](const auto& which) -> size_t {
        writer.Put(static_cast<uint8_t>(KindOf(which)));
        FieldWriter fields(writer);
        Fields(fields, which);
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(which)>, raft::Append>) {
          return PutEntryRows(which.entries, writer);
        }
        return 0;
      },
      message.message);
  CloseFrame(at, entry_bytes, out);
  return entry_bytes;
}

absl::StatusOr<GroupMessage> DecodeMessage(std::string_view frame, KeepFn keep) {
  ASSIGN_OR_RETURN(const std::string_view head, CheckedHead(frame, FrameKind::kMessage));
  ByteReader reader(head);
  const GroupId group(reader.Get<uint64_t>());
  const auto kind = static_cast<MessageKind>(reader.Get<uint8_t>());
  const std::string_view body = frame.substr(kFrameHeaderBytes + head.size());
  ASSIGN_OR_RETURN(raft::Message message, ReadMessageOf(kind, reader, body, keep));
  return GroupMessage{group, std::move(message)};
}

void EncodeMessage(const GroupMessage& message, std::string& out) {
  EncodeMessageHead(message, out);
  ForEachEntry(message, [&out](const LogEntry& entry) { out.append(entry.bytes.view()); });
}

absl::StatusOr<std::vector<GroupMessage>> DecodeMessages(std::string_view frames) {
  std::vector<GroupMessage> messages;
  while (!frames.empty()) {
    ASSIGN_OR_RETURN(const FrameHeader header, ParseFrameHeader(frames, frames.size()));
    ASSIGN_OR_RETURN(GroupMessage message,
                     DecodeMessage(frames.substr(0, header.frame_bytes()), &Bytes::Copy));
    messages.push_back(std::move(message));
    frames.remove_prefix(header.frame_bytes());
  }
  return messages;
}

bool IsAnswer(const GroupMessage& message) {
  return std::holds_alternative<raft::AppendReply>(message.message);
}

void ForEachEntry(const GroupMessage& message, absl::FunctionRef<void(const LogEntry&)> visit) {
  if (const auto* append = std::get_if<raft::Append>(&message.message)) {
    for (const LogEntry& entry : append->entries) visit(entry);
  }
}

}  // namespace garam
