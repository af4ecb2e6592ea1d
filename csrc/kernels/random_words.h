// Random words in blocks: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3,
// SC'11), as runtime/philox.h, for kBlock elements at a time.
#pragma once

#include <stdint.h>
#include <string.h>

namespace pynn {
namespace PYNN_ISA {
namespace {

constexpr int64_t kBlock = 256, kWords = 4, kLanes = kBlock / kWords;

// The random words of the elements of block `block` in step `step`: word w of lane l is element w * kLanes + l.
inline void random_words(uint32_t* out, uint64_t seed, uint64_t step, uint64_t block) {
  uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
  for (int64_t l = 0; l < kLanes; ++l) {
    c0[l] = static_cast<uint32_t>(l) | static_cast<uint32_t>(block >> 32) * kLanes;
    c1[l] = static_cast<uint32_t>(block);
    c2[l] = static_cast<uint32_t>(step);
    c3[l] = static_cast<uint32_t>(step >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const uint64_t p0 = uint64_t{0xD2511F53} * c0[l], p1 = uint64_t{0xCD9E8D57} * c2[l];
      c0[l] = static_cast<uint32_t>(p1 >> 32) ^ c1[l] ^ k0;
      c1[l] = static_cast<uint32_t>(p1);
      c2[l] = static_cast<uint32_t>(p0 >> 32) ^ c3[l] ^ k1;
      c3[l] = static_cast<uint32_t>(p0);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  const size_t bytes = sizeof c0;
  memcpy(out, c0, bytes);
  memcpy(out + kLanes, c1, bytes);
  memcpy(out + 2 * kLanes, c2, bytes);
  memcpy(out + 3 * kLanes, c3, bytes);
}

// An element is dropped where its word is below this.
inline uint64_t dropped_below(double rate) { return static_cast<uint64_t>(rate * 0x1p32); }

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
