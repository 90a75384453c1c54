#include "storage/file_reaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

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
