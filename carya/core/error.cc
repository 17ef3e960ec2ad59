#include "carya/core/error.h"

#include <cstdio>
#include <cstdlib>

namespace carya {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "carya: bug: %s:%d: %s does not hold; please report it\n", file, line,
               expression);
  std::abort();
}

}  // namespace carya
