// Buffers by hand: chains, tags and sums, without a port.
#include "dataplane/device/buffer.h"

#include <gtest/gtest.h>

#include <numeric>

#include "dataplane/device/gate.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"
#include "tests/unit/device/eal.h"

namespace nezu::device {
namespace {

class BufferTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    eal();
    pool_ = rte_pktmbuf_pool_create("buffers", 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(pool_, nullptr);
  }
  static void TearDownTestSuite() { rte_mempool_free(pool_); }
  /// Nothing is lost, whatever a test did.
  void TearDown() override { EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u); }

  /// `bytes` as a chain of parts of these lengths.
  static rte_mbuf* chain(const std::vector<uint8_t>& bytes, const std::vector<size_t>& parts) {
    rte_mbuf* first = nullptr;
    size_t at = 0;
    for (const size_t part : parts) {
      rte_mbuf* one = rte_pktmbuf_alloc(pool_);
      std::memcpy(rte_pktmbuf_append(one, static_cast<uint16_t>(part)), bytes.data() + at, part);
      at += part;
      if (first == nullptr) {
        first = one;
      } else {
        rte_pktmbuf_chain(first, one);
      }
    }
    EXPECT_EQ(at, bytes.size());
    return first;
  }
  static std::vector<uint8_t> bytes_of(const rte_mbuf* chain) {
    std::vector<uint8_t> bytes(chain->pkt_len);
    const void* at = rte_pktmbuf_read(chain, 0, chain->pkt_len, bytes.data());
    if (at != bytes.data()) std::memcpy(bytes.data(), at, bytes.size());
    return bytes;
  }
  static std::vector<uint8_t> counting(size_t length) {
    std::vector<uint8_t> bytes(length);
    std::iota(bytes.begin(), bytes.end(), uint8_t{0});
    return bytes;
  }
  static rte_mempool* pool_;
};
rte_mempool* BufferTest::pool_ = nullptr;

/// On the way to a twin.
TEST_F(BufferTest, TagsAreReadAndTakenOff) {
  auto frame = counting(100);
  const auto fate_of = [&](std::vector<uint8_t> type, const std::vector<size_t>& parts) {
    std::copy(type.begin(), type.end(), frame.begin() + 12);
    rte_mbuf* buffer = chain(frame, parts);
    const uint16_t vlan = Gate::vlan_of(buffer);
    Gate::untag(buffer);
    const std::pair fate{vlan, bytes_of(buffer)};
    EXPECT_EQ(rte_mbuf_check(buffer, 1, nullptr), 0);
    rte_pktmbuf_free(buffer);
    return fate;
  };
  for (const std::vector<size_t>& parts : std::vector<std::vector<size_t>>{{100}, {18, 82}}) {
    for (const uint8_t high : {0x00, 0x01, 0xe1}) {
      const auto [vlan, bytes] = fate_of({0x81, 0x00, high, 0x23}, parts);
      EXPECT_EQ(vlan, (high & 15) << 8 | 0x23);
      auto wanted = frame;
      wanted.erase(wanted.begin() + 12, wanted.begin() + 16);
      EXPECT_EQ(bytes, wanted);
    }
    const auto plain = fate_of({0x08, 0x00}, parts);
    EXPECT_EQ(plain, std::pair(uint16_t{0}, frame));
  }
  const auto half_a_tag = fate_of({0x81, 0x00}, {17, 83});
  EXPECT_EQ(half_a_tag, std::pair(uint16_t{0}, frame));
}

TEST_F(BufferTest, HeadersOfAChainAreMadeContiguous) {
  const auto bytes = counting(4000);
  for (const std::vector<size_t>& parts : std::vector<std::vector<size_t>>{
           {14, 986, 1500, 1500}, {100, 100, 100, 100, 1600, 2000}, {1, 1, 1998, 2000}}) {
    rte_mbuf* buffer = chain(bytes, parts);
    net::Packet packet;
    ASSERT_TRUE(arrive(packet, buffer, 3));
    EXPECT_GE(packet.head_length, kContiguous);
    EXPECT_EQ(packet.length, 4000u);
    EXPECT_EQ(packet.port, 3);
    EXPECT_EQ(rte_mbuf_check(buffer, 1, nullptr), 0);
    EXPECT_EQ(bytes_of(buffer), bytes);
    rte_pktmbuf_free(buffer);
  }
  // Shorter than what is wanted: all of it.
  rte_mbuf* buffer = chain(counting(60), {14, 46});
  net::Packet packet;
  ASSERT_TRUE(arrive(packet, buffer, 0));
  EXPECT_EQ(packet.head_length, 60u);
  EXPECT_EQ(buffer->nb_segs, 1);
  rte_pktmbuf_free(buffer);
}

