// Aligned memory for numbers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace pynn {

// Elements that begin on a 128-byte boundary: two cache lines, which the prefetchers of some processors fetch together.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  // Makes room for n elements, all zero. What was there is gone; on failure nothing has changed. The memory is a whole
  // number of alignments; what lies behind the elements is not zero.
  void allocate(int64_t n) {
    reserve(n);
    std::memset(static_cast<void*>(data_), 0, static_cast<std::size_t>(n) * sizeof(T));
  }

  // The same, but for the zeros.
  void reserve(int64_t n) {
    Buffer fresh;
    std::size_t bytes = 0;
    if (n < 0 || __builtin_mul_overflow(static_cast<std::size_t>(n), sizeof(T), &bytes) || bytes > SIZE_MAX - alignment)
      throw std::bad_alloc();
    bytes = (bytes + alignment - 1) / alignment * alignment;
    fresh.data_ = static_cast<T*>(std::aligned_alloc(alignment, bytes == 0 ? alignment : bytes));
    if (fresh.data_ == nullptr) throw std::bad_alloc();
    fresh.size_ = n;
    swap(fresh);
  }

  T* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  static constexpr std::size_t alignment = 128;

  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  T* data_ = nullptr;
  int64_t size_ = 0;
};

// n rounded up to whole multiples of the alignment.
template <typename T>
constexpr int64_t padded(int64_t n) {
  constexpr int64_t unit = 128 / static_cast<int64_t>(sizeof(T));
  return (n + unit - 1) / unit * unit;
}

}  // namespace pynn
