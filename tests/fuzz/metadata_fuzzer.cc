// Any bytes as the cluster's metadata: a snapshot to start from, or none, and commands of group 0's
// log after it. Whatever is understood must leave an image whose indexes agree with each other and
// that comes back from its own snapshot as it was.
//
// The input is pieces: the snapshot (empty: none), then one command each.
#include <cstdint>
#include <memory>
#include <string>

#include "coordinator/metadata_image.h"
#include "proto/metadata.pb.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

using ImagePtr = std::shared_ptr<const MetadataImage>;

// An empty message of two bytes becomes a protocol buffer and then a struct of ours, with its node
// in each of four indexes; the same once more for the snapshot.
constexpr size_t kFactor = 512;

void CheckImage(const MetadataImage& image) {
  size_t topics = 0;
  size_t partitions = 0;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    ++topics;
    Require(image.FindTopic(topic->name) == topic, "a name that leads elsewhere", topic->name);
    Require(image.FindTopic(topic->id) == topic, "an id that leads elsewhere", topic->name);
    Require(image.FindColliding(topic->name) == topic, "a collision", topic->name);
    int32_t number = 0;
    for (const PartitionImage& partition : topic->partitions) {
      const GroupPlace* place = image.FindGroup(partition.group);
      Require(place != nullptr && place->topic == topic && place->partition == number++,
              "a group that leads elsewhere", topic->name);
      Require(partition.group < image.next_group(), "a group above the counter", topic->name);
      ++partitions;
    }
  });
  Require(topics == image.topic_count(), "topics without a name");
  Require(partitions == image.partition_count(), "groups without a partition");
  for (const auto& [node, broker] : image.brokers()) {
    Require(broker->node == node && image.FindBroker(node) == broker.get(), "a broker elsewhere");
    (void)broker->EndpointFor("PLAINTEXT");
  }
}

void CheckSnapshot(const MetadataImage& image) {
  const std::string blob = image.EncodeSnapshot();
  const auto again = MetadataImage::DecodeSnapshot(blob);
  Require(again.ok(), "a snapshot of ours is not understood", again.status().ToString());
  Require((*again)->EncodeSnapshot() == blob, "a snapshot has changed on its way");
}

void Feed(std::string_view input) {
  Pieces pieces(input);
  ImagePtr image = MetadataImage::Empty();
  if (const std::string_view snapshot = pieces.Piece(); !snapshot.empty()) {
    const size_t fixed_bytes = FixedBytesOf<metadata::Snapshot>(snapshot);
    const AllocationLimit limit(snapshot.size(), kFactor, fixed_bytes);
    auto decoded = MetadataImage::DecodeSnapshot(snapshot);
    if (!decoded.ok()) return;
    image = *std::move(decoded);
    CheckImage(*image);
    CheckSnapshot(*image);
  }
  while (!pieces.done()) {
    const std::string before = image->EncodeSnapshot();
    const std::string_view command = pieces.Piece();
    // Of all, for the new image has what it does not share with the old one.
    const AllocationLimit limit(input.size(), kFactor, FixedBytesOf<metadata::Command>(command));
    const auto applied = image->ApplyBytes(image->applied_index() + 1, command);
    if (!applied.ok()) return;  // The broker stops.
    if (!applied->outcome.ok()) {
      Require(applied->image->At(image->applied_index())->EncodeSnapshot() == before,
              "refused, but changed", applied->outcome.ToString());
    }
    image = applied->image;
    CheckImage(*image);
  }
  CheckSnapshot(*image);
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  garam::fuzz::Feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
