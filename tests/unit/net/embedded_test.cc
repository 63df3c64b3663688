// RFC 6052: IPv4 addresses inside IPv6 prefixes.
#include "dataplane/net/embedded.h"

#include <gtest/gtest.h>

namespace nezu::net {
namespace {

EmbeddingPrefix prefix(const char* text) {
  const auto parsed = parse_prefix(text);
  EmbeddingPrefix made;
  std::copy_n(parsed->address.bytes.begin(), made.bytes.size(), made.bytes.begin());
  made.length = parsed->length;
  return made;
}
std::string text(const std::array<uint8_t, 16>& bytes) {
  return to_string(Address::v6(bytes.data()));
}

// The examples of RFC 6052 2.4.
TEST(Embedded, TheExamplesOfTheRfc) {
  const uint32_t raw = parse_address("192.0.2.33")->v4_raw();
  for (const auto& [of, expected] : {std::pair{"2001:db8::/32", "2001:db8:c000:221::"},
                                     {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
                                     {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
                                     {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
                                     {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"},
                                     {"2001:db8:122:344::/96", "2001:db8:122:344::c000:221"},
                                     {"64:ff9b::/96", "64:ff9b::c000:221"}}) {
    const auto address = embedded(prefix(of), raw);
    EXPECT_EQ(text(address), text(parse_address(expected)->bytes)) << of;
    EXPECT_EQ(extracted(prefix(of).length, address), raw) << of;
    EXPECT_TRUE(embeds(prefix(of), address)) << of;
  }
}

TEST(Embedded, EveryLengthThereAndBackWithTheOctetLeftOut) {
  EmbeddingPrefix of;
  of.bytes.fill(0xff);
  of.bytes[8] = 0;
  for (const uint8_t length : kEmbeddingLengths) {
    of.length = length;
    for (uint32_t raw = 1; raw != 0; raw <<= 1) {
      const auto address = embedded(of, ~raw);
      EXPECT_EQ(address[8], 0);
      EXPECT_EQ(extracted(length, address), ~raw);
    }
  }
}

TEST(Embedded, NothingElseIsTakenForAnEmbeddedAddress) {
  const EmbeddingPrefix of = prefix("2001:db8:122::/48");
  const auto address = embedded(of, 0x01020304);
  for (const size_t octet : {0, 5, 8, 11, 15}) {
    auto other = address;
    other[octet] ^= 1;
    EXPECT_FALSE(embeds(of, other)) << octet;
  }
  EXPECT_FALSE(embeds(EmbeddingPrefix{}, address));
}

TEST(Embedded, TheWellKnownPrefixIsForGlobalAddresses) {
  EXPECT_TRUE(is_well_known(prefix("64:ff9b::/96")));
  EXPECT_FALSE(is_well_known(prefix("64:ff9b:1::/48")));
  EXPECT_FALSE(is_well_known(prefix("64:ff9b::/64")));
  for (const char* local : {"10.1.2.3", "172.31.0.1", "192.168.9.9", "100.64.0.1", "169.254.1.1",
                            "127.0.0.1", "0.1.2.3", "198.18.0.1", "240.0.0.1", "224.0.0.1"}) {
    EXPECT_FALSE(is_global_v4(parse_address(local)->v4_host())) << local;
  }
  for (const char* global : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "192.1.0.1", "11.0.0.1"}) {
    EXPECT_TRUE(is_global_v4(parse_address(global)->v4_host())) << global;
  }
}

}  // namespace
}  // namespace nezu::net
