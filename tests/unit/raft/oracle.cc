#include "tests/unit/raft/oracle.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace garam::raft {
namespace {

bool Has(const std::vector<LogEntry>& log, const LogEntry& entry) {
  const auto at = static_cast<size_t>(entry.index.value() - 1);
  return at < log.size() && log[at].term == entry.term;
}

std::string Name(const LogEntry& entry) {
  return absl::StrCat("entry ", entry.index.value(), " of term ", entry.term.value());
}

}  // namespace

void Oracle::LeaderElected(Term term, NodeId node, const NodeImage& image) {
  auto [first, fresh] = leaders_.try_emplace(term, node);
  if (!fresh && first->second != node) {
    Fail(absl::StrCat("two leaders in term ", term.value(), ": ", first->second.value(), " and ",
                      node.value()));
  }
  for (const LogEntry& entry : committed_) {
    if (entry.term >= term || Has(image.handed, entry)) continue;
    Fail(absl::StrCat("leader of term ", term.value(), " lacks committed ", Name(entry)));
  }
}

void Oracle::Handed(const NodeImage& image, LogIndex from) {
  for (size_t i = static_cast<size_t>(from.value() - 1); i < image.handed.size(); ++i) {
    const LogEntry& entry = image.handed[i];
    const Term before = i == 0 ? Term(0) : image.handed[i - 1].term;
    auto [seen, fresh] = seen_.try_emplace({entry.index.value(), entry.term.value()},
                                           std::string(entry.bytes.view()), before);
    const bool same = seen->second.first == entry.bytes.view() && seen->second.second == before;
    if (!fresh && !same) Fail(absl::StrCat("log matching: two different ", Name(entry)));
    // A leader of the past may still append; what comes later must not differ.
    if (i < committed_.size() && entry.term > committed_[i].term) {
      Fail(absl::StrCat("committed ", Name(committed_[i]), " was replaced"));
    }
  }
}

void Oracle::Committed(NodeId node, LogIndex from, LogIndex commit, bool count_durable,
                       const std::map<NodeId, NodeImage>& images) {
  const NodeImage& own = images.at(node);
  Expect(commit.value() <= static_cast<int64_t>(own.handed.size()), "commit beyond the log's end");
  const size_t end = std::min(own.handed.size(), static_cast<size_t>(commit.value()));
  for (auto i = static_cast<size_t>(from.value()); i < end; ++i) {
    const LogEntry& entry = own.handed[i];
    if (i < committed_.size()) {
      if (committed_[i].term != entry.term || committed_[i].bytes.view() != entry.bytes.view()) {
        Fail(absl::StrCat("node ", node.value(), " applied another ", Name(entry)));
      }
      continue;
    }
    size_t having = 0;
    for (const auto& [id, image] : images) {
      // One in doubt may have had it and lost it since; it will not vote against it.
      having += Has(count_durable ? image.durable : image.written, entry) || image.in_doubt ? 1 : 0;
    }
    if (having * 2 <= images.size()) {
      Fail(absl::StrCat(Name(entry), " is committed, but on ", having, " disks only"));
    }
    committed_.push_back(entry);
  }
}

std::vector<std::string> Oracle::CommittedPayloads() const {
  std::vector<std::string> payloads;
  for (const LogEntry& entry : committed_) {
    if (entry.kind == EntryKind::kBatch) payloads.emplace_back(entry.bytes.view());
  }
  return payloads;
}

}  // namespace garam::raft
