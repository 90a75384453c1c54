#include "tests/sim/nemesis.h"

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "storage/frame.h"
#include "storage/log_identity.h"
#include "storage/log_rows.h"

namespace garam::sim {

Nemesis::Nemesis(World& world, const Options& options, Network& network, Workload& workload,
                 std::vector<std::unique_ptr<SimNode>>& nodes,
                 std::function<void(NodeId, GroupId)> on_rotten)
    : world_(world),
      options_(options),
      network_(network),
      workload_(workload),
      nodes_(nodes),
      on_rotten_(std::move(on_rotten)) {
  for (size_t i = 0; i < kEvents; ++i) {
    if (options.faults[i]) classes_.push_back(static_cast<Fault>(i));
  }
}

void Nemesis::Start() {
  if (options_.has(Fault::kClock)) {
    for (const auto& node : nodes_) {
      node->clock().SetRate(0.9 + static_cast<double>(world_.Below(200)) / 1000);
    }
  }
  if (!classes_.empty()) Next();
}

void Nemesis::Next() {
  world_.After(world_.Around(options_.fault_every) + Millis(1), [this] {
    if (stopped_) return;
    ++faults_;
    Do(classes_[world_.Below(classes_.size())]);
    Next();
  });
}

void Nemesis::Do(Fault fault) {
  SimNode& node = AnyNode();
  switch (fault) {
    case Fault::kKill:
      if (!node.running()) return;
      node.Kill();
      return StartSoon(node, world_.Between(Millis(5), Millis(3000)));
    case Fault::kPowerLoss:
      return LosePower(node);
    case Fault::kCut:
      return Cut();
    case Fault::kReset: {
      const NodeId other = AnyNode().id();
      if (other != node.id()) network_.Reset(node.id(), other);
      return;
    }
    case Fault::kPause:
      if (!node.running()) return;
      world_.Trace(absl::StrCat("node ", node.id().value(), " is stopped for a while"));
      return node.PauseUntil(world_.now() + world_.Between(Millis(50), Millis(3000)));
    case Fault::kSlowDisk:
      if (!node.running()) return;
      return node.pool().StallUntil(world_.now() + world_.Between(Millis(50), Millis(3000)));
    case Fault::kDiskError:
      return BreakDisk(node);
    case Fault::kDiskFull:
      return FillDisk(node);
    case Fault::kClock:
      return node.clock().JumpWall(static_cast<int64_t>(world_.Below(7'200'000)) - 3'600'000);
    case Fault::kTopics:
      return workload_.ChangeTopics();
    case Fault::kMoves:
      return workload_.MovePartition();
    case Fault::kTrims:
      return workload_.TrimPartition();
    case Fault::kWipe:
      return world_.Chance(0.4) ? LoseTheLatest() : LoseDisk(node);
    case Fault::kRot:
      return Rot(node);
    case Fault::kStick: {
      const NodeId other = AnyNode().id();
      if (other == node.id()) return;
      world_.Trace(absl::StrCat("node ", other.value(), " hears nothing from ", node.id().value()));
      return network_.Stick(node.id(), other);
    }
    case Fault::kStop:
      return Stop(node);
    case Fault::kReorder:
    case Fault::kDuplicate:
    case Fault::kJoin:
    case Fault::kRetry:
    case Fault::kGroups:
    case Fault::kRetention:
    case Fault::kCompact:
      return;
  }
}

void Nemesis::Stop(SimNode& node) {
  if (!node.running()) return;
  // One that is still stopping when everything is healed has to come to its end all the same.
  node.Stop([this, &node] {
    if (stopped_) return node.Start();
    StartSoon(node, world_.Between(Millis(5), Millis(3000)));
  });
}

// Mode P promises nothing once a majority has lost power: two of the three that a partition is on,
// however many nodes there are.
bool Nemesis::MayLose(const SimNode& node) const {
  return !options_.unflushed || lost_power_.empty() || lost_power_.contains(node.id());
}

void Nemesis::LosePower(SimNode& node) {
  if (!MayLose(node) || !node.powered()) return;
  lost_power_.insert(node.id());
  if (node.running()) node.LosePower();
  StartSoon(node, world_.Between(Millis(200), Millis(4000)));
}

// Another disk may go only when what was on the last one has been learned again. Whoever is in sync
// may still lack the latest of what is committed.
void Nemesis::LoseDisk(SimNode& node) {
  if (!EverybodyIsInSync()) return;
  if (!MayLose(node)) return;
  lost_power_.insert(node.id());
  node.LoseDisk();
  StartSoon(node, world_.Between(Millis(5), Millis(3000)));
}

// One follower hears nothing for a moment; of the two that go on without it one loses its disk and
// the other one stops. What is left cannot know the latest, and must not come to lead.
void Nemesis::LoseTheLatest() {
  const std::vector<Workload::Target>& targets = workload_.targets();
  SimNode* leader = nullptr;
  const Workload::Target& target = targets[world_.Below(targets.size())];
  const std::shared_ptr<DataPartition> partition = workload_.LeaderOf(target, &leader);
  if (partition == nullptr || !EverybodyIsInSync()) return;
  std::vector<SimNode*> followers;
  for (const raft::Member& voter : partition->replica().core().configuration().voters) {
    if (voter.node == leader->id()) continue;
    followers.push_back(nodes_[static_cast<size_t>(voter.node.value() - 1)].get());
  }
  SimNode* behind = followers[world_.Below(followers.size())];
  SimNode* wiped = followers[behind == followers[0] ? 1 : 0];
  world_.Trace(absl::StrCat("node ", behind->id().value(), " misses the latest"));
  for (const SimNode* other : {leader, wiped}) network_.Cut(other->id(), behind->id());
  world_.After(world_.Between(Millis(30), Millis(250)), [this, leader, behind, wiped] {
    for (const SimNode* other : {leader, wiped}) network_.Heal(other->id(), behind->id());
    if (stopped_) return;
    LoseDisk(*wiped);
    if (wiped->running() || !leader->running()) return;
    leader->Kill();
    StartSoon(*leader, world_.Between(Millis(2000), Millis(4000)));
  });
}

bool Nemesis::EverybodyIsInSync() const {
  for (const auto& node : nodes_) {
    if (!node->running() || !node->ready()) return false;
    bool whole = true;
    node->ForEachReplica([&](const Replica& replica) {
      const raft::Core& core = replica.core();
      const raft::Configuration& members = core.configuration();
      whole &= members.learners.empty() && !members.joint() && members.voters.size() >= 3;
      whole &= core.leader() != kNoNode && !core.in_doubt();
    });
    node->core().image()->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
      for (size_t i = 0; i < topic->partitions.size(); ++i) {
        const PartitionImage& partition = topic->partitions[i];
        const PartitionState state = node->core().StateOf(*topic, static_cast<int32_t>(i));
        whole &= partition.target.empty() && partition.replicas.size() >= 3 &&
                 state.isr.size() == partition.replicas.size();
      }
    });
    if (!whole) return false;
  }
  return true;
}

