#include "tests/sim/workload.h"

#include <algorithm>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "coordinator/metadata_image.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam::sim {
namespace {

constexpr int kOutstandingMax = 5;
constexpr Duration kProduceTimeout = std::chrono::seconds(3);
constexpr Duration kReadTimeout = Millis(1000);

// A batch with that value in it; with keys, some of which are deleted at times, where `keyed`.
BatchBuilder BatchOf(uint64_t value, size_t padding, bool keyed) {
  BatchBuilder builder;
  builder.records = {TestRecord{absl::StrCat("value=", value, "#", std::string(padding, 'x'))}};
  for (uint64_t more = value % 4; more > 0; --more) builder.records.push_back(TestRecord{"more"});
  if (!keyed) return builder;
  for (size_t i = 0; i < builder.records.size(); ++i) {
    builder.records[i].key = absl::StrCat(i == 0 ? "k" : "m", (value + i) % 7);
  }
  if (value % 3 == 0) {
    TestRecord gone;
    gone.key = absl::StrCat("k", value / 3 % 7);
    gone.tombstone = true;
    builder.records.push_back(std::move(gone));
  }
  return builder;
}

}  // namespace

void Workload::Start() {
  for (int topic = 0; topic < options_.topics; ++topic) {
    const std::string name = absl::StrCat("t", topic);
    EnsureTopic(name, options_.partitions);
    for (int32_t partition = 0; partition < options_.partitions; ++partition) {
      targets_.push_back({name, partition});
      outstanding_.push_back(0);
      KeepProducing(targets_.size() - 1);
      KeepReading(targets_.size() - 1);
      if (options_.has(Fault::kRetry)) AddIdempotentClient(targets_.back());
    }
  }
  if (options_.idle_every > Duration(0)) {
    world_.After(options_.idle_every, [this] { KeepResting(); });
  }
}

void Workload::Stop() {
  stopped_ = true;
  for (const auto& client : idempotent_) client->Stop();
}

bool Workload::settled() const {
  return std::all_of(idempotent_.begin(), idempotent_.end(),
                     [](const auto& client) { return client->settled(); });
}

void Workload::AddIdempotentClient(const Target& target) {
  IdempotentClient::Options client;
  client.producer_id = 1000 + static_cast<int64_t>(idempotent_.size());
  client.every = options_.produce_every;
  client.min_isr = options_.min_isr;
  client.forgotten_after = options_.producer_expiration;
  client.next_value = [this] { return ++last_value_; };
  client.send = [this, target](Bytes batch, IdempotentClient::Done done) {
    SimNode* node = BelievedLeader(target);
    if (node == nullptr) return;
    OnPartition(
        *node, target,
        [this, target, batch, done](SimNode& at, const std::shared_ptr<Partition>& partition) {
          partition->Produce(
              Bytes::Copy(batch.view()), Acks::kAll, at.clock().Mono() + kProduceTimeout,
              [this, &at, weak = std::weak_ptr(partition), group = partition->group(),
               done](absl::StatusOr<ProduceResult> result) {
                if (result.ok()) CheckNow(at, weak);
                IdempotentClient::Answer answer{group, std::move(result)};
                world_.After(Micros(10), [answer = std::move(answer), done] { done(answer); });
              });
        });
  };
  idempotent_.push_back(std::make_unique<IdempotentClient>(world_, oracle_, std::move(client)));
  idempotent_.back()->Start();
}

void Workload::KeepResting() {
  if (stopped_) return;
  resting_ = !resting_;
  world_.After(world_.Around(options_.idle_every), [this] { KeepResting(); });
}

SimNode* Workload::AnyNode(bool ready) {
  std::vector<SimNode*> found;
  for (const auto& node : nodes_) {
    if (node->running() && (!ready || node->ready())) found.push_back(node.get());
  }
  return found.empty() ? nullptr : found[world_.Below(found.size())];
}

