// A log becomes what a manifest says: in pieces, beside its own life, and through any crash.
#include <cerrno>
#include <map>
#include <set>

#include "common/log_start.h"
#include "storage/segment.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;

class LogInstallTest : public LogFixture {
 protected:
  // A leader's log of three sealed segments {a b | c d | e f} behind which it goes on with g; its
  // manifest and files are kept, then the disk is empty again.
  void MakeLeader() {
    Open();
    Write({Private(EntryKind::kConfiguration, "members")});
    for (const char* pair : {"ab", "cd", "ef"}) {
      for (char payload : std::string(pair)) Append(std::string(40, payload), 2);
      AppendRoll();
      term_ = term_ + 1;
    }
    Append("g");
    CommitAll();
    Keep();
    StartOver();
  }
  void CommitAll() {
    log_->OnCommitted(log_->last_index());
    Settle();
  }
  void Keep() {
    manifest_ = log_->MakeManifest();
    for (const ManifestSegment& segment : manifest_.segments) {
      auto& bytes = files_[segment.header.base_index];
      bytes = std::string(static_cast<size_t>(segment.size_bytes), '\0');
      log_->ReadSegment(segment.header.base_index, 0, bytes.size(),
                        [&bytes](absl::StatusOr<Bytes> read) {
                          ASSERT_TRUE(read.ok()) << read.status();
                          bytes = std::string(read->view());
                        });
      Settle();
    }
  }
  void StartOver() {
    Drop();
    fs_.Wipe();
    kv_.Wipe();
    ASSERT_TRUE(fs_.MakeDirectory(kRoot).ok());
    ASSERT_TRUE(fs_.SyncDirectory("").ok());
    term_ = Term(1);
    PlanFrom(LogIndex(1), Offset(0));
  }
  // What a member has that the leader has left behind.
  void MakeFollower() {
    Open();
    Append("old", 3);
    Append("older", 1);
  }
  // One whose last segment is going to be the leader's first.
  void MakeLate() {
    Open();
    Write({Private(EntryKind::kConfiguration, "members")});
    for (char payload : std::string("ab")) Append(std::string(40, payload), 2);
  }
  // It is.
  void CatchUp() {
    AppendRoll();
    term_ = Term(2);
    Append("other", 1);
    log_->OnCommitted(LogIndex(4));
    Settle();
  }
  std::unique_ptr<SegmentInstall> Begin() {
    auto install = SegmentInstall::Begin(fs_, kDir, manifest_, log_->MakeManifest().segments);
    EXPECT_TRUE(install.ok()) << install.status();
    return install.ok() ? *std::move(install) : nullptr;
  }
  // The next `bytes_max`; false when there is none left.
  absl::StatusOr<bool> FetchPiece(SegmentInstall& install, size_t bytes_max) {
    auto piece = install.Next();
    if (!piece) return false;
    fetched_.insert(piece->base_index);
    RETURN_IF_ERROR(install.Add(
        std::string_view(files_[piece->base_index])
            .substr(static_cast<size_t>(piece->position), std::min(bytes_max, piece->bytes))));
    return true;
  }
  absl::Status Install(std::unique_ptr<SegmentInstall> install) {
    std::optional<absl::Status> result;
    log_->Install(std::move(install), [&result](const absl::Status& status) { result = status; });
    Settle();
    EXPECT_TRUE(result.has_value());
    return result.value_or(absl::InternalError("no answer"));
  }
  absl::Status FetchAll(SegmentInstall& install, size_t bytes_max = 100) {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, FetchPiece(install, bytes_max));
      if (!more) return absl::OkStatus();
    }
  }
  absl::Status Become() {
    std::unique_ptr<SegmentInstall> install = Begin();
    if (install == nullptr) return absl::InternalError("not begun");
    RETURN_IF_ERROR(FetchAll(*install));
    return Install(std::move(install));
  }
  void ExpectLikeLeader() {
    EXPECT_EQ(log_->first_index(), manifest_.segments.front().header.base_index);
    EXPECT_EQ(log_->last_index(), manifest_.last_index());
    EXPECT_EQ(log_->durable_index(), manifest_.last_index());
    EXPECT_EQ(log_->next_offset(), manifest_.next.base_offset);
    EXPECT_EQ(log_->start_offset(), manifest_.start_offset);
    EXPECT_EQ(log_->terms().TermAt(log_->last_index()), manifest_.next.term_before);
    std::vector<std::string> payloads;
    for (char payload : std::string("abcdef")) payloads.emplace_back(40, payload);
    payloads.erase(payloads.begin(), payloads.begin() + manifest_.start_offset.value() / 2);
    EXPECT_EQ(Payloads(), payloads);
  }

  Manifest manifest_;
  std::map<LogIndex, std::string> files_;
  std::set<LogIndex> fetched_;
};

