#include "live_ranges.h"

#include <algorithm>
#include <numeric>

namespace pynn {

Blocks share_blocks(const std::vector<LiveRange>& ranges) {
  const auto range = [&](int tensor) -> const LiveRange& { return ranges[static_cast<std::size_t>(tensor)]; };
  std::vector<int> order(ranges.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return range(a).from < range(b).from; });
  Blocks blocks;
  blocks.of.assign(ranges.size(), -1);
  std::vector<int> used_until;  // by block
  for (const int tensor : order) {
    const LiveRange& of = range(tensor);
    if (!of.any()) continue;
    std::size_t found = used_until.size();
    for (std::size_t b = 0; b < used_until.size(); ++b)
      if (blocks.sizes[b] == of.size && used_until[b] < of.from &&
          (found == used_until.size() || used_until[b] > used_until[found]))
        found = b;
    if (found == used_until.size()) {
      blocks.sizes.push_back(of.size);
      used_until.push_back(0);
    }
    used_until[found] = of.to;
    blocks.of[static_cast<std::size_t>(tensor)] = static_cast<int>(found);
  }
  return blocks;
}

}  // namespace pynn