// Until some broker knows the topic: a request may be lost on its way, or its answer.
void Workload::EnsureTopic(const std::string& name, int partitions) {
  SimNode* node = AnyNode(/*ready=*/true);
  if (node != nullptr) {
    if (node->core().image()->FindTopic(name) != nullptr) return;
    CreateTopic(name, partitions);
  }
  world_.After(Millis(100), [this, name, partitions] { EnsureTopic(name, partitions); });
}

void Workload::CreateTopic(const std::string& name, int partitions) {
  SimNode* node = AnyNode(/*ready=*/true);
  if (node == nullptr) return;
  TopicSpec spec;
  spec.name = name;
  spec.num_partitions = partitions;
  if (options_.unflushed) {
    spec.configs.push_back({"flush.messages", "9223372036854775807"});
    spec.configs.push_back({"flush.ms", "300"});
  }
  spec.configs.push_back({"min.insync.replicas", absl::StrCat(options_.min_isr)});
  if (options_.has(Fault::kCompact) || name == kOffsetsTopic) {
    spec.configs.push_back({"cleanup.policy", "compact"});
    spec.configs.push_back({"min.cleanable.dirty.ratio", "0.01"});
    spec.configs.push_back({"delete.retention.ms", "300"});
  }
  node->Deliver(0, [this, node, spec] {
    node->core().CreateTopics(
        {spec}, false, node->clock().Mono() + std::chrono::seconds(2), 0,
        [this, name = spec.name](const auto& results) {
          const absl::Status status = results.front().status();
          world_.Trace(absl::StrCat("create ", name, ": ", status.ToString()));
        });
  });
}

void Workload::ChangeTopics() {
  if (extra_topics_.empty() || world_.Chance(0.5)) {
    const std::string name = absl::StrCat("extra", ++extra_number_);
    extra_topics_.insert(name);
    return CreateTopic(name, 2);
  }
  SimNode* node = AnyNode(/*ready=*/true);
  if (node == nullptr) return;
  const std::string name = *extra_topics_.begin();
  auto topic = node->core().image()->FindTopic(name);
  extra_topics_.erase(name);
  if (topic == nullptr) return;
  node->Deliver(0, [node, id = topic->id] {
    node->core().DeleteTopics({id}, node->clock().Mono() + std::chrono::seconds(2), 0, [](auto) {});
  });
}

// Mostly far behind the end, as retention does.
void Workload::TrimPartition() {
  if (targets_.empty()) return;
  const Target& target = targets_[world_.Below(targets_.size())];
  SimNode* node = BelievedLeader(target);
  if (node == nullptr) return;
  OnPartition(*node, target, [this](SimNode& at, const std::shared_ptr<Partition>& partition) {
    const GroupId group = partition->group();
    const auto end = static_cast<uint64_t>(oracle_.end_offset(group).value());
    const Offset before(static_cast<int64_t>(
        world_.Chance(0.8) ? end - std::min(end, world_.Below(50)) : world_.Below(end + 1)));
    oracle_.OnTrim(group, before);
    partition->DeleteRecords(before, at.clock().Mono() + kProduceTimeout,
                             [this, group, before](absl::StatusOr<Offset> start) {
                               if (!start.ok())
                                 return world_.Trace("trim: " + start.status().ToString());
                               if (*start < before)
                                 world_.Fail("a log start is said to have moved, and has not");
                               world_.After(Micros(10), [this, group, start = *start] {
                                 oracle_.OnTrimmed(group, start);
                               });
                             });
  });
}

void Workload::MovePartition() {
  SimNode* node = AnyNode(/*ready=*/true);
  if (node == nullptr || targets_.empty()) return;
  const size_t any = world_.Below(targets_.size() + moved_too_.size());
  const Target& target = any < targets_.size() ? targets_[any] : moved_too_[any - targets_.size()];
  MoveSpec move{.topic = target.topic, .partition = target.partition};
  if (world_.Chance(0.85)) {
    std::vector<NodeId> all;
    for (const auto& other : nodes_) all.push_back(other->id());
    for (size_t i = all.size() - 1; i > 0; --i) std::swap(all[i], all[world_.Below(i + 1)]);
    const size_t at_least = static_cast<size_t>(options_.min_isr);
    all.resize(at_least + world_.Below(all.size() - at_least + 1));
    move.replicas = std::move(all);
  }
  node->Deliver(0, [this, node, move] {
    node->core().MoveReplicas({move}, node->clock().Mono() + std::chrono::seconds(2), 0,
                              [this, move](const std::vector<absl::Status>& results) {
                                world_.Trace(absl::StrCat("move ", move.topic, "-", move.partition,
                                                          ": ", results.front().ToString()));
                              });
  });
}

