#include "dataplane/net/crc32c.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string_view>
#include <vector>

namespace nezu::net {
namespace {

// RFC 3720 B.4 and the usual check value.
TEST(Crc32c, KnownSums) {
  const auto of = [](std::vector<uint8_t> bytes) { return crc32c(bytes.data(), bytes.size()); };
  constexpr std::string_view kCheck = "123456789";
  EXPECT_EQ(of({kCheck.begin(), kCheck.end()}), 0xe3069283u);
  EXPECT_EQ(of(std::vector<uint8_t>(32, 0)), 0x8a9136aau);
  EXPECT_EQ(of(std::vector<uint8_t>(32, 0xff)), 0x62a8ab43u);
}

TEST(Crc32c, AChangeAddsWhatItWouldAddToZeros) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> bytes(4 + random() % (round % 100 == 0 ? 65532 : 3000));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const uint32_t before = crc32c(bytes.data(), bytes.size());
    const auto delta = static_cast<uint32_t>(random());
    uint32_t word = 0;
    std::memcpy(&word, bytes.data(), 4);
    word ^= delta;
    std::memcpy(bytes.data(), &word, 4);
    const auto behind = static_cast<uint32_t>(bytes.size() - 4);
    EXPECT_EQ(crc32c(bytes.data(), bytes.size()), before ^ crc32c_change(delta, behind));
  }
}

}  // namespace
}  // namespace nezu::net