TEST_F(LogInstallTest, AManifestComesThroughItsBytesUnchangedAndDamageIsSeen) {
  MakeLeader();
  ASSERT_EQ(manifest_.segments.size(), 3u);
  EXPECT_EQ(manifest_.configuration->payload, "members");
  const std::string bytes = EncodeManifest(manifest_);
  absl::StatusOr<Manifest> decoded = DecodeManifest(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(*decoded == manifest_);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(DecodeManifest(damaged).ok()) << i;
    EXPECT_FALSE(DecodeManifest(bytes.substr(0, i)).ok()) << i;
  }
  Manifest gap = manifest_;
  gap.segments.erase(gap.segments.begin() + 1);
  EXPECT_FALSE(DecodeManifest(EncodeManifest(gap)).ok());
}

TEST_F(LogInstallTest, AMemberBecomesWhatTheManifestSaysAndGoesOnFromThere) {
  MakeLeader();
  MakeFollower();
  ASSERT_TRUE(Become().ok());
  ExpectLikeLeader();
  EXPECT_THAT(log_->configurations(), ElementsAre(*manifest_.configuration));
  term_ = Term(9);
  PlanFromEnd();
  Append("next");
  EXPECT_EQ(log_->durable_index(), log_->last_index());
  EXPECT_EQ(Payloads().back(), "next");
  Crash();
  Open();
  EXPECT_EQ(log_->last_index(), manifest_.last_index() + 1);
  EXPECT_EQ(Payloads().back(), "next");
  EXPECT_THAT(log_->configurations(), ElementsAre(*manifest_.configuration));
}

TEST_F(LogInstallTest, ALogStartGoesWithTheManifest) {
  Open();
  Append("a", 2);
  AppendRoll();
  Append("b", 2);
  AppendRoll();
  Write({Private(EntryKind::kSetLogStart, EncodeLogStart(Offset(2)))});
  Append("c", 2);
  Settle();
  CommitAll();
  EXPECT_EQ(log_->first_index(), LogIndex(3));
  Keep();
  StartOver();
  MakeFollower();
  ASSERT_TRUE(Become().ok());
  EXPECT_EQ(log_->first_index(), LogIndex(3));
  EXPECT_EQ(log_->start_offset(), Offset(2));
  EXPECT_EQ(log_->terms().TermAt(LogIndex(2)), Term(1));
  EXPECT_THAT(Payloads(), ElementsAre("b"));
}

TEST_F(LogInstallTest, AConfigurationBelowTheLogStartGoesWithTheManifestAfterARestart) {
  Open();
  Write({Private(EntryKind::kConfiguration, "members")});
  Append("a", 2);
  AppendRoll();
  Write({Private(EntryKind::kSetLogStart, EncodeLogStart(Offset(2)))});
  Settle();
  CommitAll();
  ASSERT_EQ(log_->first_index(), LogIndex(4));
  Close();
  Open();
  const Manifest manifest = log_->MakeManifest();
  ASSERT_TRUE(manifest.configuration.has_value());
  EXPECT_EQ(*manifest.configuration, (ConfigurationRow{LogIndex(1), "members"}));
}

