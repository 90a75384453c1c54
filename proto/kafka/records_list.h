// The records of one partition in a message that is being written: slices that the encoder passes
// on without copying them, in order.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/bytes.h"

namespace garam::kafka {

class RecordsList {
 public:
  RecordsList() = default;
  // One slice; what decoding makes. Implicit: a slice is a list of one.
  RecordsList(Bytes slice) { Add(std::move(slice)); }  // NOLINT(google-explicit-constructor)

  void Add(Bytes slice) {
    if (slice.empty()) return;
    size_bytes_ += slice.size();
    slices_.push_back(std::move(slice));
  }

  const absl::InlinedVector<Bytes, 1>& slices() const { return slices_; }
  // Of all slices together.
  size_t size_bytes() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }

  // All slices as one: shared when there is but one, else copied.
  Bytes Joined() const {
    if (slices_.size() == 1) return slices_[0];
    std::string all;
    all.reserve(size_bytes_);
    for (const Bytes& slice : slices_) all += slice.view();
    return Bytes::Take(std::move(all));
  }

 private:
  absl::InlinedVector<Bytes, 1> slices_;
  size_t size_bytes_ = 0;
};

}  // namespace garam::kafka
