// Sends units from nodes that have a supply over arcs into bins, so that the bins fill as evenly as
// the arcs allow: the sum of their squared loads is the least possible, and of all flows with that
// sum this one costs the least.
//
// It is a minimum-cost flow by successive shortest paths in which a bin's n-th unit costs more than
// can be saved on any way to it. So the bins fill level by level, and no level is taken back.
//
// Threads: one at a time. Pure: the same calls in the same order give the same flow.
#pragma once

#include <cstdint>
#include <vector>

namespace garam {

class EvenFlow {
 public:
  // Nodes are 0 … nodes - 1.
  explicit EvenFlow(int32_t nodes);

  // At most `capacity` units from `from` to `to`, at `cost` >= 0 each. Returns the arc's number.
  int32_t AddArc(int32_t from, int32_t to, int32_t capacity, int32_t cost);
  void SetSupply(int32_t node, int32_t units) { state_.supplies[node] = units; }
  void SetBin(int32_t node) { is_bin_[node] = true; }

  // Once, after everything is added. What can reach no bin stays where it is.
  void Solve();

  // After Solve.
  int32_t FlowOf(int32_t arc) const { return state_.residuals[backs_[positions_[arc]]]; }

 private:
  struct Arc {
    int32_t from = 0;
    int32_t to = 0;
    int32_t capacity = 0;
    int32_t cost = 0;
  };
  // What sending changes.
  struct State {
    std::vector<int32_t> residuals{};  // By position: how much more it carries.
    std::vector<int32_t> supplies{};   // By node: what is left to send.
    std::vector<int32_t> loads{};      // By node: what a bin holds.
    // By node: the cost of the cheapest way there from a node with supply, as of the last search
    // that got there. No position with a residual leads anywhere for less than the difference.
    std::vector<int32_t> distances{};
  };

  void LayOut();
  void Raise(const std::vector<int32_t>& open);
  void Fill();
  bool FindDistances();
  bool FindLayers();
  void SendFrom(int32_t source);
  bool Advance(int32_t& node);
  void SendAlongPath(int32_t source, int32_t bin);

  std::vector<int32_t> Sources() const;
  std::vector<int32_t> OpenBins() const;
  bool HasRoom(int32_t node) const { return is_bin_[node] && state_.loads[node] < level_; }
  // What a step costs beyond what the distances of its ends already say.
  int32_t ReducedCost(int32_t from, int32_t position) const {
    return costs_[position] + state_.distances[from] - state_.distances[heads_[position]];
  }

  std::vector<bool> is_bin_;
  std::vector<Arc> arcs_;

  // Each arc has two positions, there and back. Those of one node lie next to each other.
  std::vector<int32_t> firsts_;     // By node, and one more at the end.
  std::vector<int32_t> positions_;  // By arc: its way there.
  std::vector<int32_t> heads_;      // By position: the node that it leads to,
  std::vector<int32_t> backs_;      // the position that leads back,
  std::vector<int32_t> costs_;      // and what a unit costs.

  State state_;
  int32_t level_ = 0;  // Bins are to be filled up to it.
  int64_t step_ = 0;   // How much it goes up the next time, if the bins allow.

  // Of the search that is going on.
  int32_t nearest_ = 0;           // The distance of the nearest bins with room.
  std::vector<int32_t> layers_;   // By node: steps from a source, over those without reduced cost.
  std::vector<int32_t> untried_;  // By node: positions before it lead nowhere.
  std::vector<int32_t> path_;     // The positions from the source to where the walk stands.
};

}  // namespace garam
