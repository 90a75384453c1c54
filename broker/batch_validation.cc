#include "broker/batch_validation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/record_reader.h"
#include "common/crc32c.h"
#include "common/record_batch.h"
#include "common/saturated.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr int16_t kFirstProduceVersionWithZstd = 7;
// Enough for a person; a batch of bad records must not make an answer larger than itself.
constexpr size_t kRecordErrorsMax = 100;
constexpr int64_t kNoTimestamp = -1;
constexpr uint16_t kLogAppendTimeBit = 0x8;
constexpr uint16_t kUnknownAttributes = 0xffc0;

absl::Status Invalid(std::string_view why) { return MakeError(Errc::kInvalidRecord, why); }

// The shape that can be judged from the first bytes, and the size.
absl::Status CheckFrame(std::string_view bytes, const TopicConfig& topic) {
  if (bytes.empty()) return Invalid("a produce request needs one record batch per partition");
  if (bytes.size() <= 16) return MakeError(Errc::kCorruptRecord, "the record batch is cut short");
  const RecordBatchView batch(bytes.data());
  if (batch.magic() >= 0 && batch.magic() < RecordBatchView::kMagic)
    return Invalid("record batches must have magic 2");
  if (batch.magic() != RecordBatchView::kMagic)
    return MakeError(Errc::kCorruptRecord, "unknown magic of the record batch");
  constexpr int32_t kLengthMin =
      RecordBatchView::kHeaderBytes - RecordBatchView::kLengthPrefixBytes;
  if (bytes.size() < RecordBatchView::kHeaderBytes || batch.batch_length() < kLengthMin ||
      batch.size_bytes() > bytes.size()) {
    return MakeError(Errc::kCorruptRecord, "the record batch is cut short");
  }
  if (batch.size_bytes() < bytes.size())
    return Invalid("a produce request carries exactly one record batch per partition");
  if (bytes.size() > static_cast<size_t>(topic.max_message_bytes)) {
    return MakeError(Errc::kRecordTooLarge,
                     absl::StrCat("the record batch has ", bytes.size(),
                                  " bytes, max.message.bytes is ", topic.max_message_bytes));
  }
  if (static_cast<int64_t>(bytes.size()) > topic.segment_bytes) {
    return MakeError(Errc::kBatchOverSegment,
                     absl::StrCat("the record batch has ", bytes.size(),
                                  " bytes, segment.bytes is ", topic.segment_bytes));
  }
  if (Crc32c(batch.checked_bytes()) != batch.crc())
    return MakeError(Errc::kCorruptRecord, "the CRC of the record batch is wrong");
  return absl::OkStatus();
}

// What the header alone says.
absl::Status CheckHeader(const RecordBatchView& batch, const BatchRules& rules) {
  if (batch.codec_bits() > static_cast<uint8_t>(Compression::kZstd))
    return MakeError(Errc::kCorruptRecord, "unknown compression codec");
  if (batch.codec_bits() == static_cast<uint8_t>(Compression::kZstd) &&
      rules.produce_version < kFirstProduceVersionWithZstd) {
    return MakeError(Errc::kUnsupportedCompression, "zstd needs a newer version of Produce");
  }
  if (batch.control()) return Invalid("clients may not write control records");
  if (batch.transactional()) return Invalid("no transaction is open for this producer");
  if ((batch.attributes() & kUnknownAttributes) != 0)
    return Invalid("the record batch has attributes that clients may not set");
  if (batch.record_count() <= 0) return Invalid("the record batch holds no records");
  if (batch.last_offset_delta() != batch.record_count() - 1)
    return Invalid("the last offset delta and the number of records contradict each other");
  if (batch.producer_id() >= 0 && (batch.base_sequence() < 0 || batch.producer_epoch() < 0))
    return Invalid("a producer id comes with an epoch and a sequence");
  return absl::OkStatus();
}

// Walks the records and gathers what single ones are to blame for.
class RecordCheck {
 public:
  RecordCheck(const RecordBatchView& batch, const BatchRules& rules)
      : batch_(batch),
        rules_(rules),
        create_time_(rules.topic.message_timestamp_type == TimestampType::kCreateTime),
        oldest_ms_(SaturatedSum(rules.now_wall_ms, -rules.topic.message_timestamp_before_max_ms)),
        newest_ms_(SaturatedSum(rules.now_wall_ms, rules.topic.message_timestamp_after_max_ms)) {}

