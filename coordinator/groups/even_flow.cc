#include "coordinator/groups/even_flow.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace garam {
namespace {

constexpr int32_t kUnreached = std::numeric_limits<int32_t>::max();

}  // namespace

EvenFlow::EvenFlow(int32_t nodes) : is_bin_(nodes, false), firsts_(nodes + 1, 0) {
  state_.supplies.resize(nodes);
  state_.loads.resize(nodes);
  state_.distances.resize(nodes);
}

int32_t EvenFlow::AddArc(int32_t from, int32_t to, int32_t capacity, int32_t cost) {
  arcs_.push_back({.from = from, .to = to, .capacity = capacity, .cost = cost});
  return static_cast<int32_t>(arcs_.size()) - 1;
}

void EvenFlow::Solve() {
  LayOut();
  step_ = std::numeric_limits<int64_t>::max();
  for (std::vector<int32_t> open = OpenBins(); !open.empty(); open = OpenBins()) Raise(open);
}

void EvenFlow::LayOut() {
  for (const Arc& arc : arcs_) {
    ++firsts_[arc.from + 1];
    ++firsts_[arc.to + 1];
  }
  for (size_t node = 1; node < firsts_.size(); ++node) firsts_[node] += firsts_[node - 1];
  std::vector<int32_t> next = firsts_;
  heads_.resize(2 * arcs_.size());
  backs_.resize(2 * arcs_.size());
  costs_.resize(2 * arcs_.size());
  state_.residuals.resize(2 * arcs_.size());
  for (const Arc& arc : arcs_) {
    const int32_t there = next[arc.from]++;
    const int32_t back = next[arc.to]++;
    positions_.push_back(there);
    heads_[there] = arc.to;
    heads_[back] = arc.from;
    backs_[there] = back;
    backs_[back] = there;
    costs_[there] = arc.cost;
    costs_[back] = -arc.cost;
    state_.residuals[there] = arc.capacity;
  }
}

// Fills the `open` bins, which are filled to the level by now, to a higher one.
//
// Several levels at once are right only if all open bins reach the last: then they are equal, which
// nothing is more even than. The first try is the highest level that all could reach. After one
// that failed it is one level, which is always right, and twice as much for as long as all bins are
// full.
void EvenFlow::Raise(const std::vector<int32_t>& open) {
  int64_t units = 0;
  for (int32_t supply : state_.supplies) units += supply;
  step_ = std::min(step_, std::max(int64_t{1}, units / static_cast<int64_t>(open.size())));
  const int32_t level = level_;
  State before;
  if (step_ > 1) before = state_;
  level_ = level + static_cast<int32_t>(step_);
  Fill();
  if (std::none_of(open.begin(), open.end(), [this](int32_t bin) { return HasRoom(bin); })) {
    step_ *= 2;
  } else if (step_ > 1) {
    state_ = std::move(before);
    step_ = 1;
    level_ = level + 1;
    Fill();
  }
}

// Sends what there is, the cheapest ways first, until no bin below the level can be reached.
void EvenFlow::Fill() {
  while (FindDistances()) {
    while (FindLayers()) {
      for (int32_t source : Sources()) SendFrom(source);
    }
  }
}

// Dijkstra's algorithm over reduced costs, which are small numbers: one queue for each distance.
// False if there is no way to a bin with room.
bool EvenFlow::FindDistances() {
  std::vector<int32_t> extra(is_bin_.size(), kUnreached);
  std::vector<std::vector<int32_t>> queues(1, Sources());
  for (int32_t source : queues[0]) extra[source] = 0;
  for (int32_t distance = 0; distance < static_cast<int32_t>(queues.size()); ++distance) {
    for (size_t i = 0; i < queues[distance].size(); ++i) {
      const int32_t node = queues[distance][i];
      if (extra[node] != distance) continue;  // It has been reached for less.
      for (int32_t at = firsts_[node]; at < firsts_[node + 1]; ++at) {
        if (state_.residuals[at] == 0) continue;
        const int32_t there = distance + ReducedCost(node, at);
        if (there >= extra[heads_[at]]) continue;
        extra[heads_[at]] = there;
        if (there >= static_cast<int32_t>(queues.size())) queues.resize(there + 1);
        queues[there].push_back(heads_[at]);
      }
    }
  }
  nearest_ = kUnreached;
  for (int32_t node = 0; node < static_cast<int32_t>(extra.size()); ++node) {
    // What is out of reach now stays so: ways are only made between nodes within reach.
    if (extra[node] == kUnreached) continue;
    state_.distances[node] += extra[node];
    if (HasRoom(node)) nearest_ = std::min(nearest_, state_.distances[node]);
  }
  return nearest_ != kUnreached;
}

