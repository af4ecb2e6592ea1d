#include "philox.h"

#include <utility>

namespace pynn {
namespace {

__extension__ using uint128 = unsigned __int128;

}  // namespace

Philox::Block Philox::block(uint64_t index) const {
  uint32_t c0 = static_cast<uint32_t>(index), c1 = static_cast<uint32_t>(index >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

double Philox::uniform(uint64_t index) const {
  const Block b = block(index / 2);
  const uint32_t* w = b.word + 2 * (index % 2);
  const uint64_t bits = (uint64_t{w[1]} << 32 | w[0]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

void permute(int64_t* order, int64_t n, const Philox& random) {
  for (int64_t i = 0; i < n; ++i) order[i] = i;
  Philox::Block b{};
  for (int64_t i = n - 1, drawn = 0; i > 0; --i, ++drawn) {
    if (drawn % 2 == 0) b = random.block(static_cast<uint64_t>(drawn / 2));
    const uint32_t* w = b.word + 2 * (drawn % 2);
    const uint64_t bits = uint64_t{w[1]} << 32 | w[0];
    // The high word of bits * (i + 1) lies in 0..i.
    const auto j = static_cast<int64_t>(static_cast<uint128>(bits) * static_cast<uint64_t>(i + 1) >> 64);
    std::swap(order[i], order[j]);
  }
}

}  // namespace pynn
