// What the tests of the core share: a cluster, and words for what they say about it.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/raft/cluster.h"

namespace garam::raft {

class CoreTest : public ::testing::Test {
 protected:
  static constexpr NodeId kA{1};
  static constexpr NodeId kB{2};
  static constexpr NodeId kC{3};
  static constexpr NodeId kD{4};
  static constexpr NodeId kE{5};

  void TearDown() override {
    if (!cluster_) return;
    EXPECT_THAT(cluster_->oracle().violations(), ::testing::IsEmpty());
  }

  void Make(ClusterOptions options = {}) { cluster_ = std::make_unique<Cluster>(options); }
  void MakeWith(int nodes) {
    ClusterOptions options;
    options.nodes = nodes;
    Make(options);
  }
  // Three voters, A leads, its no-op is committed everywhere, and all sleep.
  void MakeLed(ClusterOptions options = {}) {
    Make(std::move(options));
    cluster_->Elect(kA);
    cluster_->RunFor(Millis(50));
  }

  Cluster& cluster() { return *cluster_; }
  Core& core(NodeId node) { return cluster_->core(node); }
  MonoTime now() { return cluster_->now(); }

  // Without the member that an answer names: that is its sender's, `from`.
  template <class T>
  std::vector<T> Sent(NodeId from, NodeId to) {
    std::vector<T> found;
    for (const Envelope& envelope : cluster_->sent()) {
      if (envelope.from != from || envelope.to != to) continue;
      if (const T* message = std::get_if<T>(&envelope.message)) found.push_back(*message);
      if constexpr (std::is_same_v<T, VoteReply>) {
        if (!found.empty()) found.back().from = Incarnation(0);
      }
    }
    return found;
  }
  template <class T>
  static bool Is(const Envelope& envelope) {
    return std::holds_alternative<T>(envelope.message);
  }

  static LogEntry Entry(int index, int term, const std::string& payload = "x") {
    return {LogIndex(index), Term(term), EntryKind::kBatch, Bytes::Copy(payload)};
  }

  std::unique_ptr<Cluster> cluster_;
};

}  // namespace garam::raft
