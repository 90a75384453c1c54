// The contract of KvStore, held against both of its stores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <functional>

#include "common/status.h"
#include "storage/fake_kv_store.h"
#include "storage/hard_state_store.h"
#include "storage/rocks_kv_store.h"
#include "tests/unit/storage/temporary_folder.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

enum class Which { kFake, kRocks };

class KvStoreTest : public ::testing::TestWithParam<Which> {
 protected:
  void SetUp() override { Reopen(); }
  // The process stops in good order and starts again.
  void Reopen() {
    if (GetParam() == Which::kFake) {
      if (!kv_) kv_ = std::make_unique<FakeKvStore>();
      return;
    }
    kv_.reset();
    auto opened = OpenRocksKvStore(folder_.path() + "/kv");
    ASSERT_TRUE(opened.ok()) << opened.status();
    kv_ = *std::move(opened);
  }
  void Put(KvFamily family, std::string key, std::string value, bool sync = false) {
    KvBatch batch;
    batch.Put(family, std::move(key), std::move(value));
    absl::Status written = kv_->Write(batch, sync);
    ASSERT_TRUE(written.ok()) << written;
  }
  std::vector<KvStore::Row> All(KvFamily family) { return *kv_->Scan(family, "", "\xff", 1000); }

  TemporaryFolder folder_;
  std::unique_ptr<KvStore> kv_;
};

TEST_P(KvStoreTest, FamiliesAreApart) {
  Put(KvFamily::kHardState, "k", "state", /*sync=*/true);
  Put(KvFamily::kPartition, "k", "partition");
  Put(KvFamily::kIndex, "k", "index");
  EXPECT_EQ(*kv_->Get(KvFamily::kHardState, "k"), "state");
  EXPECT_EQ(*kv_->Get(KvFamily::kPartition, "k"), "partition");
  EXPECT_EQ(*kv_->Get(KvFamily::kIndex, "k"), "index");
  EXPECT_EQ(*kv_->Get(KvFamily::kIndex, "none"), std::nullopt);
}

TEST_P(KvStoreTest, ABatchHappensInOrder) {
  Put(KvFamily::kPartition, "a1", "old");
  Put(KvFamily::kPartition, "a2", "old");
  KvBatch batch;
  batch.DeleteRange(KvFamily::kPartition, "a", "b");
  batch.Put(KvFamily::kPartition, "a1", "new");
  batch.Put(KvFamily::kPartition, "a3", "gone");
  batch.Delete(KvFamily::kPartition, "a3");
  ASSERT_TRUE(kv_->Write(batch, /*sync=*/true).ok());
  EXPECT_THAT(All(KvFamily::kPartition), ElementsAre(Pair("a1", "new")));
}

TEST_P(KvStoreTest, AScanIsOrderedAndBounded) {
  for (const char* key : {"b", "a", "d", "c"}) Put(KvFamily::kPartition, key, key);
  EXPECT_THAT(*kv_->Scan(KvFamily::kPartition, "b", "d", 10),
              ElementsAre(Pair("b", "b"), Pair("c", "c")));
  EXPECT_THAT(*kv_->Scan(KvFamily::kPartition, "", "z", 2), SizeIs(2));
}

TEST_P(KvStoreTest, RowsOutliveACleanStopTheIndexToo) {
  Put(KvFamily::kHardState, "k", "state");
  Put(KvFamily::kIndex, "k", "index");
  Reopen();
  EXPECT_EQ(*kv_->Get(KvFamily::kHardState, "k"), "state");
  EXPECT_EQ(*kv_->Get(KvFamily::kIndex, "k"), "index");
}

