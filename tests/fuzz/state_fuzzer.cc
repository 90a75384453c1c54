// Any bytes as what a broker reads back when it starts, besides logs: who belongs to a group, who
// the node is, whose log a folder holds, votes, the metadata's row. What decodes must encode, and
// decode again to the same.
//
// The first byte chooses the kind.
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "broker/metadata_snapshot.h"
#include "common/byte_codec.h"
#include "common/crc32c.h"
#include "coordinator/node_identity_file.h"
#include "proto/metadata.pb.h"
#include "raft/configuration.h"
#include "storage/fake_file_system.h"
#include "storage/fake_kv_store.h"
#include "storage/hard_state_store.h"
#include "storage/log_identity.h"
#include "storage/manifest.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

// The metadata's row is the hungriest; see metadata_fuzzer.cc.
constexpr size_t kFactor = 512;
constexpr size_t kFixedBytes = 64 << 10;
constexpr size_t kRowHeadBytes = 5;  // Before the image: broker/metadata_snapshot.cc.

void FeedConfiguration(std::string_view bytes) {
  const auto configuration = raft::Configuration::Decode(bytes);
  if (!configuration.ok()) return;
  Require(configuration->Encode() == bytes, "a configuration has changed on its way");
  const std::vector<NodeId> voters = configuration->VoterNodes();
  const std::set<NodeId> all(voters.begin(), voters.end());
  Require(configuration->Count({}, all) == raft::VoteResult::kLost, "won without a vote");
  (void)configuration->Count(all, {});
  const LogIndex quorum = configuration->QuorumIndex([](NodeId) { return LogIndex(5); });
  Require(quorum == LogIndex(5) || quorum == LogIndex(0), "an index that nobody has");
  for (NodeId node : configuration->Nodes()) {
    const auto member = configuration->Find(node);
    Require(member.has_value() && configuration->Contains(node, member->incarnation),
            "a node that is no member");
    (void)configuration->MayStand(node, configuration->LatestOf(node));
  }
}

void FeedNodeIdentity(std::string text) {
  constexpr std::string_view kChecksum = "crc32c=";
  // The last line is made right: the checksum is not what is to be guessed.
  if (const size_t at = text.rfind(kChecksum); at != std::string::npos) {
    text.resize(at);
    absl::StrAppend(&text, "crc32c=", absl::Hex(Crc32c(text), absl::kZeroPad8), "\n");
  }
  const auto identity = DecodeNodeIdentity(text);
  if (!identity.ok()) return;
  const auto again = DecodeNodeIdentity(EncodeNodeIdentity(*identity));
  Require(again.ok() && *again == *identity, "an identity has changed on its way", text);
  (void)CheckDataFolder(*identity, NodeId(1), "data");
}

void FeedLogIdentity(std::string_view text) {
  storage::FakeFileSystem fs;
  Require(fs.MakeDirectory("log").ok(), "no folder");
  Require(storage::ReplaceFile(fs, "log/partition.properties", text).ok(), "no file");
  const auto identity = storage::ReadLogIdentity(fs, "log");
  if (!identity.ok()) return;
  (void)storage::LogFolderName(*identity);
  Require(storage::WriteLogIdentity(fs, "log", *identity).ok(), "not written");
  const auto again = storage::ReadLogIdentity(fs, "log");
  Require(again.ok() && *again == *identity, "an identity has changed on its way");
}

void FeedRows(Pieces input) {
  storage::FakeKvStore kv;
  while (!input.done()) {
    storage::KvBatch batch;
    const std::string key(input.Piece());
    batch.Put(storage::KvFamily::kHardState, key, std::string(input.Piece()));
    Require(kv.Write(batch, /*sync=*/true).ok(), "no row");
  }
  storage::HardStateStore store(kv);
  const auto all = store.LoadAll();
  (void)store.LoadUnflushed(GroupId(7));
  (void)store.LoadSince(GroupId(7));
  if (!all.ok()) return;
  const auto one = store.Load(GroupId(7));
  Require(one.ok() && one->has_value() == all->contains(GroupId(7)), "votes differ");
}

void FeedMetadataRow(std::string_view row) {
  storage::FakeKvStore kv;
  storage::KvBatch batch;
  batch.Put(storage::KvFamily::kPartition, "image", std::string(row));
  Require(kv.Write(batch, /*sync=*/true).ok(), "no row");
  const auto snapshot = LoadMetadataSnapshot(kv);
  if (!snapshot.ok()) return;
  (void)CommittedBy(*snapshot, TermRows(), LogIndex(9));
  Require(SaveMetadataSnapshot(kv, *snapshot, /*sync=*/false).ok(), "not saved");
  const auto again = LoadMetadataSnapshot(kv);
  Require(again.ok() && again->term == snapshot->term, "a snapshot has changed on its way");
}

// With the checksum that it should have: chance would not find one.
void FeedManifest(std::string_view body) {
  std::string bytes(body);
  ByteWriter(bytes).Put(Crc32c(body));
  const auto manifest = storage::DecodeManifest(bytes);
  if (!manifest.ok()) return;
  const auto again = storage::DecodeManifest(storage::EncodeManifest(*manifest));
  Require(again.ok() && *again == *manifest, "a manifest has changed on its way");
}

size_t FixedBytes(uint8_t kind, std::string_view bytes) {
  if (kind % 6 != 4 || bytes.size() < kRowHeadBytes) return kFixedBytes;
  return FixedBytesOf<metadata::Snapshot>(bytes.substr(kRowHeadBytes));
}

void Feed(uint8_t kind, std::string_view bytes) {
  const AllocationLimit limit(bytes.size(), kFactor, FixedBytes(kind, bytes));
  switch (kind % 6) {
    case 0:
      return FeedConfiguration(bytes);
    case 1:
      return FeedNodeIdentity(std::string(bytes));
    case 2:
      return FeedLogIdentity(bytes);
    case 3:
      return FeedRows(Pieces(bytes));
    case 4:
      return FeedMetadataRow(bytes);
    default:
      return FeedManifest(bytes);
  }
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  garam::fuzz::Feed(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
