// Aligned memory for numbers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace pynn {

// Elements that begin on a 128-byte boundary: two cache lines, which the prefetchers of some processors fetch together.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { std::free(memory_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  // Makes room for n elements, all zero. What was there is gone; on failure nothing has changed. The memory is a whole
  // number of alignments; what lies behind the elements is not zero. Large memory comes from the system as zeros and is
  // first touched by who uses it: clearing gigabytes here could not be interrupted.
  void allocate(int64_t n) {
    make(n, [](std::size_t bytes) { return std::calloc(bytes, 1); });
  }

  // The same, but for the zeros.
  void reserve(int64_t n) {
    make(n, [](std::size_t bytes) { return std::malloc(bytes); });
  }

  T* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  static constexpr std::size_t alignment = 128;

  template <typename Allocate>
  void make(int64_t n, Allocate allocate) {
    Buffer fresh;
    std::size_t bytes = 0;
    if (n < 0 || __builtin_mul_overflow(static_cast<std::size_t>(n), sizeof(T), &bytes) ||
        bytes > SIZE_MAX - 2 * alignment)
      throw std::bad_alloc();
    fresh.memory_ = allocate((bytes + alignment - 1) / alignment * alignment + alignment);
    if (fresh.memory_ == nullptr) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(fresh.memory_);
    fresh.data_ = reinterpret_cast<T*>((address + alignment - 1) / alignment * alignment);
    fresh.size_ = n;
    swap(fresh);
  }

  void swap(Buffer& other) {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  void* memory_ = nullptr;
  T* data_ = nullptr;  // the first aligned place in it
  int64_t size_ = 0;
};

// n rounded up to whole multiples of the alignment.
template <typename T>
constexpr int64_t padded(int64_t n) {
  constexpr int64_t unit = 128 / static_cast<int64_t>(sizeof(T));
  return (n + unit - 1) / unit * unit;
}

}  // namespace pynn