// One copy at a time, and only when the others have all: more than that nobody promises to survive.
void Nemesis::Rot(SimNode& node) {
  if (!EverybodyIsInSync() || !RotIsGone()) return;
  std::vector<storage::LogIdentity> logs;
  node.ForEachReplica([&](const Replica& replica) {
    if (replica.group() != kMetadataGroup) logs.push_back(replica.log().identity());
  });
  if (logs.empty()) return;
  const storage::LogIdentity& log = logs[world_.Below(logs.size())];
  FlipIn(node, log.group, absl::StrCat("/data/", storage::LogFolderName(log)));
}

// Below the durable mark: above it, damage and a torn tail look the same.
void Nemesis::FlipIn(SimNode& node, GroupId group, const std::string& dir) {
  const auto mark = storage::LogRows(node.kv(), group).LoadMark();
  const auto names = node.files().List(dir);
  if (!mark.ok() || !*mark || !names.ok()) return;
  const std::string path = absl::StrCat(dir, "/", (*names)[world_.Below(names->size())]);
  if (!path.ends_with(".log")) return;
  const std::string content = node.files().Content(path);
  storage::Frame frame;
  if (storage::PeekFrame(content, true, &frame) != storage::FrameFound::kFrame) return;
  const auto header = storage::DecodeHeader(frame);
  if (!header || header->base_index > (*mark)->point.segment_base) return;
  auto end = static_cast<int64_t>(content.size());
  if (header->base_index == (*mark)->point.segment_base) end = (*mark)->point.at.position;
  const auto position = static_cast<int64_t>(world_.Below(static_cast<uint64_t>(end)));
  const int bit = static_cast<int>(world_.Below(8));
  world_.Trace(absl::StrCat("node ", node.id().value(), ": bit ", bit, " of byte ", position,
                            " of ", path, " flips"));
  node.files().FlipBit(path, position, bit);
  const char byte = node.files().Content(path)[static_cast<size_t>(position)];
  flipped_ = {&node, dir, path, position, bit, byte};
  on_rotten_(node.id(), group);
}

