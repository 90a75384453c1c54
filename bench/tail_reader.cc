#include "bench/tail_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/cluster.h"
#include "common/record_batch.h"

namespace garam::bench {
namespace {

constexpr int64_t kAskTimeoutMs = 5'000;

}  // namespace

absl::StatusOr<std::unique_ptr<TailReader>> TailReader::Open(Poller& poller, const Endpoint& leader,
                                                             std::string topic, int32_t partition,
                                                             ArrivalMatcher* matcher) {
  ASSIGN_OR_RETURN(const std::string body,
                   Call(leader, EndOffsetRequest(topic, partition), kAskTimeoutMs));
  ASSIGN_OR_RETURN(const int64_t end, ParseEndOffset(body));
  std::unique_ptr<TailReader> reader(new TailReader(std::move(topic), partition, end, matcher));
  ASSIGN_OR_RETURN(reader->connection_, Connection::Open(poller, leader, reader.get()));
  reader->Ask();
  return reader;
}

TailReader::TailReader(std::string topic, int32_t partition, int64_t next_offset,
                       ArrivalMatcher* matcher)
    : topic_(std::move(topic)),
      partition_(partition),
      matcher_(matcher),
      next_offset_(next_offset) {}

void TailReader::Ask() {
  connection_->SendOwned(FetchRequest(topic_, {{partition_, next_offset_}}, FetchLimits{}), 0);
}

void TailReader::OnAnswer(Connection&, int64_t, std::string_view body) {
  const int64_t now = NowNs();
  const absl::StatusOr<std::vector<FetchedPartition>> fetched = ParseFetch(body);
  status_ = fetched.status();
  if (!status_.ok()) return;
  for (const FetchedPartition& partition : *fetched) {
    if (partition.error != 0) {
      status_ = MakeError(Errc::kUnknown, absl::StrCat("fetch answered error ", partition.error));
      return;
    }
    std::string_view left = partition.records;
    while (left.size() >= RecordBatchView::kHeaderBytes) {
      const RecordBatchView batch(left.data());
      if (batch.batch_length() < 0 || batch.size_bytes() > left.size()) break;
      matcher_->OnSeen(next_offset_, batch.next_offset().value(), now);
      next_offset_ = batch.next_offset().value();
      left.remove_prefix(batch.size_bytes());
    }
  }
  Ask();
}

void TailReader::OnClosed(Connection&) {
  status_ = MakeError(Errc::kUnknown, "the consumer's connection was closed");
}

}  // namespace garam::bench
