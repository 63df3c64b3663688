// Longest-prefix match: a multibit trie of 16 bits, then 8 bits a step.
//
// Built once, then only read, by any thread. Leaves are pushed down: a search reads one word for
// the first 16 bits and one for each further byte that any prefix around it needs. A rebuild of few
// routes costs the 256 KiB of the first step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nezu::route {

class Trie {
 public:
  /// A leaf's value uses the lower 31 bits; 0 is "nothing".
  using Value = uint32_t;
  struct Entry {
    std::vector<uint8_t> bytes;  ///< network order, as many as an address of the family has
    uint8_t length = 0;          ///< bits
    Value value = 0;
  };

  Trie() : root_(1u << 16) {}
  /// In any order; of equal prefixes the last one counts.
  explicit Trie(std::vector<Entry> entries);

  /// `address` in network order.
  Value find(const uint8_t* address) const {
    uint32_t word = root_[address[0] << 8 | address[1]];
    for (address += 2; (word & kChild) != 0; ++address) {
      word = steps_[size_t{word & ~kChild} * 256 + *address];
    }
    return word;
  }
  size_t steps() const { return steps_.size() / 256; }

 private:
  static constexpr uint32_t kChild = 0x8000'0000u;
  void insert(const Entry& entry);
  /// The step below `word`, made with its value everywhere when there is none.
  uint32_t descend(uint32_t& word);

  std::vector<uint32_t> root_;
  std::vector<uint32_t> steps_;
};

}  // namespace nezu::route
