#include "dataplane/net/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <set>

namespace nezu::net {
namespace {

Tuple4 tuple4(uint32_t source, uint16_t port) {
  return {.source = swap32(source),
          .destination = swap32(0xcb00710a),
          .source_port = swap16(port),
          .destination_port = swap16(80),
          .instance = Instance::standard,
          .protocol = Protocol::tcp};
}

/// Flips each bit of the tuple and averages how many bits of the hash change; the worst bit of the
/// hash must still change about every second time.
template <typename Tuple>
void expect_avalanche(size_t bytes) {
  std::mt19937_64 random(3);
  const FlowHash hash(42);
  for (size_t bit = 0; bit < bytes * 8; ++bit) {
    std::array<int, 64> flips{};
    constexpr int kRounds = 1000;
    for (int i = 0; i < kRounds; ++i) {
      Tuple tuple{};
      auto* raw = reinterpret_cast<uint8_t*>(&tuple);
      for (size_t at = 0; at < bytes; ++at) raw[at] = static_cast<uint8_t>(random());
      const uint64_t before = hash(tuple);
      raw[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
      const uint64_t changed = before ^ hash(tuple);
      for (size_t out = 0; out < 64; ++out) flips[out] += changed >> out & 1;
    }
    for (const int count : flips) EXPECT_NEAR(count, kRounds / 2, kRounds / 10) << bit;
  }
}

TEST(FlowHash, EveryBitOfTheTupleReachesEveryBitOfTheHash) {
  expect_avalanche<Tuple4>(15);
  expect_avalanche<Tuple6>(39);
}

TEST(FlowHash, NeighbouringFlowsSpreadOverBuckets) {
  // A million flows of one client and its neighbours into 2^16 buckets: chi squared near its mean.
  const FlowHash hash(1);
  std::vector<uint32_t> low(65536), high(65536);
  for (uint32_t client = 0; client < 16; ++client) {
    for (uint32_t port = 0; port < 65536; ++port) {
      const uint64_t value = hash(tuple4(0xc0000200 + client, static_cast<uint16_t>(port)));
      ++low[value & 0xffff];
      ++high[value >> 48];
    }
  }
  for (const auto& buckets : {low, high}) {
    double chi = 0;
    for (const uint32_t count : buckets) chi += (count - 16.0) * (count - 16.0) / 16.0;
    EXPECT_NEAR(chi, 65535, 6 * std::sqrt(2 * 65535.0));
  }
}

TEST(FlowHash, DependsOnTheSeedAndTheDirection) {
  const Tuple4 tuple = tuple4(0xc0000207, 40000);
  EXPECT_NE(FlowHash(1)(tuple), FlowHash(2)(tuple));
  EXPECT_EQ(FlowHash(1)(tuple), FlowHash(1)(tuple));
  EXPECT_NE(FlowHash(1)(tuple), FlowHash(1)(tuple.mirrored()));
}

TEST(Mix, IsABijectionThatSpreads) {
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 100'000; ++i) seen.insert(mix64(i) >> 20);
  EXPECT_GT(seen.size(), 99'990u);
}

// The verification suite of Microsoft's "RSS hashing functions": destination 161.142.100.80:1766,
// source 66.9.149.187:2794 and so on, hashed over source, destination, ports.
constexpr ToeplitzKey kMicrosoft{0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

TEST(Toeplitz, MicrosoftsVectors) {
  const uint8_t with_ports[] = {66, 9, 149, 187, 161, 142, 100, 80, 0x0a, 0xea, 0x06, 0xe6};
  EXPECT_EQ(toeplitz(kMicrosoft, with_ports), 0x51ccc178u);
  EXPECT_EQ(toeplitz(kMicrosoft, std::span(with_ports).first(8)), 0x323e8fc2u);
  const uint8_t second[] = {199, 92, 111, 2, 65, 69, 140, 83, 0x37, 0x96, 0x12, 0x83};
  EXPECT_EQ(toeplitz(kMicrosoft, second), 0xc626b0eau);
}

TEST(ShardHash, IsTheLowByteOfToeplitzOverAddressAndPort) {
  std::mt19937_64 random(4);
  const ShardHash hash(kMicrosoft);
  for (int i = 0; i < 1000; ++i) {
    std::array<uint8_t, 18> bytes;
    for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    const std::span<const uint8_t> input(bytes);
    EXPECT_EQ(hash(load<uint32_t>(&bytes[0]), load<uint16_t>(&bytes[4])),
              toeplitz(kMicrosoft, input.first(6)) & 0xff);
    std::array<uint8_t, 16> address;
    std::memcpy(address.data(), bytes.data(), 16);
    EXPECT_EQ(hash(address, load<uint16_t>(&bytes[16])), toeplitz(kMicrosoft, input) & 0xff);
  }
  const Address v4 = *parse_address("192.0.2.7");
  EXPECT_EQ(hash(v4, 99), hash(v4.v4_raw(), 99));
}

TEST(ShardHash, SpreadsClientsOverShards) {
  const ShardHash hash(kMicrosoft);
  std::array<int, 256> counts{};
  for (uint32_t client = 0; client < 256; ++client) {
    for (uint16_t port = 32768; port < 32768 + 256; ++port) {
      ++counts[hash(swap32(0x0a000000 + client), swap16(port))];
    }
  }
  for (const int count : counts) EXPECT_NEAR(count, 256, 256);
  EXPECT_GT(std::ranges::count_if(counts, [](int count) { return count > 0; }), 200);
}

}  // namespace
}  // namespace nezu::net
