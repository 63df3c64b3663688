// Longest-prefix match against a search through all prefixes.
#include "dataplane/route/trie.h"

#include <gtest/gtest.h>

#include <random>

#include "dataplane/net/address.h"

namespace nezu::route {
namespace {

Trie::Entry entry(std::string_view text, uint32_t value) {
  const auto prefix = *net::parse_prefix(text);
  const auto& bytes = prefix.address.bytes;
  return {{bytes.begin() + (prefix.address.is_v4() ? 12 : 0), bytes.end()}, prefix.length, value};
}
uint32_t find(const Trie& trie, std::string_view text) {
  const auto address = *net::parse_address(text);
  return trie.find(address.bytes.data() + (address.is_v4() ? 12 : 0));
}

TEST(Trie, EmptyFindsNothing) { EXPECT_EQ(find(Trie(), "192.0.2.1"), 0u); }

TEST(Trie, TheLongestWinsInAnyOrder) {
  const Trie trie({entry("192.0.2.128/25", 3), entry("0.0.0.0/0", 1), entry("192.0.2.129/32", 4),
                   entry("192.0.0.0/16", 2), entry("192.0.2.129/32", 5)});
  EXPECT_EQ(find(trie, "8.8.8.8"), 1u);
  EXPECT_EQ(find(trie, "192.0.3.1"), 2u);
  EXPECT_EQ(find(trie, "192.0.2.127"), 2u);
  EXPECT_EQ(find(trie, "192.0.2.128"), 3u);
  EXPECT_EQ(find(trie, "192.0.2.129"), 5u);
}

TEST(Trie, RandomPrefixesOfBothFamilies) {
  std::mt19937 random(7);
  for (const size_t size : {4u, 16u}) {
    std::vector<Trie::Entry> entries;
    for (uint32_t value = 1; value <= 400; ++value) {
      Trie::Entry one{std::vector<uint8_t>(size), static_cast<uint8_t>(random() % (size * 8 + 1)),
                      value};
      // Few values a byte, so that prefixes nest.
      for (uint8_t& byte : one.bytes) byte = static_cast<uint8_t>(random() % 3 * 0x55);
      for (unsigned bit = one.length; bit < size * 8; ++bit) {
        one.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80u >> bit % 8));
      }
      entries.push_back(one);
    }
    const Trie trie(entries);
    const auto matches = [&](const Trie::Entry& one, const std::vector<uint8_t>& address) {
      for (unsigned bit = 0; bit < one.length; ++bit) {
        if (((one.bytes[bit / 8] ^ address[bit / 8]) & (0x80u >> bit % 8)) != 0) return false;
      }
      return true;
    };
    for (int round = 0; round < 5000; ++round) {
      std::vector<uint8_t> address(size);
      for (uint8_t& byte : address) byte = static_cast<uint8_t>(random() % 3 * 0x55);
      const Trie::Entry* best = nullptr;
      for (const Trie::Entry& one : entries) {
        if (matches(one, address) && (best == nullptr || one.length >= best->length)) best = &one;
      }
      ASSERT_EQ(trie.find(address.data()), best == nullptr ? 0 : best->value);
    }
  }
}

}  // namespace
}  // namespace nezu::route