SimNode* Workload::BelievedLeader(const Target& target) {
  SimNode* node = AnyNode();
  if (node == nullptr) return nullptr;
  auto topic = node->core().image()->FindTopic(target.topic);
  if (topic == nullptr) return nullptr;
  const NodeId leader = node->core().StateOf(*topic, target.partition).leader;
  if (leader == kNoNode) return nullptr;
  SimNode* believed = nodes_[static_cast<size_t>(leader.value() - 1)].get();
  return believed->running() ? believed : nullptr;
}

std::shared_ptr<DataPartition> Workload::LeaderOf(const Target& target, SimNode** leader) const {
  std::shared_ptr<DataPartition> found;
  for (const auto& node : nodes_) {
    if (!node->running()) continue;
    auto partition = node->core().Find(target.topic, target.partition);
    if (!partition.ok()) continue;
    auto data = std::dynamic_pointer_cast<DataPartition>(*partition);
    if (data == nullptr || !data->confirmed()) continue;
    if (found != nullptr) return nullptr;  // One of the two does not know yet.
    found = data;
    if (leader != nullptr) *leader = node.get();
  }
  return found;
}

void Workload::OnPartition(SimNode& node, const Target& target,
                           std::function<void(SimNode&, std::shared_ptr<Partition>)> task) {
  const Duration way = Micros(10) + world_.Around(options_.link_delay);
  world_.After(way, [this, &node, life = node.life(), target, task = std::move(task)] {
    if (!node.running() || node.life() != life) return;
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        node.core().Find(target.topic, target.partition);
    if (!partition.ok()) return;
    node.Deliver((*partition)->shard(),
                 [&node, partition = *partition, task] { task(node, partition); });
  });
}

// It has just answered, and may close the partition before the turn ends.
void Workload::CheckNow(SimNode& node, const std::weak_ptr<Partition>& partition) {
  if (const std::shared_ptr<Partition> open = partition.lock()) {
    oracle_.Check(node.id(), dynamic_cast<const DataPartition&>(*open).replica());
  }
}

void Workload::SendProduce(SimNode& node, const Target& target, Acks acks,
                           std::function<void(bool)> done) {
  const uint64_t value = ++last_value_;
  const size_t padding = world_.Below(static_cast<uint64_t>(options_.value_bytes_max) + 1);
  OnPartition(node, target,
              [this, value, padding, acks, done = std::move(done)](
                  SimNode& at, const std::shared_ptr<Partition>& partition) {
                BatchBuilder builder = BatchOf(value, padding, options_.has(Fault::kCompact));
                builder.base_timestamp_ms = at.clock().WallMs();
                const GroupId group = partition->group();
                partition->Produce(
                    builder.Build(), acks, at.clock().Mono() + kProduceTimeout,
                    [this, &at, weak = std::weak_ptr(partition), value, group, acks,
                     done](absl::StatusOr<ProduceResult> result) {
                      const bool ok = result.ok();
                      if (ok) CheckNow(at, weak);
                      if (!ok) world_.Trace(absl::StrCat("produce: ", result.status().ToString()));
                      const Offset offset = ok ? result->base_offset : Offset(-1);
                      world_.After(Micros(10), [this, value, group, acks, ok, offset, done] {
                        if (ok && acks == Acks::kAll) {
                          ++acknowledged_;
                          oracle_.OnAcked(group, offset, value, options_.min_isr);
                        }
                        done(ok);
                      });
                    });
              });
}

