#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace carya {

void* allocate_lines(size_t bytes);
void free_lines(void* memory, size_t bytes) noexcept;

// std::vector's memory on cache lines.
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

// Elements that one thread changes while others read them.
template <class T>
T load_shared(const T& element) noexcept {
  return __atomic_load_n(&element, __ATOMIC_ACQUIRE);
}
template <class T>
void store_shared(T& element, std::type_identity_t<T> value) noexcept {
  __atomic_store_n(&element, value, __ATOMIC_RELEASE);
}

// An array that is ours, or lies in a mapped file until it is changed.  The file must stay mapped
// while is_mapped().  Large arrays ask for huge pages, because a graph search reads them at random
// and would miss the TLB at every vector.
//
// A copy shares the memory: it is what readers hold while the original goes on.  The original may
// change elements in place (by store_shared, if readers look at them); where it grows beyond its
// capacity it moves to new memory, and the copies keep the old.
template <class T>
class Column {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Column() = default;
  static Column mapped(std::span<const T> values) {
    Column column;
    column.data_ = const_cast<T*>(values.data());  // not written to: see own()
    column.size_ = column.capacity_ = values.size();
    column.mapped_ = true;
    return column;
  }

  bool is_mapped() const noexcept { return mapped_; }
  size_t size() const noexcept { return size_; }
  size_t capacity() const noexcept { return capacity_; }
  const T* data() const noexcept { return data_; }
  std::span<const T> values() const noexcept { return {data_, size_}; }
  const T& operator[](size_t i) const noexcept { return data_[i]; }

  // The rest copies a mapped array to memory first.
  T* mutable_data() {
    own();
    return data_;
  }
  // Moves to new memory, even if the old has that capacity.
  void reallocate(size_t capacity) {
    capacity = std::max(capacity, size_);
    std::shared_ptr<T> memory(
        static_cast<T*>(allocate_lines(std::max<size_t>(capacity, 1) * sizeof(T))),
        [capacity](T* p) { free_lines(p, std::max<size_t>(capacity, 1) * sizeof(T)); });
    if (size_ > 0) std::memcpy(memory.get(), data_, size_ * sizeof(T));
    memory_ = std::move(memory);
    data_ = memory_.get();
    capacity_ = capacity;
    mapped_ = false;
  }
  void resize(size_t n, const T& fill = T{}) {
    own();
    if (n > capacity_) reallocate(std::max(n, capacity_ * 3 / 2));
    if (n > size_) std::fill(data_ + size_, data_ + n, fill);
    size_ = n;
  }
  void own() {
    if (mapped_) reallocate(size_);
  }

 private:
  std::shared_ptr<T> memory_;
  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
  bool mapped_ = false;
};

}  // namespace carya
