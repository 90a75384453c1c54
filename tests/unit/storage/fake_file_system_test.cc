#include "storage/fake_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "common/status.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FakeFileSystemTest : public ::testing::Test {
 protected:
  FakeFileSystemTest() {
    EXPECT_TRUE(fs_.MakeDirectory("d").ok());
    EXPECT_TRUE(fs_.SyncDirectory("").ok());
  }
  std::unique_ptr<File> Create(const std::string& path) {
    return *fs_.Open(path, FileSystem::Mode::kCreate);
  }
  static absl::Status Write(File& file, int64_t position, std::string_view bytes) {
    return file.Write(position, {&bytes, 1});
  }

  FakeFileSystem fs_;
};

TEST_F(FakeFileSystemTest, ACrashKeepsWhatWasSyncedUnderASyncedName) {
  auto file = Create("d/f");
  ASSERT_TRUE(Write(*file, 0, "synced").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(fs_.SyncDirectory("d").ok());
  ASSERT_TRUE(Write(*file, 6, " unsynced").ok());
  EXPECT_EQ(fs_.Content("d/f"), "synced unsynced");
  fs_.Crash();
  EXPECT_EQ(fs_.Content("d/f"), "synced");
}

TEST_F(FakeFileSystemTest, ZerosAreBytesLikeAnyOther) {
  auto file = Create("d/f");
  ASSERT_TRUE(fs_.SyncDirectory("d").ok());
  ASSERT_TRUE(Write(*file, 0, "abcdef").ok());
  ASSERT_TRUE(Write(*file, 2, std::string_view("\0\0", 2)).ok());
  ASSERT_TRUE(Write(*file, 6, std::string(10, '\0')).ok());
  ASSERT_TRUE(Write(*file, 12, "x").ok());
  const std::string expected("ab\0\0ef\0\0\0\0\0\0x\0\0\0", 16);
  EXPECT_EQ(fs_.Content("d/f"), expected);
  std::string read(20, '?');
  EXPECT_EQ(*file->Read(1, read.data(), read.size()), 15U);
  EXPECT_EQ(read.substr(0, 15), expected.substr(1));
  ASSERT_TRUE(file->Sync().ok());
  fs_.Crash();
  EXPECT_EQ(fs_.Content("d/f"), expected);
}

TEST_F(FakeFileSystemTest, AFileWhoseNameWasNotSyncedIsGoneAfterACrash) {
  auto file = Create("d/f");
  ASSERT_TRUE(Write(*file, 0, "synced").ok());
  ASSERT_TRUE(file->Sync().ok());
  fs_.Crash();
  EXPECT_THAT(*fs_.List("d"), IsEmpty());
}

TEST_F(FakeFileSystemTest, AnUnsyncedRemovalIsUndoneByACrash) {
  Create("d/f");
  ASSERT_TRUE(fs_.SyncDirectory("d").ok());
  ASSERT_TRUE(fs_.Remove("d/f").ok());
  EXPECT_THAT(*fs_.List("d"), IsEmpty());
  fs_.Crash();
  EXPECT_THAT(*fs_.List("d"), ElementsAre("f"));
}

TEST_F(FakeFileSystemTest, AnUnsyncedRenameIsUndoneByACrash) {
  Create("d/f");
  ASSERT_TRUE(fs_.SyncDirectory("d").ok());
  ASSERT_TRUE(fs_.Rename("d/f", "d/g").ok());
  fs_.Crash();
  EXPECT_THAT(*fs_.List("d"), ElementsAre("f"));
}

TEST_F(FakeFileSystemTest, AReplacedFileIsOldOrNewAfterACrashAtAnyCall) {
  for (int calls = 0; calls < 8; ++calls) {
    SeededRandom random(static_cast<uint64_t>(calls));
    ASSERT_TRUE(ReplaceFile(fs_, "d/f", "old").ok());
    int left = calls;
    fs_.SetFaults(
        [&left](FakeFileSystem::Call, const std::string&) { return --left < 0 ? EIO : 0; });
    const bool replaced = ReplaceFile(fs_, "d/f", "new").ok();
    fs_.SetFaults(nullptr);
    fs_.Crash(random);
    const std::string content = fs_.Content("d/f");
    EXPECT_TRUE(content == "new" || (!replaced && content == "old")) << content;
  }
}

TEST_F(FakeFileSystemTest, ARandomCrashTearsTheLastWriteAndKeepsAPrefix) {
  bool torn = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FakeFileSystem fs;
    SeededRandom random(seed);
    auto file = *fs.Open("f", FileSystem::Mode::kCreate);
    ASSERT_TRUE(fs.SyncDirectory("").ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Write(*file, i * 4, "abcd").ok());
    fs.Crash(random);
    const std::string content = fs.Content("f");
    EXPECT_EQ(content, std::string("abcdabcdabcd").substr(0, content.size()));
    torn = torn || content.size() % 4 != 0;
  }
  EXPECT_TRUE(torn);
}

TEST_F(FakeFileSystemTest, AFailedSyncLosesSomeOfTheWritesForGood) {
  SeededRandom random(3);
  auto file = Create("d/f");
  ASSERT_TRUE(fs_.SyncDirectory("d").ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Write(*file, i, "x").ok());
  fs_.SetFaults([](FakeFileSystem::Call call,
                   const std::string&) { return call == FakeFileSystem::Call::kSync ? EIO : 0; },
                &random);
  EXPECT_FALSE(file->Sync().ok());
  fs_.SetFaults(nullptr);
  EXPECT_TRUE(file->Sync().ok());  // The lie of a second sync.
  EXPECT_EQ(fs_.Content("d/f"), std::string(20, 'x'));
  fs_.Crash();
  EXPECT_NE(fs_.Content("d/f"), std::string(20, 'x'));
}

TEST_F(FakeFileSystemTest, AQuotaIsADiskThatIsFull) {
  auto file = Create("d/f");
  fs_.SetQuota(10);
  EXPECT_TRUE(Write(*file, 0, "12345678").ok());
  absl::Status full = Write(*file, 8, "1234");
  EXPECT_TRUE(IsDiskFull(full)) << full;
  EXPECT_TRUE(Write(*file, 0, "87654321").ok());
  EXPECT_EQ(fs_.SpaceOf("d")->usable_bytes, 0);
}

TEST_F(FakeFileSystemTest, OpenFilesAndLocksDieWithTheProcess) {
  auto file = Create("d/f");
  auto lock = fs_.Lock("d/lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_FALSE(fs_.Lock("d/lock").ok());
  fs_.KillProcess();
  EXPECT_FALSE(Write(*file, 0, "x").ok());
  EXPECT_TRUE(fs_.Lock("d/lock").ok());
}

}  // namespace
}  // namespace garam::storage
