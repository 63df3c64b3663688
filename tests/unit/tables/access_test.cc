// Access lists against the longest prefix, found by looking at all of them.
#include "dataplane/tables/access.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>

namespace nezu::tables {
namespace {

net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

/// On memory that is aligned as the region's is.
class Built {
 public:
  explicit Built(const AccessSpec& spec) : block_(build_access_list(spec)) {
    memory_.resize(block_.size() / sizeof(Line) + 1);
    if (!block_.empty()) std::memcpy(memory_.data(), block_.data(), block_.size());
  }
  bool is_void() const { return block_.empty(); }
  const AccessList* operator->() const {
    return reinterpret_cast<const AccessList*>(memory_.data());
  }
  bool allows(const net::Address& client) const { return is_void() || (*this)->allows(client); }
  bool allows(std::string_view client) const { return allows(*net::parse_address(client)); }
  size_t size() const { return block_.size(); }

 private:
  struct alignas(64) Line {
    std::array<uint8_t, 64> bytes;
  };
  std::vector<uint8_t> block_;
  std::vector<Line> memory_;
};

bool is_allowed(const AccessSpec& spec, const net::Address& client) {
  int longest = -1;
  bool allowed = !spec.deny_others;
  for (const auto* list : {&spec.allow, &spec.deny}) {
    for (const net::Prefix& one : *list) {
      if (one.length > longest && one.contains(client)) {
        longest = one.length;
        allowed = list == &spec.allow;
      }
    }
  }
  return allowed;
}

TEST(AccessList, NobodyIsDeniedByNone) {
  EXPECT_TRUE(build_access_list({}).empty());
  EXPECT_TRUE(build_access_list({{prefix("192.0.2.0/24")}, {}, false}).empty());
}

TEST(AccessList, TheLongestPrefixDecides) {
  const Built list({{prefix("10.1.0.0/16"), prefix("10.1.2.3/32")},
                    {prefix("10.0.0.0/8"), prefix("10.1.2.0/24"), prefix("2001:db8::/32")},
                    false});
  EXPECT_TRUE(list.allows("9.255.255.255"));
  EXPECT_FALSE(list.allows("10.0.0.0"));
  EXPECT_TRUE(list.allows("10.1.0.0"));
  EXPECT_TRUE(list.allows("10.1.1.255"));
  EXPECT_FALSE(list.allows("10.1.2.2"));
  EXPECT_TRUE(list.allows("10.1.2.3"));
  EXPECT_FALSE(list.allows("10.1.2.4"));
  EXPECT_TRUE(list.allows("10.1.3.0"));
  EXPECT_FALSE(list.allows("10.255.255.255"));
  EXPECT_TRUE(list.allows("11.0.0.0"));
  EXPECT_FALSE(list.allows("2001:db8:ffff::"));
  EXPECT_TRUE(list.allows("2001:db9::"));
  EXPECT_EQ(list.size() % 4, 0u);
  EXPECT_EQ(list->bytes(), list.size());
}

TEST(AccessList, TheEndsOfTheAddressSpaceAreAddresses) {
  const Built all({{}, {prefix("0.0.0.0/0"), prefix("::/0")}, false});
  for (const char* one :
       {"0.0.0.0", "255.255.255.255", "::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_FALSE(all.allows(one)) << one;
  }
  const Built last({{prefix("255.255.255.255/32")}, {}, true});
  EXPECT_TRUE(last.allows("255.255.255.255"));
  EXPECT_FALSE(last.allows("255.255.255.254"));
  EXPECT_FALSE(last.allows("::1"));
}

// ::/80 ends where IPv4 addresses stand when they are mapped.
TEST(AccessList, IPv6GoesOnBehindMappedAddresses) {
  for (const char* text : {"::/80", "::8000:0:0/81", "::fffe:0:0/95"}) {
    const Built allow({{prefix(text)}, {}, true});
    EXPECT_FALSE(allow.allows("2001:db8::1")) << text;
    EXPECT_FALSE(allow.allows("::1:0:0:0")) << text;
    const Built deny({{}, {prefix(text)}, false});
    EXPECT_TRUE(deny.allows("2001:db8::1")) << text;
    EXPECT_TRUE(deny.allows("::1:0:0:0")) << text;
    EXPECT_TRUE(deny.allows("192.0.2.1")) << text;
  }
}

TEST(AccessList, EqualOnesHaveOneFingerprint) {
  const AccessSpec spec{{prefix("10.1.0.0/16")}, {prefix("10.0.0.0/8")}, false};
  AccessSpec same = spec;
  same.deny.push_back(prefix("10.7.0.0/16"));  // says nothing new
  EXPECT_EQ(Built(spec)->fingerprint, Built(same)->fingerprint);
  same.deny.push_back(prefix("11.0.0.0/8"));
  EXPECT_NE(Built(spec)->fingerprint, Built(same)->fingerprint);
}

// Prefixes lie side by side, within each other, and at both ends.
TEST(AccessList, AgreesWithTheListItself) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 60; ++round) {
    AccessSpec spec;
    spec.deny_others = round % 2 != 0;
    std::set<net::Prefix> known;
    std::vector<net::Address> edges;
    const bool v4 = round % 4 < 2;
    for (uint32_t i = 0; i < 1 + random() % 60; ++i) {
      net::Address at = v4 ? net::Address::v4(0) : net::Address{};
      // Few different bits, so that prefixes meet.
      for (size_t byte = v4 ? 12 : 0; byte < 16; ++byte) {
        at.bytes[byte] = static_cast<uint8_t>(random() % 3 == 0 ? 0xff : random() % 3 == 0 ? 1 : 0);
      }
      const auto bits = static_cast<uint32_t>(random() % (v4 ? 33 : 129));
      const net::Prefix one{net::masked(at, (v4 ? 32u : 128u) - bits), static_cast<uint8_t>(bits)};
      if (one.address.is_v4() != v4 || !known.insert(one).second) continue;
      (random() % 2 == 0 ? spec.allow : spec.deny).push_back(one);
      edges.push_back(one.address);
      edges.push_back(at);
    }
    const Built list(spec);
    for (const net::Address& edge : edges) {
      for (size_t byte = v4 ? 12 : 0; byte < 16; ++byte) {
        for (const int step : {-1, 0, 1}) {
          net::Address client = edge;
          client.bytes[byte] = static_cast<uint8_t>(client.bytes[byte] + step);
          if (client.is_v4() != v4) continue;
          ASSERT_EQ(list.allows(client), is_allowed(spec, client))
              << round << " " << net::to_string(client);
        }
      }
    }
  }
}

TEST(AccessList, TensOfThousandsOfEntries) {
  AccessSpec spec;
  for (uint32_t i = 0; i < 50'000; ++i) {
    spec.deny.push_back({net::Address::v4(0x0b00'0000u + i * 512), 24});
  }
  const Built list(spec);
  EXPECT_LE(list.size(), 64u + 2 * 50'000 * sizeof(uint32_t));
  std::mt19937 random(3);
  for (int i = 0; i < 100'000; ++i) {
    const uint32_t offset = random() % (50'000 * 512);
    ASSERT_EQ(list.allows(net::Address::v4(0x0b00'0000u + offset)), offset % 512 >= 256);
  }
}

}  // namespace
}  // namespace nezu::tables