// For whoever captures: the bytes as stages left them, wherever they lie.
TEST_F(BufferTest, AFrameInPartsIsReadWhole) {
  const auto bytes = counting(4000);
  rte_mbuf* buffer = chain(bytes, {14, 986, 1500, 1500});
  net::Packet packet;
  ASSERT_TRUE(arrive(packet, buffer, 3));
  const auto first = [&](size_t length) {
    std::vector<uint8_t> out(length);
    Gate::buffers().read(packet, out);
    return out;
  };
  for (const size_t length :
       {size_t{packet.head_length} + 1, size_t{1000}, size_t{2501}, size_t{4000}}) {
    EXPECT_EQ(first(length),
              std::vector<uint8_t>(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length)));
  }
  // Twenty bytes were put in front, as for a tunnel; the buffer does not know yet.
  packet.head -= 20;
  packet.head_length += 20;
  packet.length += 20;
  std::fill_n(packet.head, 20, uint8_t{0x5a});
  std::vector<uint8_t> wanted(4020, 0x5a);
  std::copy(bytes.begin(), bytes.end(), wanted.begin() + 20);
  EXPECT_EQ(first(4020), wanted);
  rte_pktmbuf_free(buffer);
}

TEST_F(BufferTest, AReplyInAChainsFirstBufferFreesTheRest) {
  rte_mbuf* buffer = chain(counting(4000), {2000, 2000});
  net::Packet packet;
  ASSERT_TRUE(arrive(packet, buffer, 0));
  packet.length = packet.head_length = 90;
  depart(packet);
  EXPECT_EQ(rte_pktmbuf_pkt_len(buffer), 90u);
  EXPECT_EQ(rte_mbuf_check(buffer, 1, nullptr), 0);
  rte_pktmbuf_free(buffer);
}

TEST_F(BufferTest, ATagThatWasTakenOffIsPutBack) {
  const auto bytes = counting(80);
  rte_mbuf* buffer = chain(bytes, {80});
  buffer->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
  buffer->vlan_tci = 0x6123;
  net::Packet packet;
  ASSERT_TRUE(arrive(packet, buffer, 0));
  EXPECT_EQ(packet.length, 84u);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + 12, packet.head));
  EXPECT_EQ(net::load<uint32_t>(packet.head + 12), net::swap32(0x81006123));
  EXPECT_TRUE(std::equal(bytes.begin() + 12, bytes.end(), packet.head + 16));
  rte_pktmbuf_free(mbuf_of(packet));
}

TEST_F(BufferTest, OnlyWhatTheDeviceSaysIsWrongIsAFault) {
  rte_mbuf* buffer = chain(counting(60), {60});
  const auto says = [&](uint64_t flags) {
    buffer->ol_flags = flags;
    return fault_of(buffer);
  };
  using net::Reason;
  EXPECT_EQ(says(0), Reason::none) << "unknown";
  EXPECT_EQ(says(RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD), Reason::none);
  EXPECT_EQ(says(RTE_MBUF_F_RX_IP_CKSUM_NONE | RTE_MBUF_F_RX_L4_CKSUM_NONE), Reason::none);
  EXPECT_EQ(says(RTE_MBUF_F_RX_IP_CKSUM_BAD), Reason::ipv4_checksum);
  EXPECT_EQ(says(RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD),
            Reason::transport_checksum);
  rte_pktmbuf_free(buffer);
}

/// The language of packets sums from scratch: what it made is put right again here.
TEST_F(BufferTest, SumsOverAChainAreRight) {
  const std::string text(3001, 'x');
  const dsl::Frame frames[] = {
      dsl::eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::tcp(40000, 80).ack(1) / text,
      dsl::eth() / dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::udp(40000, 80) / text,
      dsl::eth() / dsl::ipv6("2001:db8::7", "2001:db8::10") / dsl::udp(40000, 80) / text};
  for (const dsl::Frame& frame : frames) {
    const auto span = frame.bytes();
    const std::vector<uint8_t> right(span.begin(), span.end());
    rte_mbuf* buffer = chain(right, {701, 1001, right.size() - 1702});
    net::Packet packet;
    ASSERT_TRUE(arrive(packet, buffer, 0));
    parse::parse(packet);
    ASSERT_EQ(packet.verdict, net::Verdict::undecided) << net::to_string(packet.reason);
    const size_t sum = packet.l4 + (packet.protocol == net::Protocol::tcp ? 16u : 6u);
    packet.head[sum] ^= 0x55;
    depart(packet);
    sum_up(packet);
    EXPECT_EQ(bytes_of(buffer), right);
    rte_pktmbuf_free(buffer);
  }
}

TEST_F(BufferTest, AChainIsJoinedWhereItHasRoom) {
  rte_mempool* large = rte_pktmbuf_pool_create("large", 7, 0, 0, 9216, SOCKET_ID_ANY);
  ASSERT_NE(large, nullptr);
  const auto bytes = counting(6000);
  rte_mbuf* buffer = chain(bytes, {2000, 2000, 2000});
  EXPECT_EQ(joined(buffer, pool_), nullptr) << "nowhere room for it: unchanged";
  EXPECT_EQ(bytes_of(buffer), bytes);
  rte_mbuf* one = joined(buffer, large);
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->nb_segs, 1);
  EXPECT_EQ(bytes_of(one), bytes);
  rte_pktmbuf_free(one);
  rte_mempool_free(large);
}

}  // namespace
}  // namespace nezu::device
