#pragma once

#include <cstdint>

// The structs of the Arrow C data and C stream interfaces, as their specification defines them
// (https://arrow.apache.org/docs/format/CDataInterface.html): an ABI, so no library is needed.
extern "C" {

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

struct ArrowArrayStream {
  int (*get_schema)(ArrowArrayStream*, ArrowSchema* out);
  int (*get_next)(ArrowArrayStream*, ArrowArray* out);
  const char* (*get_last_error)(ArrowArrayStream*);
  void (*release)(ArrowArrayStream*);
  void* private_data;
};

}  // extern "C"

namespace carya::python {

// Owns one of the structs: releases it if it is not released.
template <class T>
class ArrowOwner {
 public:
  ArrowOwner() = default;
  // Moves: the source counts as released, as the specification says.
  explicit ArrowOwner(T& source) : value_(source) { source.release = nullptr; }
  ~ArrowOwner() { reset(); }
  ArrowOwner(const ArrowOwner&) = delete;
  ArrowOwner& operator=(const ArrowOwner&) = delete;
  void reset() {
    if (value_.release != nullptr) value_.release(&value_);
    value_ = T{};
  }
  bool is_valid() const { return value_.release != nullptr; }
  T* get() { return &value_; }
  T* operator->() { return &value_; }
  const T& operator*() const { return value_; }

 private:
  T value_{};
};

}  // namespace carya::python