TEST_F(LogInstallTest, ASnapshotStandsForALogWithoutSegments) {
  MakeFollower();
  manifest_ = Manifest();
  manifest_.next = {GroupId(7), LogIndex(100), Offset(0), Term(8)};
  manifest_.terms.Append(Term(8), LogIndex(99), Offset(0));
  ASSERT_TRUE(Become().ok());
  EXPECT_EQ(log_->first_index(), LogIndex(100));
  EXPECT_EQ(log_->last_index(), LogIndex(99));
  Crash();
  Open();
  EXPECT_EQ(log_->first_index(), LogIndex(100));
  EXPECT_EQ(log_->terms().TermAt(LogIndex(99)), Term(8));
  term_ = Term(8);
  PlanFromEnd();
  Append("first");
  EXPECT_EQ(log_->last_index(), LogIndex(100));
}

TEST_F(LogInstallTest, SegmentsThatTheLogHasAreNotFetched) {
  MakeLeader();
  Open();
  Write({Private(EntryKind::kConfiguration, "members")});
  for (char payload : std::string("ab")) Append(std::string(40, payload), 2);
  AppendRoll();
  term_ = Term(2);
  Append("other", 1);
  log_->OnCommitted(LogIndex(4));
  Settle();
  ASSERT_TRUE(Become().ok());
  EXPECT_FALSE(fetched_.contains(LogIndex(1)));
  ExpectLikeLeader();
}

// Its own compaction may make what is being copied, too.
TEST_F(LogInstallTest, ASegmentThatTheLogHasMadeMeanwhileIsThereOnce) {
  MakeLeader();
  MakeLate();
  std::unique_ptr<SegmentInstall> install = Begin();
  ASSERT_TRUE(FetchAll(*install).ok());
  EXPECT_TRUE(fetched_.contains(LogIndex(1)));
  CatchUp();
  ASSERT_TRUE(Install(std::move(install)).ok());
  ExpectLikeLeader();
  Drop();
  Open();
  ExpectLikeLeader();
}

TEST_F(LogInstallTest, AnAttemptThatWasCutShortGoesOnWhereItWas) {
  MakeLeader();
  MakeFollower();
  std::unique_ptr<SegmentInstall> install = Begin();
  const LogIndex second = manifest_.segments[1].header.base_index;
  while (install->Next()->base_index < second) ASSERT_TRUE(FetchPiece(*install, 100).ok());
  ASSERT_TRUE(FetchPiece(*install, 100).ok());
  install.reset();
  KillProcess();
  Open();
  install = Begin();
  ASSERT_TRUE(install->Next());
  EXPECT_EQ(install->Next()->base_index, second);
  EXPECT_EQ(install->Next()->position, 100);
  ASSERT_TRUE(FetchAll(*install).ok());
  ASSERT_TRUE(Install(std::move(install)).ok());
  ExpectLikeLeader();
}

TEST_F(LogInstallTest, ADamagedSegmentIsNotTakenAndAskedForAgain) {
  MakeLeader();
  MakeFollower();
  std::unique_ptr<SegmentInstall> install = Begin();
  std::string& bytes = files_[LogIndex(1)];
  for (size_t at : {size_t{5}, bytes.size() / 2, bytes.size() - 3}) {
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    EXPECT_EQ(ErrcOf(FetchAll(*install)), Errc::kCorruptRecord);
    EXPECT_EQ(install->Next()->position, 0);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
  }
  ASSERT_TRUE(FetchAll(*install).ok());
  ASSERT_TRUE(Install(std::move(install)).ok());
  ExpectLikeLeader();
}

