#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace carya {

void* allocate_lines(size_t bytes);
void free_lines(void* memory, size_t bytes) noexcept;

// std::vector's memory on cache lines; large arrays ask for huge pages, because a graph search
// reads them at random and would miss the TLB at every vector.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}  // NOLINT: implicit as the standard asks
  T* allocate(size_t n) { return static_cast<T*>(allocate_lines(n * sizeof(T))); }
  void deallocate(T* p, size_t n) { free_lines(p, n * sizeof(T)); }
  bool operator==(const CacheLineAllocator&) const { return true; }
};

// An array that is ours, or lies in a mapped file until it is changed.  The file must stay mapped
// while is_mapped().
template <class T>
class Column {
 public:
  Column() = default;
  static Column mapped(std::span<const T> values) {
    Column column;
    column.values_ = values;
    column.mapped_ = true;
    return column;
  }
  Column(Column&&) = default;  // a vector keeps its memory when it moves
  Column& operator=(Column&&) = default;

  bool is_mapped() const noexcept { return mapped_; }
  size_t size() const noexcept { return values_.size(); }
  const T* data() const noexcept { return values_.data(); }
  std::span<const T> values() const noexcept { return values_; }
  const T& operator[](size_t i) const noexcept { return values_[i]; }

  // The rest copies a mapped array to memory first.
  T* mutable_data() {
    own();
    return owned_.data();
  }
  void reserve(size_t n) {
    own();
    owned_.reserve(n);
    values_ = owned_;
  }
  void resize(size_t n, const T& fill = T{}) {
    own();
    if (n > owned_.capacity()) owned_.reserve(std::max(n, owned_.capacity() * 3 / 2));
    owned_.resize(n, fill);
    values_ = owned_;
  }
  void own() {
    if (!mapped_) return;
    owned_.assign(values_.begin(), values_.end());
    values_ = owned_;
    mapped_ = false;
  }

 private:
  std::vector<T, CacheLineAllocator<T>> owned_;
  std::span<const T> values_;
  bool mapped_ = false;
};

}  // namespace carya