// Numbers the nodes by steps from a source, as far as the first of the nearest bins with room.
// False if there is none.
bool EvenFlow::FindLayers() {
  layers_.assign(is_bin_.size(), kUnreached);
  untried_.assign(firsts_.begin(), firsts_.end() - 1);
  std::vector<int32_t> queue = Sources();
  for (int32_t source : queue) layers_[source] = 0;
  int32_t last_layer = kUnreached;
  for (size_t i = 0; i < queue.size() && layers_[queue[i]] <= last_layer; ++i) {
    const int32_t node = queue[i];
    if (HasRoom(node) && state_.distances[node] == nearest_) last_layer = layers_[node];
    for (int32_t at = firsts_[node]; at < firsts_[node + 1]; ++at) {
      if (state_.residuals[at] == 0 || layers_[heads_[at]] != kUnreached) continue;
      if (ReducedCost(node, at) != 0) continue;
      layers_[heads_[at]] = layers_[node] + 1;
      queue.push_back(heads_[at]);
    }
  }
  return last_layer != kUnreached;
}

// Walks from layer to layer, back where it cannot go on, and sends whenever it stands at a bin.
void EvenFlow::SendFrom(int32_t source) {
  int32_t node = source;
  path_.clear();
  while (state_.supplies[source] > 0) {
    if (HasRoom(node) && state_.distances[node] == nearest_) {
      SendAlongPath(source, node);
      node = source;
      path_.clear();
    } else if (!Advance(node)) {
      if (path_.empty()) return;
      node = heads_[backs_[path_.back()]];
      path_.pop_back();
      ++untried_[node];
    }
  }
}

// One step on; false if none leads to the next layer.
bool EvenFlow::Advance(int32_t& node) {
  for (int32_t& at = untried_[node]; at < firsts_[node + 1]; ++at) {
    if (state_.residuals[at] == 0 || layers_[heads_[at]] != layers_[node] + 1) continue;
    if (ReducedCost(node, at) != 0) continue;
    path_.push_back(at);
    node = heads_[at];
    return true;
  }
  return false;
}

void EvenFlow::SendAlongPath(int32_t source, int32_t bin) {
  int32_t units = std::min(state_.supplies[source], level_ - state_.loads[bin]);
  for (int32_t at : path_) units = std::min(units, state_.residuals[at]);
  for (int32_t at : path_) {
    state_.residuals[at] -= units;
    state_.residuals[backs_[at]] += units;
  }
  state_.supplies[source] -= units;
  state_.loads[bin] += units;
}

std::vector<int32_t> EvenFlow::Sources() const {
  std::vector<int32_t> sources;
  for (int32_t node = 0; node < static_cast<int32_t>(state_.supplies.size()); ++node) {
    if (state_.supplies[node] > 0) sources.push_back(node);
  }
  return sources;
}

// The bins that something could still come to, were there room.
std::vector<int32_t> EvenFlow::OpenBins() const {
  std::vector<int32_t> open;
  std::vector<int32_t> queue = Sources();
  std::vector<bool> seen(is_bin_.size(), false);
  for (int32_t source : queue) seen[source] = true;
  for (size_t i = 0; i < queue.size(); ++i) {
    if (is_bin_[queue[i]]) open.push_back(queue[i]);
    for (int32_t at = firsts_[queue[i]]; at < firsts_[queue[i] + 1]; ++at) {
      if (state_.residuals[at] == 0 || seen[heads_[at]]) continue;
      seen[heads_[at]] = true;
      queue.push_back(heads_[at]);
    }
  }
  return open;
}

}  // namespace garam