TEST_F(LogInstallTest, WhenASegmentThatWasToStayIsGoneTheLogIsAsItWas) {
  MakeLeader();
  Open();
  Write({Private(EntryKind::kConfiguration, "members")});
  for (char payload : std::string("ab")) Append(std::string(40, payload), 2);
  AppendRoll();
  Append("other", 1);
  log_->OnCommitted(LogIndex(4));
  Settle();
  std::unique_ptr<SegmentInstall> install = Begin();
  ASSERT_TRUE(FetchAll(*install).ok());
  Write({Private(EntryKind::kSetLogStart, EncodeLogStart(Offset(4)))});
  CommitAll();
  EXPECT_EQ(log_->first_index(), LogIndex(5));
  EXPECT_TRUE(absl::IsAborted(Install(std::move(install))));
  EXPECT_THAT(Payloads(), ElementsAre("other"));
  Append("more", 1);
  EXPECT_EQ(Payloads().back(), "more");
  EXPECT_EQ(observer_.failures, 0);
}

TEST_F(LogInstallTest, ALogThatWasGivenUpForgetsWhatItWasGivenBefore) {
  MakeLeader();
  MakeFollower();
  std::unique_ptr<SegmentInstall> install = Begin();
  ASSERT_TRUE(FetchAll(*install).ok());
  // A job is under way and more is gathered behind it.
  Write({Batch("late", 1)});
  pool_.RunOne();
  Write({Batch("later", 1)});
  ASSERT_TRUE(Install(std::move(install)).ok());
  ExpectLikeLeader();
  PlanFromEnd();
  term_ = Term(9);
  Append("next");
  EXPECT_EQ(observer_.durable, seq_);
}

TEST_F(LogInstallTest, AbandonedFilesGo) {
  MakeLeader();
  MakeFollower();
  std::unique_ptr<SegmentInstall> install = Begin();
  ASSERT_TRUE(FetchPiece(*install, 100).ok());
  install.reset();
  ASSERT_TRUE(AbandonInstall(fs_, kDir).ok());
  const auto names = fs_.List(kDir);
  for (const std::string& name : *names) EXPECT_FALSE(name.ends_with(".incoming")) << name;
  EXPECT_THAT(Payloads(), ElementsAre("old", "older"));
}

// Power is lost at every call of the disk in turn: afterwards it is the old log or the new one, and
// the new one once its install was said to be done. The log makes the leader's first segment by
// itself meanwhile, or does not.
class LogInstallCrashTest : public LogInstallTest, public ::testing::WithParamInterface<bool> {};

TEST_P(LogInstallCrashTest, AnyLeavesTheOldLogOrTheNew) {
  MakeLeader();
  const bool late = GetParam();
  int olds = 0;
  int news = 0;
  bool done = false;
  for (int64_t calls = 0; !done; ++calls) {
    SCOPED_TRACE(calls);
    StartOver();
    SeededRandom random(static_cast<uint64_t>(calls));
    late ? MakeLate() : MakeFollower();
    int64_t left = calls;
    const auto fault = [&left] { return --left < 0 ? FakeFileSystem::kNotMade : 0; };
    fs_.SetFaults([&](FakeFileSystem::Call call, const std::string&) {
      return call == FakeFileSystem::Call::kRead ? 0 : fault();
    });
    kv_.SetFaults([&](const KvBatch&, bool) { return fault() == 0 ? 0 : EIO; });
    auto install = SegmentInstall::Begin(fs_, kDir, manifest_, {});
    const bool fetched = install.ok() && FetchAll(**install).ok();
    if (fetched && late) CatchUp();
    if (fetched) done = Install(*std::move(install)).ok();
    fs_.SetFaults(nullptr);
    kv_.SetFaults(nullptr);
    Drop();
    fs_.Crash(random);
    kv_.Crash(random.Below(kv_.unsynced_batches() + 1));
    Open();
    if (HasFatalFailure()) return;
    if (log_->last_index() == manifest_.last_index()) {
      ++news;
      ExpectLikeLeader();
    } else {
      ++olds;
      ASSERT_FALSE(done);
      if (late) {
        EXPECT_THAT(Payloads().front(), std::string(40, 'a'));
      } else {
        EXPECT_THAT(Payloads(), ElementsAre("old", "older"));
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(olds, 10);
  EXPECT_GT(news, 3);
}

INSTANTIATE_TEST_SUITE_P(Both, LogInstallCrashTest, ::testing::Bool());

}  // namespace
}  // namespace garam::storage
