// A log on a real file system, with the real key-value store and real threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/thread_pool.h"
#include "storage/posix_file_system.h"
#include "storage/rocks_kv_store.h"
#include "tests/unit/storage/log_fixture.h"
#include "tests/unit/storage/temporary_folder.h"

namespace garam::storage {

// A home executor of the test's thread: runs what other threads post until told otherwise.
class WaitingExecutor final : public Executor {
 public:
  void Post(Task task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }
  // Timers wait for FireTimers, whatever the time.
  TimerId PostAt(MonoTime, Task task) override {
    timers_[++last_timer_] = std::move(task);
    return last_timer_;
  }
  void Cancel(TimerId timer) override { timers_.erase(timer); }
  void FireTimers() {
    for (auto& [id, task] : std::exchange(timers_, {})) Post(std::move(task));
  }

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
  std::map<TimerId, Task> timers_;
  TimerId last_timer_ = kNoTimer;
};

class RealLogTest : public ::testing::Test {
 protected:
  // Where the log lies; the key-value store stays in the temporary folder.
  virtual std::string LogDir() const { return folder_.path() + "/t-0.1"; }

  absl::Status TryOpen() {
    if (!kv_) {
      auto kv = OpenRocksKvStore(folder_.path() + "/kv");
      if (!kv.ok()) return kv.status();
      kv_ = *std::move(kv);
    }
    observer_ = RecordingObserver();
    LogEnv env{fs_, *kv_, pool_, home_, clock_};
    auto log = Log::Open(env, {GroupId(1), "t", 0, TopicId{{1}}}, LogDir(), options_, observer_);
    if (log.ok()) log_ = *std::move(log);
    return log.status();
  }
  void Open() {
    const absl::Status opened = TryOpen();
    ASSERT_TRUE(opened.ok()) << opened;
  }
  void CloseLog() {
    bool closed = false;
    log_->Close([&closed] { closed = true; });
    home_.RunUntil([&closed] { return closed; });
    log_.reset();
  }
  void Close() {
    CloseLog();
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

}  // namespace garam::storage
