// Checksums and hashes beside their plain or library counterparts.
#include <nmmintrin.h>

#include <array>
#include <vector>

#include "bench/micro/cases.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/hash.h"

namespace nezu::bench {
namespace {

using namespace net;

constexpr uint32_t kCount = 32;

std::vector<uint8_t>& frame() {
  static std::vector<uint8_t> bytes = [] {
    std::vector<uint8_t> filled(2048);
    for (size_t i = 0; i < filled.size(); ++i) filled[i] = static_cast<uint8_t>(mix64(i));
    return filled;
  }();
  return bytes;
}

uint16_t plain_sum(const uint8_t* at, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 2) sum += load<uint16_t>(at + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}
template <size_t kLength>
void sum_plain(uint64_t rounds) {
  for (; rounds != 0; --rounds) {
    auto sum = plain_sum(frame().data() + (rounds & 62), kLength);
    keep(sum);
  }
}
template <size_t kLength>
void sum_ours(uint64_t rounds) {
  for (; rounds != 0; --rounds) {
    auto sum = fold(add(0, frame().data() + (rounds & 62), kLength));
    keep(sum);
  }
}
void header_ours(uint64_t rounds) {
  for (; rounds != 0; --rounds) {
    auto sum = ipv4_header_sums_up(frame().data() + (rounds & 62));
    keep(sum);
  }
}

template <typename Tuple>
std::array<Tuple, kCount>& tuples() {
  static std::array<Tuple, kCount> made = [] {
    std::array<Tuple, kCount> filled{};
    for (uint32_t i = 0; i < kCount; ++i) {
      std::memcpy(static_cast<void*>(&filled[i]), frame().data() + 16 * i, sizeof(Tuple));
    }
    return filled;
  }();
  return made;
}
template <typename Tuple, auto kHash>
void hash_all(uint64_t rounds) {
  auto& all = tuples<Tuple>();
  for (; rounds != 0; --rounds) {
    auto value = kHash(all[rounds % kCount]);
    keep(value);
  }
}

const FlowHash& flow_hash() {
  static const FlowHash hash(42);
  return hash;
}
constexpr ToeplitzKey kKey{0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67};
const ShardHash& shard_hash() {
  static const ShardHash hash(kKey);
  return hash;
}

uint64_t flow4(const Tuple4& tuple) { return flow_hash()(tuple); }
uint64_t flow6(const Tuple6& tuple) { return flow_hash()(tuple); }
/// Cheap and no key: whoever knows the polynomial fills a bucket at will.
uint64_t crc4(const Tuple4& tuple) {
  const auto* words = reinterpret_cast<const uint8_t*>(&tuple);
  return _mm_crc32_u64(_mm_crc32_u64(0, load<uint64_t>(words)), load<uint64_t>(words + 8));
}
uint64_t mix4(const Tuple4& tuple) {
  const auto* words = reinterpret_cast<const uint8_t*>(&tuple);
  return mix64(load<uint64_t>(words) ^ mix64(load<uint64_t>(words + 8)));
}
uint64_t shard4(const Tuple4& tuple) { return shard_hash()(tuple.source, tuple.source_port); }
uint64_t shard6(const Tuple6& tuple) { return shard_hash()(tuple.source, tuple.source_port); }
uint64_t toeplitz4(const Tuple4& tuple) {
  std::array<uint8_t, 6> bytes;
  store(bytes.data(), tuple.source);
  store(bytes.data() + 4, tuple.source_port);
  return toeplitz(kKey, bytes);
}

constexpr Case kCases[] = {
    {"sum_20", "plain", "", sum_plain<20>},
    {"sum_20", "add", "plain", sum_ours<20>},
    {"sum_20", "ipv4_header", "plain", header_ours},
    {"sum_1500", "plain", "", sum_plain<1500>},
    {"sum_1500", "add", "", sum_ours<1500>},
    {"hash_tuple4", "crc32c", "", hash_all<Tuple4, crc4>},
    {"hash_tuple4", "mix64", "", hash_all<Tuple4, mix4>},
    {"hash_tuple4", "flow", "", hash_all<Tuple4, flow4>},
    {"hash_tuple6", "flow", "", hash_all<Tuple6, flow6>},
    {"shard_4", "toeplitz_by_bit", "", hash_all<Tuple4, toeplitz4>},
    {"shard_4", "shard", "", hash_all<Tuple4, shard4>},
    {"shard_6", "shard", "", hash_all<Tuple6, shard6>},
};

}  // namespace

std::span<const Case> sum_cases() { return kCases; }

}  // namespace nezu::bench