void Workload::KeepProducing(size_t number) {
  if (stopped_) return;
  world_.After(world_.Around(options_.produce_every) + Micros(100),
               [this, number] { KeepProducing(number); });
  if (resting_ || outstanding_[number] >= kOutstandingMax) return;
  SimNode* node = BelievedLeader(targets_[number]);
  if (node == nullptr) return;
  ++outstanding_[number];
  // Whether or not an answer comes, this one is over after the client's own timeout.
  auto over = std::make_shared<bool>(false);
  auto end = [this, number, over] {
    if (!std::exchange(*over, true)) --outstanding_[number];
  };
  world_.After(kProduceTimeout, end);
  SendProduce(*node, targets_[number], world_.Chance(0.9) ? Acks::kAll : Acks::kLeader,
              [end](bool) { end(); });
}

void Workload::ProduceOnce(const Target& target, std::function<void()> done) {
  auto over = std::make_shared<bool>(false);
  auto again = [this, target, over, done] {
    if (!std::exchange(*over, true)) ProduceOnce(target, done);
  };
  world_.After(kProduceTimeout, again);
  SimNode* leader = nullptr;
  if (LeaderOf(target, &leader) == nullptr) return world_.After(Millis(100), again);
  SendProduce(*leader, target, Acks::kAll, [this, again, over, done](bool ok) {
    if (!ok) return world_.After(Millis(100), again);
    if (!std::exchange(*over, true)) done();
  });
}

void Workload::KeepReading(size_t number) {
  if (stopped_) return;
  world_.After(world_.Around(options_.produce_every * 4) + Micros(100),
               [this, number] { KeepReading(number); });
  const Target& target = targets_[number];
  SimNode* node = BelievedLeader(target);
  if (node == nullptr) return;
  OnPartition(*node, target, [this](SimNode&, const std::shared_ptr<Partition>& partition) {
    const GroupId group = partition->group();
    const auto end = static_cast<uint64_t>(oracle_.end_offset(group).value());
    ReadSpec spec;
    // Mostly at the end, as consumers do.
    spec.from = Offset(static_cast<int64_t>(
        end < 10 || world_.Chance(0.2) ? world_.Below(end + 1) : end - world_.Below(10)));
    spec.bytes_max = 1000;
    partition->Read(spec, [this, group](absl::StatusOr<ReadResult> result) {
      if (!result.ok()) return;
      world_.After(Micros(10), [this, group, read = *std::move(result)] {
        for (const Bytes& batch : read.batches) {
          ++reads_;
          oracle_.OnRead(group, RecordBatchView(batch.data()).base_offset(), ValueIn(batch.view()),
                         read.high_watermark);
        }
      });
    });
  });
}

// What a read that waits for its answer does when none comes, or one that is no good: it begins
// again, once. A leadership may have just moved, or its node be gone.
std::function<bool()> Workload::Attempt(std::function<void()> again) {
  auto over = std::make_shared<bool>(false);
  world_.After(kReadTimeout, [over, again] {
    if (!std::exchange(*over, true)) again();
  });
  return [over] { return !std::exchange(*over, true); };
}

void Workload::ReadAll(const Target& target, std::function<void()> done) {
  auto again = [this, target, done] { ReadAll(target, done); };
  const std::function<bool()> take = Attempt(again);
  SimNode* leader = nullptr;
  if (LeaderOf(target, &leader) == nullptr) return;
  OnPartition(*leader, target, [this, target, done, take](SimNode&, const auto& partition) {
    partition->FindSpecial(
        SpecialOffset::kEarliest, std::nullopt,
        [this, target, done, take, group = partition->group()](absl::StatusOr<FoundOffset> start) {
          if (!start.ok() || !take()) return;
          oracle_.CheckStart(group, start->offset);
          world_.After(Micros(10), [this, target, done, from = start->offset] {
            ReadFrom(target, from, done);
          });
        });
  });
}

