# Compiler, cache and linker: what is present is used, nothing is required.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

# Every target of ours links this: warnings, and nothing else that is global.
add_library(carya_warnings INTERFACE)
target_compile_options(carya_warnings INTERFACE -Wall -Wextra -Wpedantic
                       $<$<BOOL:${CARYA_WERROR}>:-Werror>
                       # GCC 12 sees overlapping copies in std::string's operator+ (GCC bug 105651)
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

# CARYA_SANITIZE=address,undefined or thread: see the presets asan and tsan.
set(CARYA_SANITIZE "" CACHE STRING "Sanitizers for all targets, as in -fsanitize=")
if(CARYA_SANITIZE)
  add_compile_options(-fsanitize=${CARYA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CARYA_SANITIZE})
endif()
# The fuzzers see which branches the libraries take, or they would only guess.
if(CARYA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
