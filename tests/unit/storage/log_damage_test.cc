// Bytes that are not what was written: found, told, never handed to anybody.
#include <cerrno>
#include <map>

#include "storage/frame.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Call = FakeFileSystem::Call;

class LogDamageTest : public LogFixture {
 protected:
  // Two sealed segments and an active one, private frames in each, all below the durable mark.
  void FillThreeSegments() {
    options_.index_interval_bytes = 150;
    Open();
    for (int segment = 0; segment < 3; ++segment) {
      term_ = Term(1 + segment);
      Write({Private(EntryKind::kNoop)});
      for (int i = 0; i < 3; ++i) Append(absl::StrCat("segment ", segment, " batch ", i), 1 + i);
      if (segment < 2) AppendRoll();
    }
    log_->OnCommitted(log_->last_index());
    Settle();
    Close();
    ASSERT_THAT(SegmentPaths(), SizeIs(3));
  }
  void Flip(const std::string& path, int64_t at) {
    fs_.FlipBit(path, at, static_cast<int>(at % 8));
  }
  // Reads at every offset and every entry: what comes is what was written.
  void ExpectOnlyTruth(const std::map<Offset, std::string>& written) {
    for (Offset from = log_->start_offset(); from < log_->written_offset(); from += 1) {
      auto batches = TryRead(from, log_->written_offset(), 1 << 20);
      if (!batches.ok()) {
        EXPECT_TRUE(IsDamaged(batches.status())) << batches.status();
        continue;
      }
      for (const Bytes& batch : *batches) {
        auto found = written.find(RecordBatchView(batch.data()).base_offset());
        ASSERT_TRUE(found != written.end());
        EXPECT_EQ(batch.view(), found->second);
      }
    }
    for (LogIndex at = log_->first_index(); at <= log_->last_index(); at += 1) {
      auto entries = TryReadEntries(at, log_->last_index());
      if (!entries.ok()) {
        EXPECT_TRUE(IsDamaged(entries.status())) << entries.status();
        continue;
      }
      for (const LogEntry& entry : *entries) {
        if (entry.kind != EntryKind::kBatch) continue;
        const auto found = written.find(RecordBatchView(entry.bytes.data()).base_offset());
        ASSERT_TRUE(found != written.end());
        EXPECT_EQ(entry.bytes.view(), found->second);
      }
    }
  }
  std::map<Offset, std::string> Written() {
    std::map<Offset, std::string> written;
    for (Offset from = log_->start_offset(); from < log_->written_offset();) {
      auto batches = TryRead(from, log_->written_offset(), 1);
      const RecordBatchView batch(batches->front().data());
      written[batch.base_offset()] = std::string(batches->front().view());
      from = batch.next_offset();
    }
    return written;
  }
};

