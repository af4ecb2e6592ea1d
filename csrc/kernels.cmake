# The kernels and what they stand on, for the extension and for tests/native. Sets: kernels, their object libraries;
# runtime_sources, to be compiled with the options `baseline`; thread_library. BLAS is left to who includes this.

option(PYNN_WERROR "Treat warnings as errors" OFF)
set(PYNN_THREADS "openmp" CACHE STRING "openmp; std: the same teams on std::thread (ThreadSanitizer, compilers without OpenMP)")
set(PYNN_SANITIZE "" CACHE STRING "Sanitizers to build with, such as address,undefined or thread")

set(PYNN_LEVELS "2;3;4" CACHE STRING "Levels of x86-64 to compile the kernels for; one alone builds in a third of the time")

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
if(PYNN_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1") # asserts stay; at -O3 the checks take many minutes to compile
  add_compile_options(-fsanitize=${PYNN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PYNN_SANITIZE})
endif()

add_library(pynn_warnings INTERFACE)
target_compile_options(pynn_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${PYNN_WERROR}>:-Werror>)

# ---- kernels: the same sources once for each instruction set, each time in a namespace of its own

# What kernels stand on, and the choice of the instruction set, are compiled once.
file(GLOB kernel_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/kernels/*.cpp")
list(REMOVE_ITEM kernel_sources "${CMAKE_CURRENT_LIST_DIR}/kernels/dispatch.cpp")

function(add_kernels isa vector_bytes)
  add_library(kernels_${isa} OBJECT ${kernel_sources})
  target_compile_definitions(kernels_${isa} PRIVATE PYNN_ISA=${isa} PYNN_VECTOR_BYTES=${vector_bytes})
  # Both keep NaN, infinity and signed zero.
  target_compile_options(kernels_${isa} PRIVATE -fno-math-errno -fno-trapping-math ${ARGN})
  target_link_libraries(kernels_${isa} PRIVATE pynn_warnings)
  set_property(GLOBAL APPEND PROPERTY pynn_kernels kernels_${isa})
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(baseline -march=x86-64-v2)
  set(options_2 16 -march=x86-64-v2)
  set(options_3 32 -march=x86-64-v3)
  set(options_4 64 -march=x86-64-v4 -mprefer-vector-width=512)
  foreach(level IN LISTS PYNN_LEVELS)
    add_kernels(x86_64_v${level} ${options_${level}})
    set_property(SOURCE "${CMAKE_CURRENT_LIST_DIR}/kernels/dispatch.cpp" APPEND PROPERTY COMPILE_DEFINITIONS
                 PYNN_LEVEL_${level})
  endforeach()
else()
  set(baseline)
  add_kernels(baseline 16)
endif()
get_property(kernels GLOBAL PROPERTY pynn_kernels)

# ---- the choice of the instruction set, threads, random numbers

if(PYNN_THREADS STREQUAL "openmp")
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(thread_library OpenMP::OpenMP_CXX)
elseif(PYNN_THREADS STREQUAL "std")
  find_package(Threads REQUIRED)
  set(thread_library Threads::Threads)
else()
  message(FATAL_ERROR "PYNN_THREADS must be openmp or std, but is '${PYNN_THREADS}'")
endif()

set(runtime_sources
  kernels/dispatch.cpp
  runtime/fork.cpp
  runtime/parallel.cpp
  runtime/philox.cpp
  runtime/threads_${PYNN_THREADS}.cpp
  runtime/use_lock.cpp)
list(TRANSFORM runtime_sources PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
