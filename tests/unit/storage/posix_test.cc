// The real file system, the real key-value store and real threads under one log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/storage/real_log_fixture.h"

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
  ASSERT_TRUE((*file)->WriteBack(10, 1000).ok());
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
