#include "carya/index/column.h"

#include <sys/mman.h>

#include <new>

#include "carya/core/matrix.h"

namespace carya {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;  // of x86-64 and of most ARM systems

// The system gives huge pages only for whole, aligned ones.
std::align_val_t alignment_for(size_t bytes) {
  return std::align_val_t{bytes >= 2 * kHugePage ? kHugePage : kMatrixAlignment};
}

}  // namespace

void* allocate_lines(size_t bytes) {
  void* const memory = ::operator new(bytes, alignment_for(bytes));
  // Advice only: where it is refused, the array works as well with small pages.
  if (bytes >= 2 * kHugePage) ::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

void free_lines(void* memory, size_t bytes) noexcept {
  ::operator delete(memory, alignment_for(bytes));
}

}  // namespace carya