void Workload::ReadFrom(const Target& target, Offset from, std::function<void()> done) {
  auto again = [this, target, from, done] { ReadFrom(target, from, done); };
  const std::function<bool()> take = Attempt(again);
  SimNode* leader = nullptr;
  if (LeaderOf(target, &leader) == nullptr) return;
  OnPartition(
      *leader, target, [this, target, from, done, take, again](SimNode&, const auto& partition) {
        ReadSpec spec;
        spec.from = from;
        spec.bytes_max = 100'000;
        const auto data = std::dynamic_pointer_cast<DataPartition>(partition);
        const bool unwritten = from >= data->replica().log().written_offset();
        partition->Read(spec, [this, target, from, done, take, again, unwritten,
                               group = partition->group()](absl::StatusOr<ReadResult> result) {
          if (ErrcOf(result.status()) == Errc::kNotLeader || !take()) return;
          // The log has begun later meanwhile.
          const bool moved = options_.has(Fault::kRetention);
          if (moved && ErrcOf(result.status()) == Errc::kOffsetOutOfRange) {
            return ReadAll(target, done);
          }
          if (!result.ok()) return world_.Fail("cannot read: " + result.status().ToString());
          if (unwritten && result->batches.empty() && from < oracle_.end_offset(group)) {
            return world_.After(Millis(20), again);
          }
          world_.After(Micros(10), [this, target, from, done, group, read = *std::move(result)] {
            TakeRead(target, from, group, read, done);
          });
        });
      });
}

void Workload::TakeRead(const Target& target, Offset from, GroupId group, const ReadResult& read,
                        std::function<void()> done) {
  Offset next = from;
  for (const Bytes& bytes : read.batches) {
    const RecordBatchView batch(bytes.data());
    // The log may begin inside a batch.
    const bool first = next == from && batch.base_offset() < next;
    const bool gap = batch.base_offset() > next && options_.has(Fault::kCompact);
    if (batch.base_offset() != next && !first && !gap) world_.Fail("a read skips records");
    next = batch.next_offset();
    oracle_.OnRead(group, batch.base_offset(), ValueIn(bytes.view()), read.high_watermark);
  }
  if (next >= oracle_.end_offset(group)) return done();
  if (next == from) {
    return world_.Fail(absl::StrCat("a read of ", target.topic, "-", target.partition, " from ",
                                    from.value(), " comes back empty: its high watermark is ",
                                    read.high_watermark.value(), ", and ",
                                    oracle_.end_offset(group).value(), " is the end"));
  }
  ReadFrom(target, next, done);
}

void Workload::ReadReplicas(const Target& target, const std::function<void()>& done) {
  for (const auto& node : nodes_) {
    ReadReplica(*node, target, Offset(0), std::make_shared<Live>(), done);
  }
}

void Workload::ReadReplica(SimNode& node, const Target& target, Offset from,
                           std::shared_ptr<Live> live, std::function<void()> done) {
  if (!node.core().Find(target.topic, target.partition).ok()) return done();
  const std::function<bool()> take = Attempt(
      [this, &node, target, from, live, done] { ReadReplica(node, target, from, live, done); });
  OnPartition(node, target,
              [this, target, from, live, done, take](SimNode& at, const auto& partition) {
                if (!take()) return;
                auto data = std::dynamic_pointer_cast<DataPartition>(partition);
                const GroupId group = data->group();
                const auto again = [this, &at, target, live, done](Offset next, Duration wait) {
                  world_.After(wait, [this, &at, target, next, live, done] {
                    ReadReplica(at, target, next, live, done);
                  });
                };
                if (from >= oracle_.end_offset(group)) {
                  oracle_.CheckLive(at.id(), group, *live);
                  return world_.After(Micros(10), done);
                }
                // It has not heard of the last commit yet.
                if (from >= data->high_watermark()) return again(from, Millis(50));
                data->ReadVisible(from, 100'000, [this, from, live, again](auto batches) {
                  if (!batches.ok())
                    return world_.Fail("a replica: " + batches.status().ToString());
                  // What is committed may not be in its own file yet.
                  if (batches->empty()) return again(from, Millis(50));
                  Offset next = from;
                  for (const Bytes& batch : *batches) {
                    for (const KeyChange& change : KeyChangesIn(batch.view()))
                      change.ApplyTo(*live);
                    next = RecordBatchView(batch.data()).next_offset();
                  }
                  again(next, Micros(10));
                });
              });
}

}  // namespace garam::sim
