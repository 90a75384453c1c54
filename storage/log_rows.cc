#include "storage/log_rows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/endian.h"
#include "common/status.h"
#include "storage/point_codec.h"

namespace garam::storage {
namespace {

constexpr char kFormat = 1;
constexpr char kStampedFormat = 2;  // Of index rows: a checksum follows.
constexpr char kMark = 'm';
constexpr char kTerms = 't';
constexpr char kConfigurations = 'c';
constexpr char kStart = 'o';
constexpr char kPendingStarts = 'p';
constexpr char kClean = 'k';
constexpr char kUnsealed = 'a';
constexpr char kSealed = 'i';
constexpr size_t kMarkBytes = 1 + 8 + kPointBytes + 4 + 8;
constexpr size_t kTermRowBytes = 4 + 8 + 8;
constexpr size_t kConfigurationBytes = 8 + 4;  // Before the payload.
constexpr size_t kStartRowBytes = 8 + 8;
constexpr size_t kCleanBytes = 1 + 8 + 8;
constexpr size_t kRowsInPiece = 1024;
constexpr size_t kPiecesMax = 1 << 22;

std::string SegmentKey(char prefix, GroupId group, LogIndex base) {
  std::string key = GroupKey(prefix, group);
  key.resize(key.size() + 8);
  StoreBigEndian<int64_t>(key.data() + 9, base.value());
  return key;
}

std::string PieceKey(char prefix, GroupId group, LogIndex base, uint32_t number) {
  std::string key = SegmentKey(prefix, group, base);
  key.resize(key.size() + 4);
  StoreBigEndian<uint32_t>(key.data() + 17, number);
  return key;
}

// What the value of a piece of index rows begins with.
std::string PieceHead(IndexStamp stamp) {
  std::string head(1, stamp ? kStampedFormat : kFormat);
  if (stamp) {
    head.resize(1 + sizeof(uint32_t));
    StoreBigEndian<uint32_t>(head.data() + 1, *stamp);
  }
  return head;
}

absl::Status OutOfOrder(const char* what, GroupId group) {
  return MakeError(Errc::kStorage, absl::StrCat(what, " of the log of group ", group.value(),
                                                " in the key-value store do not ascend"));
}

absl::Status UnknownFormat(const char* what, GroupId group) {
  return MakeError(Errc::kStorage, absl::StrCat(what, " of the log of group ", group.value(),
                                                " in the key-value store has an unknown format"));
}

}  // namespace

std::string GroupKey(char prefix, GroupId group) {
  std::string key(9, prefix);
  StoreBigEndian<uint64_t>(key.data() + 1, group.value());
  return key;
}

GroupId GroupOfKey(const std::string& key) {
  return GroupId(key.size() < 9 ? 0 : LoadBigEndian<uint64_t>(key.data() + 1));
}

absl::StatusOr<std::optional<DurableMark>> LogRows::LoadMark() {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kPartition, GroupKey(kMark, group_)));
  if (!value) return std::optional<DurableMark>();
  if (value->size() != kMarkBytes || (*value)[0] != kFormat) {
    return UnknownFormat("the durable mark", group_);
  }
  const char* at = value->data() + 1;
  DurableMark mark;
  mark.point.segment_base = LogIndex(LoadBigEndian<int64_t>(at));
  mark.point.at = LoadPoint(at + 8);
  mark.index_pieces = LoadBigEndian<uint32_t>(at + 8 + kPointBytes);
  mark.segment_created_ms = LoadBigEndian<int64_t>(at + 12 + kPointBytes);
  return std::optional<DurableMark>(mark);
}

absl::StatusOr<TermRows> LogRows::LoadTerms() {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kPartition, GroupKey(kTerms, group_)));
  if (!value) return TermRows();
  if (value->size() % kTermRowBytes != 1 || (*value)[0] != kFormat) {
    return UnknownFormat("the term rows", group_);
  }
  std::vector<TermRow> rows;
  for (size_t at = 1; at < value->size(); at += kTermRowBytes) {
    const char* row = value->data() + at;
    const TermRow next{Term(LoadBigEndian<int32_t>(row)), LogIndex(LoadBigEndian<int64_t>(row + 4)),
                       Offset(LoadBigEndian<int64_t>(row + 12))};
    if (!rows.empty() &&
        (next.term <= rows.back().term || next.first_index <= rows.back().first_index)) {
      return OutOfOrder("the term rows", group_);
    }
    rows.push_back(next);
  }
  return TermRows(std::move(rows));
}