TEST_F(LogDamageTest, ABitFlippedAnywhereBelowTheDurableEndIsNeverServed) {
  FillThreeSegments();
  Open();
  const std::map<Offset, std::string> written = Written();
  const LogIndex last = log_->last_index();
  Drop();
  size_t refused = 0;
  for (const std::string& path : SegmentPaths()) {
    const std::string whole = fs_.Content(path);
    for (size_t at = 0; at < whole.size(); ++at) {
      Flip(path, static_cast<int64_t>(at));
      if (absl::Status opened = TryOpen(); !opened.ok()) {
        ++refused;
        ASSERT_TRUE(IsDamaged(opened)) << path << " at " << at << ": " << opened;
      } else {
        ASSERT_EQ(log_->last_index(), last) << path << " at " << at;
        ExpectOnlyTruth(written);
      }
      Drop();
      ASSERT_FALSE(HasFailure()) << path << " at " << at;
      fs_.SetContent(path, whole);
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST_F(LogDamageTest, AFlippedBitInAnyByteOfARecordIsFoundByTheReadThatMeetsIt) {
  FillThreeSegments();
  Open();
  const std::map<Offset, std::string> written = Written();
  Drop();
  for (const std::string& path : SegmentPaths()) {
    const std::string whole = fs_.Content(path);
    const size_t begins = whole.find("segment");
    for (size_t at = begins - RecordBatchView::kHeaderBytes; at < begins + 17; ++at) {
      Open();
      Flip(path, static_cast<int64_t>(at));  // While it is open: recovery has not seen it.
      ExpectOnlyTruth(written);
      EXPECT_EQ(observer_.damages, 1) << path << " at " << at;
      EXPECT_TRUE(IsDamaged(observer_.damage));
      EXPECT_THAT(std::string(observer_.damage.message()), HasSubstr(path));
      Drop();
      fs_.SetContent(path, whole);
    }
  }
}

TEST_F(LogDamageTest, WhatLiesBeforeTheDamageIsStillRead) {
  Open();
  Append("a");
  Append("b");
  const int64_t third = log_->size_bytes();
  Append("c");
  Flip(SegmentPaths()[0], third + 61);
  EXPECT_THAT(*TryRead(Offset(0), Offset(3), 1000), SizeIs(2));
  EXPECT_THAT(*TryReadEntries(LogIndex(1), LogIndex(3)), SizeIs(2));
  EXPECT_EQ(observer_.damages, 0);
  EXPECT_TRUE(IsDamaged(TryRead(Offset(2), Offset(3), 1000).status()));
  EXPECT_EQ(observer_.damages, 1);
  EXPECT_TRUE(IsDamaged(TryReadEntries(LogIndex(3), LogIndex(3)).status()));
  EXPECT_EQ(observer_.damages, 1);
}

TEST_F(LogDamageTest, ABatchFoundByTimestampIsChecked) {
  Open();
  Append("a");
  Flip(SegmentPaths()[0], log_->size_bytes() - 1);
  std::optional<absl::Status> status;
  log_->FindBatchByTimestamp(1, Offset(0), Offset(1), [&](auto batch) { status = batch.status(); });
  Settle();
  EXPECT_TRUE(IsDamaged(*status));
  EXPECT_EQ(observer_.damages, 1);
}

TEST_F(LogDamageTest, ACheckFindsEveryFlippedBitOfARecord) {
  FillThreeSegments();
  Open();
  const auto walk = [this]() -> absl::Status {
    for (LogIndex at(1);;) {
      std::optional<absl::StatusOr<LogCheck>> check;
      log_->Check(at, 100, [&check](auto result) { check = result; });
      EXPECT_TRUE(check || pool_.pending() == 1u) << "it reads on the shard's thread";
      Settle();
      if (!check->ok()) return check->status();
      at = (*check)->next;
      if ((*check)->bytes == 0) return absl::OkStatus();
    }
  };
  EXPECT_TRUE(walk().ok());
  for (size_t segment = 0; segment < 3; ++segment) {
    const std::string path = SegmentPaths()[segment];
    const size_t footer = segment < 2 ? kFooterBytes : 0;
    const auto size = static_cast<int64_t>(fs_.Content(path).size() - footer);
    for (int64_t at = kHeaderBytes; at < size; ++at) {
      Flip(path, at);
      EXPECT_TRUE(IsDamaged(walk())) << path << " at " << at;
      Flip(path, at);
    }
  }
  EXPECT_EQ(observer_.damages, 1);
}

TEST_F(LogDamageTest, ASectorThatCannotBeReadIsDamage) {
  FillThreeSegments();
  Open();
  fs_.SetFaults([](Call call, const std::string& path) {
    return call == Call::kRead && path.ends_with(".log") ? EIO : 0;
  });
  EXPECT_TRUE(IsDamaged(TryRead(Offset(0), Offset(1), 100).status()));
  EXPECT_EQ(observer_.damages, 1);
  Drop();
  EXPECT_TRUE(IsDamaged(TryOpen()));
}

TEST_F(LogDamageTest, ADamagedLogIsKeptAsideAndANewOneBegins) {
  FillThreeSegments();
  const std::string aside = AsideFolder(kDir);
  const std::string last = SegmentPaths().back().substr(std::string(kDir).size());
  for (int times = 0; times < 2; ++times) {
    fs_.SetContent(SegmentPaths().back(), "nothing of value");
    const std::vector<std::string> names = *fs_.List(kDir);
    ASSERT_TRUE(IsDamaged(TryOpen()));
    ASSERT_TRUE(Log::SetAside(fs_, kv_, GroupId(7), kDir).ok());
    EXPECT_EQ(*fs_.List(aside), names);
    Crash();
    Open();
    EXPECT_EQ(log_->last_index(), LogIndex(0));
    EXPECT_THAT(Payloads(), IsEmpty());
    PlanFromEnd();
    Append("copied again");
    Close();
    Open();
    EXPECT_THAT(Payloads(), ElementsAre("copied again"));
    Close();
  }
  ASSERT_TRUE(Log::Remove(fs_, kv_, GroupId(7), kDir).ok());
  EXPECT_THAT(*fs_.List(kRoot), IsEmpty());
}

TEST_F(LogDamageTest, RowsThatOutlivedTheirFolderDoNotReplaceWhatWasKept) {
  FillThreeSegments();
  const std::vector<std::string> names = *fs_.List(kDir);
  // The process ended after the folder got its new name.
  ASSERT_TRUE(fs_.Rename(kDir, AsideFolder(kDir)).ok());
  ASSERT_TRUE(IsDamaged(TryOpen()));
  ASSERT_TRUE(Log::SetAside(fs_, kv_, GroupId(7), kDir).ok());
  EXPECT_EQ(*fs_.List(AsideFolder(kDir)), names);
  Open();
  EXPECT_EQ(log_->last_index(), LogIndex(0));
}

}  // namespace
}  // namespace garam::storage
