#include "dataplane/device/port_rules.h"

#include <rte_flow.h>

#include <array>
#include <bit>
#include <cstring>

#include "dataplane/net/endian.h"

namespace nezu::device {
namespace {

constexpr uint32_t kRulesPerTurn = 32;

/// What a rule looks like to DPDK: Ethernet, the address, the port; then a queue.
struct Pattern {
  rte_flow_item_ipv4 ipv4{}, ipv4_mask{};
  rte_flow_item_ipv6 ipv6{}, ipv6_mask{};
  rte_flow_item_tcp tcp{}, tcp_mask{};
  rte_flow_item_udp udp{}, udp_mask{};
  rte_flow_action_queue queue{};
  std::array<rte_flow_item, 4> items{};
  std::array<rte_flow_action, 2> actions{};

  Pattern(const net::Address& address, const PortRule& rule) {
    items[0].type = RTE_FLOW_ITEM_TYPE_ETH;
    if (address.is_v4()) {
      ipv4.hdr.dst_addr = address.v4_raw();
      ipv4_mask.hdr.dst_addr = UINT32_MAX;
      items[1] = {RTE_FLOW_ITEM_TYPE_IPV4, &ipv4, nullptr, &ipv4_mask};
    } else {
      std::memcpy(ipv6.hdr.dst_addr, address.bytes.data(), address.bytes.size());
      std::memset(ipv6_mask.hdr.dst_addr, 0xff, address.bytes.size());
      items[1] = {RTE_FLOW_ITEM_TYPE_IPV6, &ipv6, nullptr, &ipv6_mask};
    }
    if (rule.protocol == net::Protocol::tcp) {
      tcp.hdr.dst_port = net::swap16(rule.port);
      tcp_mask.hdr.dst_port = net::swap16(rule.mask);
      items[2] = {RTE_FLOW_ITEM_TYPE_TCP, &tcp, nullptr, &tcp_mask};
    } else {
      udp.hdr.dst_port = net::swap16(rule.port);
      udp_mask.hdr.dst_port = net::swap16(rule.mask);
      items[2] = {RTE_FLOW_ITEM_TYPE_UDP, &udp, nullptr, &udp_mask};
    }
    items[3].type = RTE_FLOW_ITEM_TYPE_END;
    queue.index = rule.queue;
    actions[0] = {RTE_FLOW_ACTION_TYPE_QUEUE, &queue};
    actions[1].type = RTE_FLOW_ACTION_TYPE_END;
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
};

constexpr rte_flow_attr into_the_port() {
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  return attributes;
}

PortRules::Calls by_rte_flow() {
  return {[](uint16_t device, const net::Address& address, const PortRule& rule) {
            const Pattern pattern(address, rule);
            const rte_flow_attr attributes = into_the_port();
            rte_flow_error error{};
            return rte_flow_create(device, &attributes, pattern.items.data(),
                                   pattern.actions.data(), &error);
          },
          [](uint16_t device, rte_flow* rule) {
            rte_flow_error error{};
            rte_flow_destroy(device, rule, &error);
          }};
}

}  // namespace

std::vector<PortRule> rules_for(uint16_t port, uint16_t workers) {
  // An owner is the shard modulo workers, a shard the port modulo 256.
  const uint32_t values = std::has_single_bit(workers) && workers <= tables::kShardCount
                              ? workers
                              : tables::kShardCount;
  std::vector<PortRule> rules;
  for (const net::Protocol protocol : {net::Protocol::tcp, net::Protocol::udp}) {
    for (uint32_t value = 0; value < values; ++value) {
      const auto owner = static_cast<uint16_t>(value % workers);
      rules.push_back({protocol, static_cast<uint16_t>(value), static_cast<uint16_t>(values - 1),
                       queue_of(port, owner, workers)});
    }
  }
  return rules;
}

bool takes_port_rules(uint16_t device) {
  constexpr std::array<uint8_t, 16> kExample6 = {0x20, 0x01, 0x0d, 0xb8};           // 2001:db8::
  const net::Address examples[] = {net::Address::v4_raw(net::swap32(0xc0000201u)),  // 192.0.2.1
                                   net::Address::v6(kExample6.data())};
  for (const net::Address& address : examples) {
    for (const PortRule& rule :
         {PortRule{net::Protocol::tcp, 1, 1, 0}, {net::Protocol::udp, 1, 1, 0}}) {
      const Pattern pattern(address, rule);
      const rte_flow_attr attributes = into_the_port();
      rte_flow_error error{};
      if (rte_flow_validate(device, &attributes, pattern.items.data(), pattern.actions.data(),
                            &error) != 0) {
        return false;
      }
    }
  }
  return true;
}

PortRules::PortRules(std::span<const Port> ports, uint16_t workers, std::optional<Calls> calls)
    : calls_(calls ? std::move(*calls) : by_rte_flow()) {
  for (const Port& port : ports) {
    Place& place = places_.emplace_back();
    if (!port.plan.takes_port_rules) continue;
    place.device = port.device;
    place.pattern = rules_for(port.number, workers);
  }
}

PortRules::~PortRules() {
  for (Place& place : places_) {
    for (const auto& [address, rules] : place.addresses) {
      for (rte_flow* rule : rules.made) calls_.remove(*place.device, rule);
    }
  }
}

void PortRules::follow(const tables::View& view, net::Instant now) {
  if (view.is_ready() && view.generation() != generation_ &&
      now >= net::after(looked_, net::kNanosecondsPerSecond)) {
    looked_ = now;
    generation_ = view.generation();
    for (Place& place : places_) {
      if (place.device) look(place, view);
    }
  }
  uint32_t budget = kRulesPerTurn;
  for (Place& place : places_) {
    if (!place.complete) make_some(place, budget);
  }
}

/// Which addresses there are now; rules of others end.
void PortRules::look(Place& place, const tables::View& view) {
  bool changed = false;
  for (auto& [address, rules] : place.addresses) rules.wanted = false;
  view.each(view.root()->addresses, [&](const tables::LocalAddress& local) {
    if (local.kind != tables::AddressKind::snat) return;
    const auto [found, is_new] = place.addresses.try_emplace(local.address);
    found->second.wanted = true;
    changed |= is_new;
  });
  changed |= std::erase_if(place.addresses, [&](const auto& one) {
               if (one.second.wanted) return false;
               for (rte_flow* rule : one.second.made) calls_.remove(*place.device, rule);
               return true;
             }) != 0;
  if (!changed) return;
  place.complete = false;
  place.refused = false;
}

void PortRules::make_some(Place& place, uint32_t& budget) {
  for (auto& [address, rules] : place.addresses) {
    while (rules.made.size() < place.pattern.size()) {
      if (budget == 0) return;
      --budget;
      rte_flow* rule = calls_.make(*place.device, address, place.pattern[rules.made.size()]);
      if (rule == nullptr) {
        place.refused = place.complete = true;
        return;
      }
      rules.made.push_back(rule);
    }
  }
  place.complete = true;
}

uint32_t PortRules::count(uint16_t port) const {
  uint32_t sum = 0;
  for (const auto& [address, rules] : places_[port].addresses) {
    sum += static_cast<uint32_t>(rules.made.size());
  }
  return sum;
}

}  // namespace nezu::device