absl::StatusOr<ConfigurationRows> LogRows::LoadConfigurations() {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kPartition, GroupKey(kConfigurations, group_)));
  ConfigurationRows rows;
  if (!value) return rows;
  std::string_view rest = *value;
  if (rest.empty() || rest[0] != kFormat) return UnknownFormat("the configurations", group_);
  rest.remove_prefix(1);
  while (!rest.empty()) {
    if (rest.size() < kConfigurationBytes) return UnknownFormat("the configurations", group_);
    const LogIndex index(LoadBigEndian<int64_t>(rest.data()));
    const size_t size = LoadBigEndian<uint32_t>(rest.data() + 8);
    rest.remove_prefix(kConfigurationBytes);
    if (rest.size() < size) return UnknownFormat("the configurations", group_);
    if (!rows.empty() && index <= rows.back().index)
      return OutOfOrder("the configurations", group_);
    rows.push_back({index, std::string(rest.substr(0, size))});
    rest.remove_prefix(size);
  }
  return rows;
}

absl::StatusOr<std::optional<Offset>> LogRows::LoadStart() {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kPartition, GroupKey(kStart, group_)));
  if (!value) return std::optional<Offset>();
  if (value->size() != 9 || (*value)[0] != kFormat) return UnknownFormat("the start", group_);
  return std::optional<Offset>(Offset(LoadBigEndian<int64_t>(value->data() + 1)));
}

absl::StatusOr<LogStartRows> LogRows::LoadPendingStarts() {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kPartition, GroupKey(kPendingStarts, group_)));
  LogStartRows rows;
  if (!value) return rows;
  if (value->size() % kStartRowBytes != 1 || (*value)[0] != kFormat) {
    return UnknownFormat("the pending starts", group_);
  }
  for (size_t at = 1; at < value->size(); at += kStartRowBytes) {
    const LogIndex index(LoadBigEndian<int64_t>(value->data() + at));
    if (!rows.empty() && index <= rows.back().index) {
      return OutOfOrder("the pending starts", group_);
    }
    rows.push_back({index, Offset(LoadBigEndian<int64_t>(value->data() + at + 8))});
  }
  return rows;
}

absl::StatusOr<CleanPoint> LogRows::LoadClean() {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kPartition, GroupKey(kClean, group_)));
  if (!value) return CleanPoint();
  if (value->size() != kCleanBytes || (*value)[0] != kFormat) {
    return UnknownFormat("the compaction's progress", group_);
  }
  return CleanPoint{Offset(LoadBigEndian<int64_t>(value->data() + 1)),
                    LoadBigEndian<int64_t>(value->data() + 9)};
}

absl::Status LogRows::SaveStart(Offset start) {
  KvBatch batch;
  StageStart(start, batch);
  return kv_.Write(batch, /*sync=*/true);
}

absl::StatusOr<uint32_t> LogRows::LoadPieces(char prefix, KvFamily family, LogIndex base,
                                             const std::string& head, SegmentIndex& index) {
  ASSIGN_OR_RETURN(std::vector<KvStore::Row> pieces,
                   kv_.Scan(family, SegmentKey(prefix, group_, base),
                            SegmentKey(prefix, group_, base + 1), kPiecesMax));
  uint32_t expected = 0;
  for (const auto& [key, value] : pieces) {
    if (key != PieceKey(prefix, group_, base, expected++)) return 0;
    if (!value.starts_with(head)) return 0;
    if (!index.DecodeAppend(std::string_view(value).substr(head.size()))) return 0;
  }
  return expected;
}

absl::StatusOr<uint32_t> LogRows::LoadUnsealed(LogIndex base, SegmentIndex& index) {
  return LoadPieces(kUnsealed, KvFamily::kPartition, base, PieceHead(std::nullopt), index);
}

absl::StatusOr<bool> LogRows::LoadSealed(LogIndex base, IndexStamp stamp, SegmentIndex& index) {
  ASSIGN_OR_RETURN(const uint32_t pieces,
                   LoadPieces(kSealed, KvFamily::kIndex, base, PieceHead(stamp), index));
  return pieces > 0;
}

absl::Status LogRows::SaveSealed(LogIndex base, IndexStamp stamp, const SegmentIndex& index) {
  KvBatch pieces;
  StageDropSealed(base, pieces);
  // The first row is the segment's begin, which every index has. A piece without rows says that the
  // index is complete all the same.
  const size_t count = index.rows().size();
  uint32_t number = 0;
  for (size_t from = 1; from < count || number == 0; from += kRowsInPiece) {
    pieces.Put(KvFamily::kIndex, PieceKey(kSealed, group_, base, number++),
               PieceHead(stamp) +
                   index.Encode(std::min(from, count), std::min(count, from + kRowsInPiece)));
  }
  RETURN_IF_ERROR(kv_.Write(pieces, /*sync=*/false));
  KvBatch drop;
  StageDropUnsealed(base, drop);
  return kv_.Write(drop, /*sync=*/false);
}

void LogRows::StageMark(const DurableMark& mark, KvBatch& batch) const {
  std::string value(9, kFormat);
  StoreBigEndian<int64_t>(value.data() + 1, mark.point.segment_base.value());
  AppendPoint(mark.point.at, value);
  const size_t rest = value.size();
  value.resize(kMarkBytes);
  StoreBigEndian<uint32_t>(value.data() + rest, mark.index_pieces);
  StoreBigEndian<int64_t>(value.data() + rest + 4, mark.segment_created_ms);
  batch.Put(KvFamily::kPartition, GroupKey(kMark, group_), std::move(value));
}

