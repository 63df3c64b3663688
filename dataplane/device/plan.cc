#include "dataplane/device/plan.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "dataplane/tables/blocks.h"

namespace nezu::device {
namespace {

/// What drivers of virtual devices do and do not say.
struct Traits {
  std::string_view driver;
  bool filters_mac = true;         ///< as a NIC does
  bool equal_queues = false;       ///< as many to receive as to send
  bool spreads_by_itself = false;  ///< over all its queues, whether they are read or not
  bool chains = false;             ///< frames longer than a buffer come as chains, undeclared
  bool kernel_knows_link = false;
  bool masks_ports = true;  ///< in rules of rte_flow, as it says
};
constexpr auto kTraits = std::to_array<Traits>({
    {.driver = "net_af_packet",
     .filters_mac = false,
     .spreads_by_itself = true,
     .kernel_knows_link = true},
    {.driver = "net_tap", .filters_mac = false, .equal_queues = true, .masks_ports = false},
    {.driver = "net_pcap", .filters_mac = false, .chains = true, .kernel_knows_link = true},
    {.driver = "net_memif", .chains = true},
});

Traits traits_of(std::string_view driver) {
  const auto* found = std::find_if(kTraits.begin(), kTraits.end(),
                                   [&](const Traits& one) { return one.driver == driver; });
  return found != kTraits.end() ? *found : Traits{.driver = driver};
}

constexpr uint64_t kSpreadTypes = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
constexpr uint64_t kSourceOnly = RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L4_SRC_ONLY;
constexpr uint64_t kDestinationOnly = RTE_ETH_RSS_L3_DST_ONLY | RTE_ETH_RSS_L4_DST_ONLY;
constexpr uint64_t kReceivedSums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kSentSums =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;

/// A device without settings for queues says so by zeros.
uint16_t at_least_one(uint16_t queues) { return std::max<uint16_t>(queues, 1); }

void plan_queues(Plan& plan, const Capabilities& device, const Wish& wish, const Traits& traits) {
  const uint16_t most = at_least_one(device.receive_queues);
  if (traits.spreads_by_itself) {
    plan.receive_queues = most;
  } else if (wish.queues != 0) {
    plan.receive_queues = std::min(wish.queues, most);
  } else if (device.spread_types != 0) {
    plan.receive_queues = std::min(wish.workers, most);
  }  // else all packets would come by one queue: several only cost polling
  const auto threads = static_cast<uint16_t>(wish.workers + 1);
  plan.send_queues = std::min(threads, at_least_one(device.send_queues));
  if (traits.equal_queues) {
    plan.receive_queues = plan.send_queues = std::min(plan.receive_queues, plan.send_queues);
  }
}

/// Whether an entry of a table of that size says which shard, or at least whose shard it is.
bool table_tells_owner(uint16_t size, uint16_t workers) {
  const bool power_of_two = size != 0 && (size & (size - 1)) == 0;
  return power_of_two && (size >= tables::kShardCount || size % workers == 0);
}

void plan_spreading(Plan& plan, const Capabilities& device, const Wish& wish, const Traits& traits,
                    const net::ToeplitzKey& key) {
  const uint64_t types = device.spread_types & kSpreadTypes;
  if (plan.receive_queues < 2 || types == 0) return;
  plan.spread_types = types;
  plan.key.assign(key.begin(), key.end());
  plan.key.resize(std::max<size_t>(device.key_size, key.size()));
  const bool each_has_one = plan.receive_queues == wish.workers;
  plan.wants_port_rules = each_has_one && wish.side != Side::clients && traits.masks_ports;
  for (uint16_t entry = 0; each_has_one && entry < device.table_size; ++entry) {
    const auto owner = static_cast<uint16_t>(entry % tables::kShardCount % wish.workers);
    plan.table.push_back(queue_of(wish.port, owner, wish.workers));
  }
  const uint64_t one_side = wish.side == Side::clients   ? kSourceOnly
                            : wish.side == Side::servers ? kDestinationOnly
                                                         : 0;
  if (one_side == 0 || (device.spread_types & one_side) != one_side || plan.table.empty()) return;
  plan.spread_types |= one_side;
  plan.table_tells_owner = table_tells_owner(device.table_size, wish.workers);
  plan.agreement =
      wish.side == Side::clients && plan.table_tells_owner ? Agreement::full : Agreement::partial;
}

void plan_offloads(Plan& plan, const Capabilities& device, const Wish& wish, const Traits& traits) {
  const bool fits = wish.mtu + kFrameOverhead <= RTE_MBUF_DEFAULT_DATAROOM;
  const bool scatters = (device.receive_offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
  if (!fits && scatters) plan.receive_offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  const uint32_t whole = (wish.mtu + kFrameOverhead + 63u) / 64 * 64;
  plan.takes_parts = !fits && (scatters || traits.chains);
  plan.room = RTE_PKTMBUF_HEADROOM + (fits || plan.takes_parts ? RTE_MBUF_DEFAULT_DATAROOM : whole);
  plan.send_offloads = device.send_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  plan.sends_segments = plan.send_offloads != 0;
  if (!wish.offloads) return;
  plan.sums_received = (device.receive_offloads & kReceivedSums) != 0;
  plan.receive_offloads |= device.receive_offloads & kReceivedSums;
  plan.sums_sent = (device.send_offloads & kSentSums) == kSentSums;
  if (plan.sums_sent) plan.send_offloads |= kSentSums;
}

}  // namespace

Plan plan(const Capabilities& device, const Wish& wish, const net::ToeplitzKey& key) {
  const Traits traits = traits_of(device.driver);
  Plan plan;
  plan.side = wish.side;
  plan.workers = wish.workers;
  plan.filters_mac = traits.filters_mac;
  plan.kernel_knows_link = traits.kernel_knows_link;
  plan_queues(plan, device, wish, traits);
  plan_spreading(plan, device, wish, traits, key);
  plan_offloads(plan, device, wish, traits);
  return plan;
}

void count_on_port_rules(Plan& plan) {
  plan.takes_port_rules = true;
  plan.agreement = plan.agreement == Agreement::partial && plan.table_tells_owner
                       ? Agreement::full
                       : Agreement::partial;
}

std::string steering_line(const Plan& plan) {
  if (plan.workers == 1) return "hardware steering: not needed; one worker owns all flows";
  switch (plan.agreement) {
    case Agreement::full:
      return "hardware steering: full; software hand-over for ICMP errors";
    case Agreement::partial:
      if (plan.side == Side::unknown) {
        return "hardware steering: partial; by software all but SNAT's answers";
      }
      return plan.side == Side::servers && !plan.takes_port_rules
                 ? "hardware steering: partial; software hand-over for fullnat"
                 : "hardware steering: partial; software hand-over for some shards";
    case Agreement::none:
      break;
  }
  return plan.receive_queues > 1 ? "hardware steering: none (spread); software hand-over by flow"
                                 : "hardware steering: none; software hand-over for all flows";
}

std::string offload_line(const Plan& plan) {
  std::string line = "checksums: received, ";
  line += plan.sums_received ? "by the device" : "IPv4 headers by software";
  line += plan.sums_sent ? "; sent, by the device" : "; sent, by software";
  if (plan.takes_parts) line += "; long frames come in parts";
  if (plan.takes_parts && !plan.sends_segments) line += " and are joined to be sent";
  return line;
}

}  // namespace nezu::device
