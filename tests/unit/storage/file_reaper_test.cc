#include "storage/file_reaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/testing/fake_executor.h"
#include "storage/fake_file_system.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FileReaperTest : public ::testing::Test {
 protected:
  FileReaperTest() {
    EXPECT_TRUE(fs_.MakeDirectory("d").ok());
    for (const char* name : {"d/a.deleted", "d/b.deleted", "d/kept"}) {
      EXPECT_TRUE(fs_.Open(name, FileSystem::Mode::kCreate).ok());
    }
  }
  void Settle() { garam::Settle(home_, pool_); }
  std::vector<std::string> Left() { return *GivenUpIn(fs_, "d"); }
  std::shared_ptr<File> Make(const std::string& path, int64_t size) {
    std::shared_ptr<File> file = *fs_.Open(path, FileSystem::Mode::kCreate);
    EXPECT_TRUE(file->Truncate(size).ok());
    return file;
  }
  void RunFor(int ms) {
    for (int i = 0; i < ms; ++i) {
      Settle();
      clock_.Advance(Millis(1));
    }
  }
  // Sizes of the file as time goes on, until it is `end` bytes.
  std::vector<int64_t> Shrink(File& file, int64_t end) {
    std::vector<int64_t> sizes;
    for (int ms = 0; ms < 1000 && (sizes.empty() || sizes.back() > end); ++ms) {
      Settle();
      const int64_t size = *file.Size();
      if (sizes.empty() || size != sizes.back()) sizes.push_back(size);
      clock_.Advance(Millis(1));
    }
    return sizes;
  }

  static constexpr int64_t kPiece = FileReaper::kPieceBytes;

  FakeFileSystem fs_;
  FakeClock clock_;
  FakeExecutor home_{clock_};
  FakeBlockingPool pool_;
  FileReaper reaper_{fs_, pool_, home_, clock_};
};

TEST_F(FileReaperTest, EachGoesAfterItsOwnDelay) {
  reaper_.Reap("d/a.deleted", Millis(100));
  reaper_.Reap("d/b.deleted", Millis(50));
  Settle();
  EXPECT_THAT(Left(), ElementsAre("d/a.deleted", "d/b.deleted"));
  clock_.Advance(Millis(50));
  Settle();
  EXPECT_THAT(Left(), ElementsAre("d/a.deleted"));
  clock_.Advance(Millis(50));
  Settle();
  EXPECT_THAT(Left(), IsEmpty());
  EXPECT_TRUE(fs_.Open("d/kept", FileSystem::Mode::kRead).ok());
}

TEST_F(FileReaperTest, AFolderGoesWithAllThatIsInIt) {
  ASSERT_TRUE(fs_.MakeDirectory("d/c.deleted").ok());
  ASSERT_TRUE(fs_.Open("d/c.deleted/x", FileSystem::Mode::kCreate).ok());
  reaper_.Reap("d/c.deleted", Millis(0));
  Settle();
  EXPECT_THAT(Left(), ElementsAre("d/a.deleted", "d/b.deleted"));
}

TEST_F(FileReaperTest, ALargeFileGoesPieceByPieceWithPauses) {
  const std::shared_ptr<File> file = Make("d/large.deleted", 3 * kPiece + 5);
  const MonoTime begin = clock_.Mono();
  reaper_.Reap("d/large.deleted", Millis(0));
  reaper_.Reap("d/a.deleted", Millis(1));
  EXPECT_THAT(Shrink(*file, 5 + kPiece), ElementsAre(5 + 2 * kPiece, 5 + kPiece));
  EXPECT_GE(clock_.Mono() - begin, Millis(20));
  EXPECT_THAT(Left(), ElementsAre("d/a.deleted", "d/b.deleted")) << "its name goes first";
  EXPECT_THAT(Shrink(*file, 5), ElementsAre(5 + kPiece, 5));
  RunFor(100);
  EXPECT_THAT(Left(), ElementsAre("d/b.deleted"));
}

TEST_F(FileReaperTest, LargeFilesOfAFolderGoSoAsWell) {
  ASSERT_TRUE(fs_.MakeDirectory("d/c.deleted").ok());
  const std::shared_ptr<File> one = Make("d/c.deleted/1", 2 * kPiece);
  const std::shared_ptr<File> two = Make("d/c.deleted/2", 2 * kPiece);
  Make("d/c.deleted/small", 5);
  reaper_.Reap("d/c.deleted", Millis(0));
  EXPECT_THAT(Shrink(*one, kPiece), ElementsAre(kPiece));
  EXPECT_EQ(*two->Size(), 2 * kPiece) << "one after the other";
  EXPECT_THAT(Shrink(*two, kPiece), ElementsAre(2 * kPiece, kPiece));
  RunFor(100);
  EXPECT_THAT(Left(), ElementsAre("d/a.deleted", "d/b.deleted"));
}

TEST_F(FileReaperTest, WhatIsStillReadIsLeftAlone) {
  const std::shared_ptr<File> named = Make("d/large.deleted", 2 * kPiece);
  const std::shared_ptr<File> nameless = Make("d/nameless", 2 * kPiece);
  ASSERT_TRUE(fs_.Remove("d/nameless").ok());
  auto reader = std::make_shared<int>();
  reaper_.Reap("d/large.deleted", Millis(0), reader);
  reaper_.Free(nameless, reader);
  clock_.Advance(Millis(5000));
  Settle();
  EXPECT_EQ(*named->Size(), 2 * kPiece);
  EXPECT_EQ(*nameless->Size(), 2 * kPiece);
  reader.reset();
  clock_.Advance(Millis(1000));
  EXPECT_THAT(Shrink(*named, kPiece), ElementsAre(kPiece));
  EXPECT_THAT(Shrink(*nameless, kPiece), ElementsAre(2 * kPiece, kPiece));
}

TEST_F(FileReaperTest, WithMuchToDoThereAreNoPauses) {
  std::vector<std::shared_ptr<File>> files;
  for (int i = 0; i < 12; ++i) {
    files.push_back(Make(absl::StrCat("d/", i), 9 * kPiece));
    reaper_.Free(files.back(), {});
  }
  Settle();
  EXPECT_EQ(*files[0]->Size(), kPiece);
  EXPECT_GT(*files[11]->Size(), kPiece);
}

TEST_F(FileReaperTest, WhatCannotBeDeletedIsLeftAndTheRestGoes) {
  fs_.SetFaults([](FakeFileSystem::Call call, const std::string& path) {
    return call == FakeFileSystem::Call::kRemove && path == "d/a.deleted" ? EIO : 0;
  });
  reaper_.Reap("d/a.deleted", Millis(0));
  reaper_.Reap("d/b.deleted", Millis(0));
  Settle();
  EXPECT_THAT(Left(), ElementsAre("d/a.deleted"));
}

TEST_F(FileReaperTest, AStopWaitsForWhatIsUnderWayAndLeavesTheRest) {
  reaper_.Reap("d/a.deleted", Millis(0));
  reaper_.Reap("d/b.deleted", Millis(1));
  home_.RunReady();
  bool stopped = false;
  reaper_.Stop([&stopped] { stopped = true; });
  home_.RunReady();
  EXPECT_FALSE(stopped);
  clock_.Advance(Millis(10));
  Settle();
  EXPECT_TRUE(stopped);
  EXPECT_THAT(Left(), ElementsAre("d/b.deleted"));
}

}  // namespace
}  // namespace garam::storage