void LogRows::StageTerms(const TermRows& terms, LogIndex end, KvBatch& batch) const {
  std::string value(1, kFormat);
  for (const TermRow& row : terms.rows()) {
    if (row.first_index >= end) break;
    const size_t start = value.size();
    value.resize(start + kTermRowBytes);
    StoreBigEndian<int32_t>(value.data() + start, row.term.value());
    StoreBigEndian<int64_t>(value.data() + start + 4, row.first_index.value());
    StoreBigEndian<int64_t>(value.data() + start + 12, row.first_offset.value());
  }
  batch.Put(KvFamily::kPartition, GroupKey(kTerms, group_), std::move(value));
}

void LogRows::StageConfigurations(const ConfigurationRows& rows, LogIndex end,
                                  KvBatch& batch) const {
  std::string value(1, kFormat);
  for (const ConfigurationRow& row : rows) {
    if (row.index >= end) break;
    const size_t start = value.size();
    value.resize(start + kConfigurationBytes);
    StoreBigEndian<int64_t>(value.data() + start, row.index.value());
    StoreBigEndian<uint32_t>(value.data() + start + 8, static_cast<uint32_t>(row.payload.size()));
    value += row.payload;
  }
  PutUnlessBare(kConfigurations, std::move(value), batch);
}

// Most logs never have any of these.
void LogRows::PutUnlessBare(char prefix, std::string value, KvBatch& batch) const {
  if (value.size() > 1) {
    batch.Put(KvFamily::kPartition, GroupKey(prefix, group_), std::move(value));
  } else {
    batch.Delete(KvFamily::kPartition, GroupKey(prefix, group_));
  }
}

void LogRows::StageStart(Offset start, KvBatch& batch) const {
  std::string value(9, kFormat);
  StoreBigEndian<int64_t>(value.data() + 1, start.value());
  batch.Put(KvFamily::kPartition, GroupKey(kStart, group_), std::move(value));
}

void LogRows::StageClean(const CleanPoint& clean, KvBatch& batch) const {
  std::string value(kCleanBytes, kFormat);
  StoreBigEndian<int64_t>(value.data() + 1, clean.before.value());
  StoreBigEndian<int64_t>(value.data() + 9, clean.tombstones_until_ms);
  batch.Put(KvFamily::kPartition, GroupKey(kClean, group_), std::move(value));
}

void LogRows::StagePendingStarts(const LogStartRows& rows, LogIndex end, KvBatch& batch) const {
  std::string value(1, kFormat);
  for (const LogStartRow& row : rows) {
    if (row.index >= end) break;
    const size_t at = value.size();
    value.resize(at + kStartRowBytes);
    StoreBigEndian<int64_t>(value.data() + at, row.index.value());
    StoreBigEndian<int64_t>(value.data() + at + 8, row.start.value());
  }
  PutUnlessBare(kPendingStarts, std::move(value), batch);
}

void LogRows::StagePiece(LogIndex base, uint32_t number, std::string rows, KvBatch& batch) const {
  batch.Put(KvFamily::kPartition, PieceKey(kUnsealed, group_, base, number),
            std::string(1, kFormat) + std::move(rows));
}

void LogRows::StageDropUnsealed(LogIndex base, KvBatch& batch) const {
  batch.DeleteRange(KvFamily::kPartition, SegmentKey(kUnsealed, group_, base),
                    SegmentKey(kUnsealed, group_, base + 1));
}

void LogRows::StageDropUnsealedFrom(LogIndex base, KvBatch& batch) const {
  batch.DeleteRange(KvFamily::kPartition, SegmentKey(kUnsealed, group_, base),
                    GroupKey(kUnsealed, GroupId(group_.value() + 1)));
}

void LogRows::StageDropSealed(LogIndex base, KvBatch& batch) const {
  batch.DeleteRange(KvFamily::kIndex, SegmentKey(kSealed, group_, base),
                    SegmentKey(kSealed, group_, base + 1));
}

absl::Status LogRows::RemoveAll() {
  KvBatch index;
  index.DeleteRange(KvFamily::kIndex, GroupKey(kSealed, group_),
                    GroupKey(kSealed, GroupId(group_.value() + 1)));
  RETURN_IF_ERROR(kv_.Write(index, /*sync=*/false));
  KvBatch rows;
  for (char prefix : {kMark, kTerms, kConfigurations, kStart, kPendingStarts, kClean}) {
    rows.Delete(KvFamily::kPartition, GroupKey(prefix, group_));
  }
  rows.DeleteRange(KvFamily::kPartition, GroupKey(kUnsealed, group_),
                   GroupKey(kUnsealed, GroupId(group_.value() + 1)));
  return kv_.Write(rows, /*sync=*/true);
}

}  // namespace garam::storage
