// The real file system, the real key-value store and real threads under one log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <numeric>

#include "common/thread_pool.h"
#include "storage/posix_file_system.h"
#include "storage/rocks_kv_store.h"
#include "tests/unit/storage/log_fixture.h"
#include "tests/unit/storage/temporary_folder.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PosixFileSystemTest, BytesComeBackAndTheSizeIsWhatWasWritten) {
  TemporaryFolder folder;
  PosixFileSystem fs;
  const std::string path = folder.path() + "/f";
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Allocate(0, 1 << 20).ok());
  EXPECT_EQ(*(*file)->Size(), 0);
  // More pieces than one system call takes, empty ones among them.
  std::vector<std::string_view> pieces(3000, "ab");
  pieces[7] = "";
  ASSERT_TRUE((*file)->Write(10, pieces).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(*(*file)->Size(), 10 + 2999 * 2);
  char buffer[100];
  EXPECT_EQ(*(*file)->Read(10 + 2999 * 2 - 3, buffer, sizeof(buffer)), 3u);
  EXPECT_EQ(std::string_view(buffer, 3), "bab");
  ASSERT_TRUE((*file)->Truncate(11).ok());
  EXPECT_EQ(*(*file)->Size(), 11);
  std::optional<size_t> tried = *(*file)->TryRead(10, buffer, 1);
  if (tried) {
    EXPECT_EQ(*tried, 1u);
    EXPECT_EQ(buffer[0], 'a');
  }
}

TEST(PosixFileSystemTest, ErrorsSayWhichAndWhere) {
  TemporaryFolder folder;
  PosixFileSystem fs;
  absl::Status missing = fs.Open(folder.path() + "/none", FileSystem::Mode::kRead).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(ErrcOf(missing), Errc::kStorage);
  EXPECT_THAT(std::string(missing.message()), ::testing::HasSubstr("/none"));
  ASSERT_TRUE(fs.Open(folder.path() + "/f", FileSystem::Mode::kCreate).ok());
  EXPECT_TRUE(
      absl::IsAlreadyExists(fs.Open(folder.path() + "/f", FileSystem::Mode::kCreate).status()));
}

TEST(PosixFileSystemTest, NamesAreListedRenamedAndRemoved) {
  TemporaryFolder folder;
  PosixFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectory(folder.path() + "/d").ok());
  ASSERT_TRUE(fs.MakeDirectory(folder.path() + "/d").ok());
  ASSERT_TRUE(ReplaceFile(fs, folder.path() + "/d/f", "1").ok());
  ASSERT_TRUE(ReplaceFile(fs, folder.path() + "/d/f", "22").ok());
  EXPECT_EQ(*ReadWholeFile(fs, folder.path() + "/d/f"), "22");
  EXPECT_THAT(*fs.List(folder.path() + "/d"), ElementsAre("f"));
  ASSERT_TRUE(fs.RemoveTree(folder.path() + "/d").ok());
  ASSERT_TRUE(fs.RemoveTree(folder.path() + "/d").ok());
  EXPECT_THAT(*fs.List(folder.path()), IsEmpty());
  EXPECT_GT(fs.SpaceOf(folder.path())->usable_bytes, 0);
  EXPECT_GE(fs.SpaceOf(folder.path())->total_bytes, fs.SpaceOf(folder.path())->usable_bytes);
}

TEST(PosixFileSystemTest, ALockedFolderIsRefusedUntilItsLockIsReleased) {
  TemporaryFolder folder;
  PosixFileSystem fs;
  auto lock = fs.Lock(folder.path() + "/.lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(fs.Lock(folder.path() + "/.lock").status()));
  lock->reset();
  EXPECT_TRUE(fs.Lock(folder.path() + "/.lock").ok());
}

// A home executor of the test's thread: runs what other threads post until told otherwise.
class WaitingExecutor final : public Executor {
 public:
  void Post(Task task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }
  TimerId PostAt(MonoTime, Task) override { return 1; }
  void Cancel(TimerId) override {}

  template <class Condition>
  void RunUntil(Condition condition) {
    while (!condition()) {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [this] { return !tasks_.empty(); });
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      std::move(task)();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Task> tasks_;
};

class RealLogTest : public ::testing::Test {
 protected:
  void Open() {
    if (!kv_) {
      auto kv = OpenRocksKvStore(folder_.path() + "/kv");
      ASSERT_TRUE(kv.ok()) << kv.status();
      kv_ = *std::move(kv);
    }
    LogEnv env{fs_, *kv_, pool_, home_, clock_};
    auto log = Log::Open(env, {GroupId(1), "t", 0, TopicId{{1}}}, folder_.path() + "/t-0.1",
                         options_, observer_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  void Close() {
    bool closed = false;
    log_->Close([&closed] { closed = true; });
    home_.RunUntil([&closed] { return closed; });
    log_.reset();
    kv_.reset();
  }
  void WriteBatches(int count, size_t bytes) {
    for (int i = 0; i < count; ++i) {
      LogWrite write;
      write.seq = ++seq_;
      LogEntry entry{log_->last_index() + 1, Term(1), EntryKind::kBatch, {}};
      entry.bytes = MakeBatch(log_->next_offset(), Term(1), 1, i, std::string(bytes, 'x'));
      write.entries.push_back(std::move(entry));
      log_->Write(std::move(write));
    }
  }
  size_t CountByReading() {
    Offset at(0);
    size_t count = 0;
    while (at < log_->written_offset()) {
      bool read = false;
      log_->Read(at, log_->written_offset(), 100'000, [&](auto batches) {
        read = true;
        ASSERT_TRUE(batches.ok()) << batches.status();
        for (const Bytes& batch : *batches) {
          at = RecordBatchView(batch.data()).next_offset();
          ++count;
        }
      });
      home_.RunUntil([&read] { return read; });
    }
    return count;
  }

  TemporaryFolder folder_;
  PosixFileSystem fs_;
  std::unique_ptr<KvStore> kv_;
  WaitingExecutor home_;
  ThreadPool pool_{"test-pool", 3};
  SystemClock clock_;
  RecordingObserver observer_;
  LogOptions options_;
  std::unique_ptr<Log> log_;
  uint64_t seq_ = 0;
};

TEST_F(RealLogTest, RecordsOutliveTheProcessInModeF) {
  Open();
  WriteBatches(50, 700);
  home_.RunUntil([this] { return observer_.durable == seq_; });
  WriteBatches(50, 70'000);
  home_.RunUntil([this] { return observer_.durable == seq_; });
  EXPECT_EQ(CountByReading(), 100u);
  Close();
  Open();
  EXPECT_EQ(log_->durable_index(), LogIndex(100));
  EXPECT_EQ(CountByReading(), 100u);
  Close();
}

TEST_F(RealLogTest, RecordsOutliveTheProcessInModePOverManySegments) {
  options_.flush_messages = 1'000'000;
  Open();
  for (int i = 0; i < 5; ++i) {
    WriteBatches(50, 3000);
    LogWrite roll{++seq_, std::nullopt, {{log_->last_index() + 1, Term(1), EntryKind::kRoll, {}}}};
    log_->Write(std::move(roll));
  }
  log_->Flush();
  home_.RunUntil([this] { return observer_.durable == seq_; });
  log_->OnCommitted(log_->last_index());
  EXPECT_EQ(log_->segment_count(), 6u);
  Close();
  Open();
  EXPECT_EQ(log_->segment_count(), 6u);
  EXPECT_EQ(CountByReading(), 250u);
  Close();
}

}  // namespace
}  // namespace garam::storage
