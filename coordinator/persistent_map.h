// An ordered map whose copies are free: Set and Erase return a new map that shares all but O(log n)
// nodes with the old one. A treap; a node's priority is a mix of its key's hash.
//
// Threads: immutable, so distinct copies may be read on any threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/hash/hash.h"

namespace garam {

template <class Key, class Value>
class PersistentMap {
 public:
  PersistentMap() = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The value of `key`, valid as long as this map or a copy is; null when there is none.
  template <class Wanted>
  const Value* Find(const Wanted& key) const {
    const Node* node = root_.get();
    while (node != nullptr) {
      if (key < node->key) {
        node = node->left.get();
      } else if (node->key < key) {
        node = node->right.get();
      } else {
        return &node->value;
      }
    }
    return nullptr;
  }

  PersistentMap Set(Key key, Value value) const {
    const bool added = Find(key) == nullptr;
    const uint64_t priority = absl::Hash<Key>()(key);
    return PersistentMap(Insert(root_, std::move(key), std::move(value), priority),
                         size_ + (added ? 1 : 0));
  }

  PersistentMap Erase(const Key& key) const {
    if (Find(key) == nullptr) return *this;
    return PersistentMap(Remove(root_, key), size_ - 1);
  }

  // In the order of the keys.
  void ForEach(absl::FunctionRef<void(const Key&, const Value&)> visit) const {
    Walk(root_.get(), visit);
  }

 private:
  struct Node;
  using Link = std::shared_ptr<const Node>;
  struct Node {
    Key key;
    Value value;
    uint64_t priority;
    Link left;
    Link right;
  };

  PersistentMap(Link root, size_t size) : root_(std::move(root)), size_(size) {}

  static Link With(const Node& node, Link left, Link right) {
    return std::make_shared<const Node>(
        Node{node.key, node.value, node.priority, std::move(left), std::move(right)});
  }

  static Link Insert(const Link& node, Key&& key, Value&& value, uint64_t priority) {
    if (node == nullptr) {
      return std::make_shared<const Node>(
          Node{std::move(key), std::move(value), priority, nullptr, nullptr});
    }
    if (key < node->key) {
      Link left = Insert(node->left, std::move(key), std::move(value), priority);
      if (left->priority <= node->priority) return With(*node, std::move(left), node->right);
      return With(*left, left->left, With(*node, left->right, node->right));
    }
    if (node->key < key) {
      Link right = Insert(node->right, std::move(key), std::move(value), priority);
      if (right->priority <= node->priority) return With(*node, node->left, std::move(right));
      return With(*right, With(*node, node->left, right->left), right->right);
    }
    return std::make_shared<const Node>(
        Node{std::move(key), std::move(value), node->priority, node->left, node->right});
  }

  static Link Remove(const Link& node, const Key& key) {
    if (key < node->key) return With(*node, Remove(node->left, key), node->right);
    if (node->key < key) return With(*node, node->left, Remove(node->right, key));
    return Join(node->left, node->right);
  }

  // Every key of `left` is below every key of `right`.
  static Link Join(const Link& left, const Link& right) {
    if (left == nullptr) return right;
    if (right == nullptr) return left;
    if (left->priority >= right->priority) {
      return With(*left, left->left, Join(left->right, right));
    }
    return With(*right, Join(left, right->left), right->right);
  }

  static void Walk(const Node* node, absl::FunctionRef<void(const Key&, const Value&)> visit) {
    if (node == nullptr) return;
    Walk(node->left.get(), visit);
    visit(node->key, node->value);
    Walk(node->right.get(), visit);
  }

  Link root_;
  size_t size_ = 0;
};

}  // namespace garam
