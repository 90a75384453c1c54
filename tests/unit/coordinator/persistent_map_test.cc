#include "coordinator/persistent_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/random.h"

namespace garam {
namespace {

using Map = PersistentMap<int, std::string>;

std::map<int, std::string> Contents(const Map& map) {
  std::map<int, std::string> contents;
  map.ForEach([&](int key, const std::string& value) { contents[key] = value; });
  return contents;
}

TEST(PersistentMapTest, OlderVersionsStayAsTheyWere) {
  const Map empty;
  const Map one = empty.Set(1, "a");
  const Map two = one.Set(2, "b").Set(1, "changed");
  const Map gone = two.Erase(1);
  EXPECT_TRUE(empty.empty());
  EXPECT_THAT(Contents(one), testing::ElementsAre(testing::Pair(1, "a")));
  EXPECT_THAT(Contents(two),
              testing::ElementsAre(testing::Pair(1, "changed"), testing::Pair(2, "b")));
  EXPECT_THAT(Contents(gone), testing::ElementsAre(testing::Pair(2, "b")));
}

TEST(PersistentMapTest, ErasingWhatIsNotThereChangesNothing) {
  const Map map = Map().Set(1, "a").Erase(2);
  EXPECT_EQ(map.size(), 1u);
}

TEST(PersistentMapTest, BehavesLikeAnOrdinaryMapUnderRandomChanges) {
  SeededRandom random(3);
  std::map<int, std::string> model;
  Map map;
  for (int step = 0; step < 5000; ++step) {
    const int key = static_cast<int>(random.Below(300));
    if (random.Below(3) == 0) {
      model.erase(key);
      map = map.Erase(key);
    } else {
      model[key] = std::to_string(step);
      map = map.Set(key, std::to_string(step));
    }
    ASSERT_EQ(map.size(), model.size());
    const std::string* found = map.Find(key);
    ASSERT_EQ(found != nullptr, model.contains(key));
  }
  EXPECT_EQ(Contents(map), model);
}

}  // namespace
}  // namespace garam