  absl::Status Run(std::string_view records) {
    RecordCursor cursor(records);
    RecordFields record;
    for (int32_t i = 0; i < batch_.record_count(); ++i) {
      if (!cursor.Next(record)) return Invalid(absl::StrCat("record ", i, " does not add up"));
      if (record.offset_delta != i)
        return Invalid(absl::StrCat("record ", i, " has offset delta ", record.offset_delta));
      CheckRecord(i, record);
    }
    if (!cursor.at_end()) return Invalid("bytes after the last record of the batch");
    return absl::OkStatus();
  }

  int64_t max_timestamp_ms() const { return max_timestamp_ms_; }
  Errc blame() const { return blame_; }
  std::vector<RecordError>& errors() { return errors_; }

 private:
  void CheckRecord(int32_t index, const RecordFields& record) {
    if (rules_.topic.cleanup_compact && !record.has_key) [[unlikely]]
      Add(Errc::kInvalidRecord, index, "a compacted topic takes no record without a key");
    const int64_t timestamp = TimestampOf(batch_, record);
    max_timestamp_ms_ = std::max(max_timestamp_ms_, timestamp);
    if (!create_time_) {
      if (batch_.log_append_time()) [[unlikely]]
        Add(Errc::kInvalidTimestamp, index, "producers may not set the timestamp type");
    } else if (timestamp != kNoTimestamp && (timestamp < oldest_ms_ || timestamp > newest_ms_))
        [[unlikely]] {
      Add(Errc::kInvalidTimestamp, index,
          absl::StrCat("timestamp ", timestamp, " is outside [", oldest_ms_, ", ", newest_ms_,
                       "]"));
    }
  }

  void Add(Errc errc, int32_t index, std::string message) {
    if (blame_ == Errc::kUnknown) blame_ = errc;
    if (errors_.size() < kRecordErrorsMax) errors_.push_back({index, std::move(message)});
  }

  const RecordBatchView& batch_;
  const BatchRules& rules_;
  const bool create_time_;
  const int64_t oldest_ms_;
  const int64_t newest_ms_;
  int64_t max_timestamp_ms_ = kNoTimestamp;
  Errc blame_ = Errc::kUnknown;  // Of the first record that was refused.
  std::vector<RecordError> errors_;
};

// Both fields are under the CRC.
void PatchTimes(const Bytes& bytes, bool log_append_time, int64_t max_timestamp_ms) {
  const RecordBatchView batch(bytes.data());
  if (batch.log_append_time() == log_append_time && batch.max_timestamp_ms() == max_timestamp_ms)
    return;
  // The caller owns these bytes until the partition has them.
  char* const at = const_cast<char*>(bytes.data());
  uint16_t attributes = batch.attributes() & static_cast<uint16_t>(~kLogAppendTimeBit);
  if (log_append_time) attributes |= kLogAppendTimeBit;
  StoreBigEndian<uint16_t>(at + 21, attributes);
  StoreBigEndian<int64_t>(at + 35, max_timestamp_ms);
  StoreBigEndian<uint32_t>(at + 17, Crc32c(batch.checked_bytes()));
}

}  // namespace

BatchVerdict ValidateBatch(const Bytes& batch, const BatchRules& rules) {
  BatchVerdict verdict;
  verdict.status = CheckFrame(batch.view(), rules.topic);
  if (!verdict.status.ok()) return verdict;
  const RecordBatchView view(batch.data());
  verdict.status = CheckHeader(view, rules);
  if (!verdict.status.ok()) return verdict;

  std::string scratch;
  absl::StatusOr<std::string_view> records = PlainRecords(batch.view(), scratch);
  if (!records.ok()) {
    verdict.status = std::move(records).status();
    return verdict;
  }
  RecordCheck check(view, rules);
  verdict.status = check.Run(*records);
  if (!verdict.status.ok()) return verdict;
  if (!check.errors().empty()) {
    verdict.status = MakeError(check.blame(), check.errors().front().message);
    verdict.record_errors = std::move(check.errors());
    return verdict;
  }
  const bool log_append_time = rules.topic.message_timestamp_type == TimestampType::kLogAppendTime;
  PatchTimes(batch, log_append_time,
             log_append_time ? rules.now_wall_ms : check.max_timestamp_ms());
  return verdict;
}

}  // namespace garam
