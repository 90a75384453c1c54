// Real disks that tear, rot, fail and fill up under a log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "storage/log_rows.h"
#include "tests/unit/storage/real_log_fixture.h"

namespace garam::storage {
namespace {

class PosixDiskTest : public RealLogTest {
 protected:
  std::string Segment() const { return LogDir() + "/00000000000000000000.log"; }
  void AwaitDurable() {
    home_.RunUntil([this] { return observer_.durable == seq_; });
  }
  void FillAndClose() {
    Open();
    WriteBatches(10, 500);
    AwaitDurable();
    Close();
  }
  void Flip(int64_t at) {
    std::fstream file(Segment(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 4));
  }
};

TEST_F(PosixDiskTest, ATornTailIsCutAtEveryByteOfTheLastBatch) {
  Open();
  WriteBatches(2, 20);
  AwaitDurable();
  const int64_t end = log_->size_bytes();
  CloseLog();
  std::ifstream file(Segment(), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const int64_t kept = (end - static_cast<int64_t>(kHeaderBytes)) / 2 + kHeaderBytes;
  for (int64_t size = kept; size < end; ++size) {
    // No mark says that the second batch was synced.
    ASSERT_TRUE(LogRows(*kv_, GroupId(1)).RemoveAll().ok());
    std::ofstream(Segment(), std::ios::binary).write(whole.data(), size);
    Open();
    EXPECT_EQ(CountByReading(), 1u) << "cut at " << size;
    CloseLog();
    EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(Segment())), kept);
  }
}

TEST_F(PosixDiskTest, AFlippedByteIsFoundKeptAsideAndANewLogBegins) {
  FillAndClose();
  const int64_t middle = static_cast<int64_t>(std::filesystem::file_size(Segment())) / 2;
  Flip(middle);
  Open();  // Far below the mark: nobody looks there until somebody reads.
  size_t damages = 0;
  for (Offset at(0); at < Offset(10); at += 1) {
    bool read = false;
    log_->Read(at, Offset(10), 1, [&](auto batches) {
      read = true;
      if (!batches.ok()) damages += IsDamaged(batches.status()) ? 1 : 100;
    });
    home_.RunUntil([&read] { return read; });
  }
  EXPECT_EQ(damages, 1u);
  home_.RunUntil([this] { return observer_.damages == 1; });
  Close();
  Flip(middle);
  Flip(10);  // The header: the segment is as good as gone.
  EXPECT_TRUE(IsDamaged(TryOpen()));
  ASSERT_TRUE(Log::SetAside(fs_, *kv_, GroupId(1), LogDir()).ok());
  EXPECT_TRUE(std::filesystem::exists(AsideFolder(LogDir()) + "/00000000000000000000.log"));
  Open();
  EXPECT_EQ(log_->last_index(), LogIndex(0));
  WriteBatches(3, 100);
  AwaitDurable();
  EXPECT_EQ(CountByReading(), 3u);
  Close();
}

// The kernel refuses to make a file larger than the process may: for a log that is an error like
// any other, and final.
TEST_F(PosixDiskTest, AWriteThatFailsIsFinal) {
  Open();
  WriteBatches(5, 1000);
  AwaitDurable();
  const uint64_t durable = seq_;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  WriteBatches(3, 600'000);
  home_.RunUntil([this] { return observer_.failures == 1; });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(IsDiskFull(observer_.failure));
  WriteBatches(1, 10);
  EXPECT_FALSE(log_->status().ok());
  EXPECT_LT(observer_.durable, seq_);
  EXPECT_GE(observer_.durable, durable);
  Close();
  Open();
  EXPECT_GE(CountByReading(), 5u);
  Close();
}

// A small file system of its own for the log, in a mount namespace of its own: it goes with the
// process.
class FullDiskTest : public PosixDiskTest {
 protected:
  std::string LogDir() const override { return folder_.path() + "/small/t-0.1"; }
  std::string Mount() const { return folder_.path() + "/small"; }

  void SetUp() override {
    std::filesystem::create_directory(Mount());
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", Mount().c_str(), "tmpfs", 0, "size=4m") != 0) {
      GTEST_SKIP() << "mounting a small file system is not allowed here";
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (!mounted_) return;
    ASSERT_EQ(umount2(Mount().c_str(), 0), 0);
  }

 private:
  bool mounted_ = false;
};

TEST_F(FullDiskTest, LogsLeaveSpaceForTheStore) {
  Open();
  WriteBatches(1, 100'000);
  AwaitDurable();
  while (observer_.disk_full == 0) {
    WriteBatches(1, 50'000);
    home_.RunUntil([this] { return observer_.durable == seq_ || observer_.disk_full == 1; });
  }
  const auto space = fs_.SpaceOf(Mount());
  ASSERT_TRUE(space.ok());
  EXPECT_GE(space->usable_bytes, space->total_bytes / 16);
  EXPECT_LT(space->usable_bytes, space->total_bytes / 4);
  Close();
}

TEST_F(FullDiskTest, ItRefusesRecordsAndTakesThemWhenThereIsSpaceAgain) {
  Open();
  WriteBatches(1, 100'000);
  AwaitDurable();
  const std::string filler = Mount() + "/filler";
  {
    std::ofstream file(filler, std::ios::binary);
    const std::string piece(1 << 16, 'f');
    while (file.write(piece.data(), static_cast<std::streamsize>(piece.size())).flush()) {
    }
  }
  WriteBatches(5, 500'000);
  home_.RunUntil([this] { return observer_.disk_full == 1; });
  EXPECT_TRUE(IsDiskFull(log_->status()));
  EXPECT_EQ(observer_.failures, 0);
  std::filesystem::remove(filler);
  home_.RunUntil([this] {
    home_.FireTimers();
    return observer_.disk_free == 1;
  });
  AwaitDurable();
  EXPECT_TRUE(log_->status().ok());
  EXPECT_EQ(CountByReading(), 6u);
  Close();
  Open();
  EXPECT_EQ(CountByReading(), 6u);
  Close();
}

}  // namespace
}  // namespace garam::storage