// Whether the log with the flipped bit has been put away, or the bit written over.
bool Nemesis::RotIsGone() {
  if (!flipped_) return true;
  storage::FakeFileSystem& files = flipped_->node->files();
  const std::string aside = storage::AsideFolder(flipped_->dir);
  if (files.List(aside).ok()) {
    (void)files.RemoveTree(aside);
  } else if (const auto names = files.List(flipped_->dir); names.ok()) {
    const auto at = static_cast<size_t>(flipped_->position);
    for (const std::string& name : *names) {
      if (absl::StrCat(flipped_->dir, "/", name) != flipped_->path) continue;
      const std::string content = files.Content(flipped_->path);
      if (at < content.size() && content[at] == flipped_->byte) return false;
    }
  }
  flipped_.reset();
  return true;
}

void Nemesis::StartSoon(SimNode& node, Duration wait) {
  world_.After(wait, [this, &node] {
    if (!stopped_ && !node.running()) node.Start();
  });
}

void Nemesis::Cut() {
  std::vector<std::pair<NodeId, NodeId>> links;
  const NodeId one = AnyNode().id();
  const uint64_t shape = world_.Below(5);
  for (const auto& a : nodes_) {
    for (const auto& b : nodes_) {
      if (a->id() == b->id()) continue;
      const bool isolates = shape == 0 && (a->id() == one || b->id() == one);
      const bool deafens = shape == 1 && b->id() == one;
      // Everybody sees `one`, and nobody else.
      const bool bridges = shape == 2 && a->id() != one && b->id() != one;
      const bool chance = shape == 3 && world_.Chance(0.3);
      // Everybody sees two others.
      const int apart = std::abs(a->id().value() - b->id().value());
      const bool rings = shape == 4 && apart != 1 && apart != static_cast<int>(nodes_.size()) - 1;
      if (isolates || deafens || bridges || chance || rings) links.emplace_back(a->id(), b->id());
    }
  }
  world_.Trace(absl::StrCat("links are cut: shape ", shape, " around node ", one.value()));
  for (const auto& [from, to] : links) network_.Cut(from, to);
  world_.After(world_.Between(Millis(100), Millis(5000)), [this, links] {
    for (const auto& [from, to] : links) network_.Heal(from, to);
  });
}

void Nemesis::BreakDisk(SimNode& node) {
  if (!node.running() || !bad_disks_.empty()) return;  // One bad disk is enough.
  bad_disks_.insert(node.id());
  world_.Trace(absl::StrCat("the disk of node ", node.id().value(), " fails"));
  auto left = std::make_shared<uint64_t>(1 + world_.Below(3));
  node.files().SetFaults(
      [left](storage::FakeFileSystem::Call call, const std::string&) {
        if (call == storage::FakeFileSystem::Call::kRead || *left == 0) return 0;
        --*left;
        return EIO;
      },
      &world_.random());
}

void Nemesis::FillDisk(SimNode& node) {
  if (!node.running()) return;
  world_.Trace(absl::StrCat("the disk of node ", node.id().value(), " is full"));
  constexpr int64_t kLarge = int64_t{1} << 40;
  node.files().SetQuota(kLarge);
  const int64_t used = kLarge - node.files().SpaceOf("/data")->usable_bytes;
  node.files().SetQuota(used + static_cast<int64_t>(world_.Below(2000)));
  world_.After(world_.Between(Millis(100), Millis(3000)),
               [&node] { node.files().SetQuota(std::nullopt); });
}

void Nemesis::StopAndHeal() {
  world_.Trace("everything is healed");
  stopped_ = true;
  network_.HealAll();
  network_.SetDelay(Micros(100));
  // What nobody has read yet is not found in the time that is left.
  if (!RotIsGone())
    flipped_->node->files().FlipBit(flipped_->path, flipped_->position, flipped_->bit);
  for (const auto& node : nodes_) {
    node->files().SetQuota(std::nullopt);
    node->files().SetFaults(nullptr);
    // A replica whose disk has failed stays away until its broker is started anew.
    if (options_.has(Fault::kDiskError) && !node->down()) node->Kill();
    if (!node->running()) node->Start();
  }
}

}  // namespace garam::sim
