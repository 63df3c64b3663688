// What a device says of itself in, how it is set up out; no device.
#include "dataplane/device/plan.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <set>

#include "dataplane/device/ports.h"
#include "dataplane/steer/steering.h"

namespace nezu::device {
namespace {

constexpr uint64_t kAllSums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

/// A NIC that can do all that we ask for.
Capabilities able_nic(uint16_t table = 512) {
  return {.driver = "net_able",
          .receive_queues = 64,
          .send_queues = 64,
          .spread_types = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP |
                          RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L3_DST_ONLY |
                          RTE_ETH_RSS_L4_SRC_ONLY | RTE_ETH_RSS_L4_DST_ONLY,
          .table_size = table,
          .key_size = 52,
          .receive_offloads = kAllSums | RTE_ETH_RX_OFFLOAD_SCATTER,
          .send_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
                           RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM};
}

Plan made(const Capabilities& device, const Wish& wish) {
  return plan(device, wish, steer::default_key());
}

TEST(Plan, QueuesForWorkersAndForWhoeverElseSends) {
  const Plan plan = made(able_nic(), {.workers = 4});
  EXPECT_EQ(plan.receive_queues, 4);
  EXPECT_EQ(plan.send_queues, 5) << "the housekeeper has one of its own";
  EXPECT_EQ(made(able_nic(), {.workers = 4, .queues = 2}).receive_queues, 2);
}

TEST(Plan, OneQueueWhereNothingSpreads) {
  EXPECT_EQ(made({.driver = "net_plain", .receive_queues = 8, .send_queues = 8}, {.workers = 4})
                .receive_queues,
            1);
  EXPECT_EQ(made({.driver = "net_plain", .receive_queues = 8}, {.workers = 4, .queues = 3})
                .receive_queues,
            3)
      << "asked for";
  EXPECT_EQ(made({.driver = "net_plain"}, {.workers = 4}).receive_queues, 1);
}

TEST(Plan, VirtualDevicesHaveTheirWays) {
  const Plan tap = made({.driver = "net_tap",
                         .receive_queues = 16,
                         .send_queues = 16,
                         .spread_types = RTE_ETH_RSS_IPV4},
                        {.workers = 2});
  EXPECT_EQ(tap.receive_queues, tap.send_queues) << "it takes no other numbers";
  EXPECT_FALSE(tap.filters_mac);
  const Plan packet =
      made({.driver = "net_af_packet", .receive_queues = 3, .send_queues = 3}, {.workers = 1});
  EXPECT_EQ(packet.receive_queues, 3) << "the kernel spreads over all of them";
  EXPECT_TRUE(packet.kernel_knows_link);
}

TEST(Plan, EachQueueOfAPortBelongsToAWorkerAndBack) {
  for (uint16_t workers = 1; workers < 9; ++workers) {
    for (uint16_t port = 0; port < 12; ++port) {
      for (uint16_t worker = 0; worker < workers; ++worker) {
        ASSERT_EQ(receiver_of(port, queue_of(port, worker, workers), workers), worker);
      }
    }
  }
}

/// What a NIC does by its plan: hash of one side, entry of its table, queue, worker.
uint16_t reached(const Plan& plan, uint16_t port, uint32_t address, uint16_t port_number) {
  std::array<uint8_t, 6> input{};
  std::memcpy(input.data(), &address, 4);
  std::memcpy(input.data() + 4, &port_number, 2);
  net::ToeplitzKey key{};
  std::copy_n(plan.key.begin(), key.size(), key.begin());
  const uint32_t hash = net::toeplitz(key, input);
  return receiver_of(port, plan.table[hash % plan.table.size()], plan.workers);
}

TEST(Plan, FullAgreementBringsEveryClientsPacketToItsOwner) {
  for (const uint16_t table : {512, 256, 128, 64}) {
    for (const uint16_t workers : {2, 3, 4, 6, 8}) {
      for (const uint16_t port : {0, 1}) {
        const Plan plan =
            made(able_nic(table), {.port = port, .workers = workers, .side = Side::clients});
        EXPECT_EQ(plan.spread_types & RTE_ETH_RSS_L4_SRC_ONLY, RTE_ETH_RSS_L4_SRC_ONLY);
        const steer::Steering steering(workers, 7);
        uint32_t home = 0;
        constexpr uint32_t kClients = 2000;
        for (uint32_t i = 0; i < kClients; ++i) {
          const uint32_t address = i * 2654435761u;
          const auto number = static_cast<uint16_t>(i * 7919);
          const uint16_t owner = steering.owner(steering.shard_hash()(address, number));
          home += reached(plan, port, address, number) == owner ? 1 : 0;
        }
        if (plan.agreement == Agreement::full) {
          EXPECT_EQ(home, kClients) << table << " entries, " << workers << " workers";
        } else {
          EXPECT_LT(home, kClients) << "it is full, and not said so";
          EXPECT_EQ(plan.agreement, Agreement::partial);
        }
      }
    }
  }
}

TEST(Plan, AnswersAgreeOnlyInPart) {
  const Plan plan = made(able_nic(), {.workers = 4, .side = Side::servers});
  EXPECT_EQ(plan.spread_types & RTE_ETH_RSS_L3_DST_ONLY, RTE_ETH_RSS_L3_DST_ONLY);
  EXPECT_EQ(plan.agreement, Agreement::partial);
  EXPECT_EQ(steering_line(plan), "hardware steering: partial; software hand-over for fullnat");
}

TEST(Plan, RulesForSnatPortsCompleteTheAgreement) {
  Plan servers = made(able_nic(), {.workers = 4, .side = Side::servers});
  EXPECT_TRUE(servers.wants_port_rules);
  count_on_port_rules(servers);
  EXPECT_EQ(steering_line(servers), "hardware steering: full; software hand-over for ICMP errors");
  Plan small_table = made(able_nic(128), {.workers = 3, .side = Side::servers});
  count_on_port_rules(small_table);
  EXPECT_EQ(steering_line(small_table),
            "hardware steering: partial; software hand-over for some shards");
  Plan both = made(able_nic(), {.workers = 4});
  count_on_port_rules(both);
  EXPECT_EQ(steering_line(both), "hardware steering: partial; by software all but SNAT's answers");
  EXPECT_LE(steering_line(both).size(), 63u);
  EXPECT_FALSE(made(able_nic(), {.workers = 4, .side = Side::clients}).wants_port_rules);
  EXPECT_FALSE(made(able_nic(), {.workers = 1}).wants_port_rules);
  Capabilities tap = able_nic();
  tap.driver = "net_tap";
  EXPECT_FALSE(made(tap, {.workers = 4}).wants_port_rules) << "it matches whole ports only";
}

TEST(Plan, NoAgreementWithoutASideOrItsHashOrATable) {
  EXPECT_EQ(made(able_nic(), {.workers = 4}).agreement, Agreement::none);
  EXPECT_EQ(made(able_nic(), {.workers = 4}).spread_types & RTE_ETH_RSS_L3_SRC_ONLY, 0u)
      << "one side alone would bring all answers of a server to one queue";
  Capabilities both_sides = able_nic();
  both_sides.spread_types &= ~RTE_ETH_RSS_L4_SRC_ONLY;
  EXPECT_EQ(made(both_sides, {.workers = 4, .side = Side::clients}).agreement, Agreement::none);
  EXPECT_EQ(made(able_nic(0), {.workers = 4, .side = Side::clients}).agreement, Agreement::none);
  Capabilities few = able_nic();
  few.receive_queues = 2;
  EXPECT_EQ(made(few, {.workers = 4, .side = Side::clients}).agreement, Agreement::none);
}

TEST(Plan, TheKeyIsAsLongAsTheDeviceWantsIt) {
  const Plan plan = made(able_nic(), {.workers = 2});
  ASSERT_EQ(plan.key.size(), 52u);
  const auto key = steer::default_key();
  EXPECT_TRUE(std::equal(key.begin(), key.end(), plan.key.begin()));
}

TEST(Plan, LongFramesInPartsWhereTheDeviceCan) {
  const Plan chains = made(able_nic(), {.mtu = 9000});
  EXPECT_TRUE(chains.takes_parts && chains.sends_segments);
  EXPECT_NE(chains.receive_offloads & RTE_ETH_RX_OFFLOAD_SCATTER, 0u);
  EXPECT_EQ(chains.room, uint32_t{RTE_MBUF_DEFAULT_BUF_SIZE});
  const Plan whole = made({.driver = "net_plain"}, {.mtu = 9000});
  EXPECT_FALSE(whole.takes_parts);
  EXPECT_GE(whole.room, 9000u + kFrameOverhead + RTE_PKTMBUF_HEADROOM);
  EXPECT_TRUE(made({.driver = "net_pcap"}, {.mtu = 9000}).takes_parts);
  const Plan usual = made(able_nic(), {.mtu = 1500});
  EXPECT_FALSE(usual.takes_parts);
  EXPECT_EQ(usual.receive_offloads & RTE_ETH_RX_OFFLOAD_SCATTER, 0u)
      << "a device may receive faster without";
}

TEST(Plan, SumsByTheDeviceUnlessSwitchedOff) {
  const Plan on = made(able_nic(), {});
  EXPECT_TRUE(on.sums_received && on.sums_sent);
  EXPECT_EQ(on.receive_offloads & kAllSums, kAllSums);
  const Plan off = made(able_nic(), {.offloads = false});
  EXPECT_FALSE(off.sums_received || off.sums_sent);
  EXPECT_EQ(off.receive_offloads & kAllSums, 0u);
  Capabilities no_udp = able_nic();
  no_udp.send_offloads &= ~RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
  EXPECT_FALSE(made(no_udp, {}).sums_sent) << "all or none";
}

TEST(Plan, EveryLineFitsItsPlaceInTheTables) {
  for (const uint16_t table : {512, 128, 0}) {
    for (const Side side : {Side::unknown, Side::clients, Side::servers}) {
      for (const uint16_t workers : {1, 2, 3}) {
        const Plan plan = made(able_nic(table), {.workers = workers, .side = side});
        EXPECT_LE(steering_line(plan).size(), 63u) << steering_line(plan);
      }
    }
  }
}

TEST(PortOption, ReadsWhatAnOperatorSays) {
  const PortOption option =
      parse_port("name=front,dev=net_af_packet0,mtu=9000,queues=4,side=servers,offloads=off");
  EXPECT_EQ(option.name, "front");
  EXPECT_EQ(option.device, "net_af_packet0");
  EXPECT_EQ(option.mtu, 9000);
  EXPECT_EQ(option.queues, 4);
  EXPECT_EQ(option.side, Side::servers);
  EXPECT_FALSE(option.offloads);
  EXPECT_TRUE(parse_port("name=a,dev=b").offloads);
}

TEST(PortOption, RefusesWithASentence) {
  for (const char* text :
       {"", "name=a", "dev=b", "name=a,dev=b,mtu=1", "name=a,dev=b,mtu=x", "name=a,dev=b,speed=3",
        "name=a,dev=b,queues=0", "name=a,dev=b,side=left", "name=a,dev=b,offloads=maybe"}) {
    EXPECT_THROW(parse_port(text), std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace nezu::device