TEST_P(KvStoreTest, HardStatesOfManyGroupsComeBack) {
  HardStateStore store(*kv_);
  const HardState one{Term(3), NodeId(2), Incarnation(~uint64_t{0})};
  const HardState two{Term(1), kNoNode, Incarnation(0)};
  ASSERT_TRUE(store.Save({{GroupId(1), one}, {GroupId(~uint64_t{0}), two}}).ok());
  Reopen();
  HardStateStore again(*kv_);
  EXPECT_EQ(*again.Load(GroupId(1)), one);
  EXPECT_EQ(*again.Load(GroupId(2)), std::nullopt);
  EXPECT_THAT(*again.LoadAll(),
              UnorderedElementsAre(Pair(GroupId(1), one), Pair(GroupId(~uint64_t{0}), two)));
  ASSERT_TRUE(again.Remove(GroupId(1)).ok());
  EXPECT_EQ(*again.Load(GroupId(1)), std::nullopt);
}

TEST_P(KvStoreTest, AHardStateUnderALongerKeyIsNotTakenForAnother) {
  HardStateStore store(*kv_);
  ASSERT_TRUE(store.Save({{GroupId(1), {Term(3), NodeId(2), Incarnation(9)}}}).ok());
  const auto [key, value] = kv_->Scan(KvFamily::kHardState, "s", "t", 1)->front();
  KvBatch batch;
  batch.Put(KvFamily::kHardState, key + "x", value);
  ASSERT_TRUE(kv_->Write(batch, /*sync=*/true).ok());
  EXPECT_FALSE(store.LoadAll().ok());
}

TEST_P(KvStoreTest, UnflushedRowsAreApartFromHardStates) {
  HardStateStore store(*kv_);
  ASSERT_TRUE(store.SaveUnflushed({GroupId(1), GroupId(2)}, "boot-1").ok());
  ASSERT_TRUE(store.ClearUnflushed({GroupId(1)}).ok());
  EXPECT_EQ(*store.LoadUnflushed(GroupId(1)), std::nullopt);
  EXPECT_EQ(*store.LoadUnflushed(GroupId(2)), "boot-1");
  EXPECT_THAT(*store.LoadAll(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, KvStoreTest, ::testing::Values(Which::kFake, Which::kRocks),
                         [](const auto& run) {
                           return run.param == Which::kFake ? "Fake" : "Rocks";
                         });

TEST(FakeKvStoreTest, ACrashLosesWhatCameAfterTheLastSync) {
  FakeKvStore kv;
  HardStateStore store(kv);
  ASSERT_TRUE(store.Save({{GroupId(1), {Term(1), NodeId(1), Incarnation(1)}}}).ok());
  KvBatch batch;
  batch.Put(KvFamily::kPartition, "mark", "1");
  ASSERT_TRUE(kv.Write(batch, /*sync=*/false).ok());
  kv.Crash();
  EXPECT_EQ(*kv.Get(KvFamily::kPartition, "mark"), std::nullopt);
  EXPECT_TRUE((*store.Load(GroupId(1))).has_value());
}

TEST(FakeKvStoreTest, AFailedSyncedWriteIsFinal) {
  FakeKvStore kv;
  HardStateStore store(kv);
  kv.SetFaults([](const KvBatch&, bool) { return EIO; });
  EXPECT_EQ(ErrcOf(store.Save({{GroupId(1), {}}})), Errc::kStorage);
  kv.SetFaults(nullptr);
  EXPECT_FALSE(store.Save({{GroupId(1), {}}}).ok());
}

TEST(HardStateStoreTest, ARowOfAnUnknownFormatIsReported) {
  FakeKvStore kv;
  HardStateStore store(kv);
  ASSERT_TRUE(store.Save({{GroupId(1), {}}}).ok());
  auto [key, value] = *kv.Rows(KvFamily::kHardState).begin();
  value[0] = 9;
  KvBatch batch;
  batch.Put(KvFamily::kHardState, key, value);
  ASSERT_TRUE(kv.Write(batch, true).ok());
  EXPECT_EQ(ErrcOf(store.Load(GroupId(1)).status()), Errc::kStorage);
}

}  // namespace
}  // namespace garam::storage
