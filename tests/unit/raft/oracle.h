// What must hold of a whole group at every moment, whoever asks: the safety properties of the Raft
// thesis (3.2), and what the disks must have before anybody is promised anything.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/log_entry.h"

namespace garam::raft {

// A disk, and the log as the core that owns it sees it.
struct NodeImage {
  std::vector<LogEntry> handed;   // All that Readys have carried: the core's own log.
  std::vector<LogEntry> written;  // Survives the process.
  std::vector<LogEntry> durable;  // Survives a power loss.
  LogIndex commit;                // The highest ever told in this life.
  bool in_doubt = false;          // Its log may have lost its end (D3),
  bool damaged = false;           // or all of it.
};

class Oracle {
 public:
  void LeaderElected(Term term, NodeId node, const NodeImage& image);
  void Handed(const NodeImage& image, LogIndex from);
  // `node`, which knew `from` to be committed, learnt so of everything up to `commit`. `images` are
  // all, those of dead nodes included.
  void Committed(NodeId node, LogIndex from, LogIndex commit, bool count_durable,
                 const std::map<NodeId, NodeImage>& images);
  void Fail(std::string what) { violations_.push_back(std::move(what)); }
  void Expect(bool holds, const char* otherwise) {
    if (!holds) Fail(otherwise);
  }

  const std::vector<std::string>& violations() const { return violations_; }
  size_t committed() const { return committed_.size(); }
  std::vector<std::string> CommittedPayloads() const;

 private:
  std::map<Term, NodeId> leaders_;
  std::vector<LogEntry> committed_;
  // (index, term) -> payload and the term before it.
  std::map<std::pair<int64_t, int32_t>, std::pair<std::string, Term>> seen_;
  std::vector<std::string> violations_;
};

}  // namespace garam::raft
