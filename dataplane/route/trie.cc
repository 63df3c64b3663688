#include "dataplane/route/trie.h"

#include <algorithm>

namespace nezu::route {

Trie::Trie(std::vector<Entry> entries) : Trie() {
  // The shortest first: a longer prefix then finds its surroundings filled and only overwrites.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.length < b.length; });
  for (const Entry& entry : entries) insert(entry);
}

uint32_t Trie::descend(uint32_t& word) {
  if ((word & kChild) == 0) {
    const auto step = static_cast<uint32_t>(steps_.size() / 256);
    const uint32_t value = word;
    word = kChild | step;
    steps_.resize(steps_.size() + 256, value);  // `word` may have moved now
    return step;
  }
  return word & ~kChild;
}

void Trie::insert(const Entry& entry) {
  const unsigned first = entry.bytes[0] * 256u + entry.bytes[1];
  if (entry.length <= 16) {
    const unsigned count = 1u << (16 - entry.length);
    std::fill_n(root_.begin() + (first & ~(count - 1)), count, entry.value);
    return;
  }
  uint32_t step = descend(root_[first]);
  unsigned at = 2;
  for (; entry.length > (at + 1) * 8; ++at) {
    step = descend(steps_[size_t{step} * 256 + entry.bytes[at]]);
  }
  const unsigned count = 1u << ((at + 1) * 8 - entry.length);
  const unsigned from = entry.bytes[at] & ~(count - 1);
  std::fill_n(steps_.begin() + size_t{step} * 256 + from, count, entry.value);
}

}  // namespace nezu::route
