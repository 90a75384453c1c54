// Holds the codec against bytes that Kafka's own classes wrote, for every message and version.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "common/status.h"
#include "proto/kafka/frame.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/message_ops.h"

namespace garam::kafka {
namespace {

const Golden& AllGolden() {
  static const auto& golden = *new Golden(ReadGolden(GARAM_GOLDEN_DIR));
  return golden;
}

const MessageOps& OpsOf(const std::string& message) {
  for (const MessageOps& ops : AllMessages())
    if (ops.name == message) return ops;
  ADD_FAILURE() << "no schema for " << message;
  std::abort();
}

// The same message without the tagged fields that nobody knows.
const GoldenCase& FullCaseOf(const GoldenCase& tagged) {
  for (const GoldenCase& golden : AllGolden().cases)
    if (golden.message == tagged.message && golden.version == tagged.version &&
        golden.name == "full")
      return golden;
  ADD_FAILURE() << "no full case beside " << tagged.ToString();
  std::abort();
}

TEST(GoldenTest, CoversEveryCaseOfEveryVersionOfEveryMessage) {
  std::map<std::pair<std::string, int16_t>, std::set<std::string>> seen;
  for (const GoldenCase& golden : AllGolden().cases)
    seen[{golden.message, golden.version}].insert(golden.name);
  for (const MessageOps& ops : AllMessages()) {
    for (int16_t version = ops.min_version; version <= ops.max_version; ++version) {
      std::set<std::string> wanted = {"default", "fresh", "bare", "empty", "null", "full"};
      if (version >= ops.first_flexible_version) wanted.insert("tagged");
      const std::pair key(std::string(ops.name), version);
      EXPECT_EQ(seen[key], wanted) << ops.name << " v" << version;
      seen.erase(key);
    }
  }
  EXPECT_TRUE(seen.empty()) << "Kafka has versions of " << seen.begin()->first.first
                            << " that the schema lacks";
}

TEST(GoldenTest, WritesTheBytesThatItRead) {
  for (const GoldenCase& golden : AllGolden().cases) {
    if (golden.name == "tagged") continue;
    const auto subject = OpsOf(golden.message).recode(golden.bytes, golden.version);
    ASSERT_TRUE(subject.ok()) << golden.ToString() << ": " << subject.status();
    EXPECT_EQ(subject->encoded.view(), golden.bytes.view()) << golden.ToString();
    EXPECT_EQ(subject->left_over, 0) << golden.ToString();
  }
}

TEST(GoldenTest, ReadsTheValuesThatKafkaWrote) {
  for (const GoldenCase& golden : AllGolden().cases) {
    const MessageOps& ops = OpsOf(golden.message);
    const auto read = ops.recode(golden.bytes, golden.version);
    ASSERT_TRUE(read.ok()) << golden.ToString() << ": " << read.status();
    absl::StatusOr<Subject> made;
    if (const auto mode = RuleFiller::ModeOf(golden.name)) {
      RuleFiller filler(*mode);
      made = ops.make_filled(filler, golden.version);
    } else if (golden.name == "default") {
      made = ops.make_default(golden.version);
    } else {
      continue;
    }
    ASSERT_TRUE(made.ok()) << golden.ToString() << ": " << made.status();
    EXPECT_EQ(made->encoded.view(), golden.bytes.view()) << golden.ToString();
    EXPECT_EQ(read->dump, made->dump) << golden.ToString();
  }
}

TEST(GoldenTest, SkipsTaggedFieldsThatNobodyKnows) {
  for (const GoldenCase& golden : AllGolden().cases) {
    if (golden.name != "tagged") continue;
    const auto subject = OpsOf(golden.message).recode(golden.bytes, golden.version);
    ASSERT_TRUE(subject.ok()) << golden.ToString() << ": " << subject.status();
    EXPECT_EQ(subject->encoded.view(), FullCaseOf(golden).bytes.view()) << golden.ToString();
    EXPECT_EQ(subject->left_over, 0) << golden.ToString();
  }
}

TEST(GoldenTest, FailsOnEveryTruncation) {
  for (const GoldenCase& golden : AllGolden().cases) {
    const MessageOps& ops = OpsOf(golden.message);
    for (size_t kept = 0; kept < golden.bytes.size(); ++kept) {
      // A buffer of exactly that size, so that the sanitizer sees a read past it.
      Reader reader(Bytes::Copy(golden.bytes.view().substr(0, kept)));
      const absl::Status status = ops.decode(reader, golden.version);
      ASSERT_FALSE(status.ok()) << golden.ToString() << " cut to " << kept << " bytes";
      ASSERT_EQ(ErrcOf(status), Errc::kInvalidRequest) << status;
    }
  }
}

TEST(GoldenTest, SurvivesAnyByteReplacedByAnEdgeValue) {
  for (const GoldenCase& golden : AllGolden().cases) {
    const MessageOps& ops = OpsOf(golden.message);
    for (size_t at = 0; at < golden.bytes.size(); ++at) {
      for (const char edge : {'\x00', '\x7f', '\x80', '\xff'}) {
        std::string bytes(golden.bytes.view());
        bytes[at] = edge;
        Reader reader(Bytes::Take(std::move(bytes)));
        const absl::Status status = ops.decode(reader, golden.version);
        if (!status.ok()) {
          ASSERT_EQ(ErrcOf(status), Errc::kInvalidRequest) << status;
        }
      }
    }
  }
}

TEST(GoldenTest, ChoosesTheHeaderVersionsThatKafkaChooses) {
  for (const GoldenApi& golden : AllGolden().apis) {
    const ApiInfo* api = FindApi(golden.key);
    ASSERT_NE(api, nullptr) << golden.name;
    EXPECT_EQ(api->name, golden.name);
    EXPECT_EQ(RequestHeaderVersion(*api, golden.version), golden.request_header_version)
        << golden.name << " v" << golden.version;
    EXPECT_EQ(ResponseHeaderVersion(*api, golden.version), golden.response_header_version)
        << golden.name << " v" << golden.version;
  }
}

// Property: what is written is read back as it was, whatever it was.
TEST(RoundTripTest, ReadsBackWhatItWrote) {
  constexpr uint64_t kRounds = 40;
  for (const MessageOps& ops : AllMessages()) {
    for (int16_t version = ops.min_version; version <= ops.max_version; ++version) {
      for (uint64_t round = 0; round < kRounds; ++round) {
        RandomFiller filler(round * 1000 + static_cast<uint64_t>(version));
        const auto made = ops.make_filled(filler, version);
        ASSERT_TRUE(made.ok()) << made.status();
        const auto read = ops.recode(made->encoded, version);
        ASSERT_TRUE(read.ok()) << read.status();
        ASSERT_EQ(read->dump, made->dump) << ops.name << " v" << version << " round " << round;
        ASSERT_EQ(read->encoded.view(), made->encoded.view());
        ASSERT_EQ(read->left_over, 0);
      }
    }
  }
}

}  // namespace
}  // namespace garam::kafka
