#include "dataplane/device/netlink.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace nezu::device {
namespace {

constexpr uint16_t kNoLink = 0xffff;
constexpr int kEventBuffer = 4 << 20;

net::Address address_of(const nl_addr* address) {
  if (address == nullptr) return {};
  const void* bytes = nl_addr_get_binary_addr(address);
  const unsigned size = nl_addr_get_len(address);
  if (nl_addr_get_family(address) == AF_INET) {
    return net::Address::v4_raw(size == 4 ? net::load<uint32_t>(bytes) : 0);
  }
  return size == 16 ? net::Address::v6(bytes) : net::Address{};
}

net::Prefix prefix_of(const nl_addr* destination, int family) {
  if (destination == nullptr || nl_addr_get_len(destination) == 0) {
    return {family == AF_INET ? net::Address::v4(0) : net::Address{}, 0};
  }
  return {address_of(destination), static_cast<uint8_t>(nl_addr_get_prefixlen(destination))};
}

route::Heard heard_of(int state, bool has_mac) {
  if ((state & NUD_FAILED) != 0) return route::Heard::failed;
  constexpr int kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
  if ((state & kUsable) != 0 && has_mac) return route::Heard::usable;
  return route::Heard::asking;
}

/// One callback for everything that libnl has parsed.
struct Collector {
  std::function<void(nl_object*)> visit;
  static void parsed(nl_object* object, void* self) {
    static_cast<Collector*>(self)->visit(object);
  }
  static int message(nl_msg* message, void* self) {
    nl_msg_parse(message, parsed, self);
    return NL_OK;
  }
};

std::runtime_error failure(const char* what, int error) {
  return std::runtime_error(std::string("netlink: ") + what + ": " + nl_geterror(error));
}

}  // namespace

Netlink::Netlink(std::vector<Watched> links)
    : links_(std::move(links)),
      events_(nl_socket_alloc()),
      requests_(nl_socket_alloc()),
      asks_(nl_socket_alloc()) {
  nl_socket_disable_seq_check(events_);
  nl_socket_disable_seq_check(asks_);
  nl_socket_disable_auto_ack(asks_);
  if (const int error = nl_connect(events_, NETLINK_ROUTE); error < 0) {
    throw failure("no socket for events", error);
  }
  nl_socket_set_nonblocking(events_);
  nl_socket_set_buffer_size(events_, kEventBuffer, 0);
  if (const int error = nl_socket_add_memberships(events_, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                                  RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                                  RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH, RTNLGRP_NONE);
      error < 0) {
    throw failure("the kernel's events cannot be heard", error);
  }
  if (const int error = nl_connect(requests_, NETLINK_ROUTE); error < 0) {
    throw failure("no socket for requests", error);
  }
  nl_socket_set_buffer_size(requests_, kEventBuffer, 0);
  if (const int error = nl_connect(asks_, NETLINK_ROUTE); error < 0) {
    throw failure("no socket to ask by", error);
  }
  nl_socket_set_nonblocking(asks_);
}

Netlink::~Netlink() {
  nl_socket_free(events_);
  nl_socket_free(requests_);
  nl_socket_free(asks_);
}

uint16_t Netlink::link_of(uint32_t interface) const {
  const auto at = std::find_if(links_.begin(), links_.end(), [interface](const Watched& link) {
    return link.interface != 0 && link.interface == interface;
  });
  return at == links_.end() ? kNoLink : static_cast<uint16_t>(at - links_.begin());
}

namespace {

/// A neighbour of a twin, or nothing.
std::optional<route::NeighbourNews> neighbour_of(rtnl_neigh* neighbour, uint16_t link, bool gone) {
  if (link == kNoLink || rtnl_neigh_get_dst(neighbour) == nullptr) return std::nullopt;
  const int family = rtnl_neigh_get_family(neighbour);
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  route::NeighbourNews news;
  news.key = {link, address_of(rtnl_neigh_get_dst(neighbour))};
  const nl_addr* mac = rtnl_neigh_get_lladdr(neighbour);
  const bool has_mac = mac != nullptr && nl_addr_get_len(mac) == 6;
  if (has_mac) std::memcpy(news.mac.bytes.data(), nl_addr_get_binary_addr(mac), 6);
  news.heard = gone ? route::Heard::gone : heard_of(rtnl_neigh_get_state(neighbour), has_mac);
  return news;
}

struct Ranked {
  route::Route route;
  uint32_t priority = 0;
  bool down = false;   ///< no way of it has a link: used only when there is no other
  bool guest = false;  ///< of the main table, but of another instance than the standard one

  bool operator<(const Ranked& other) const {
    return std::tuple(down, guest, priority) < std::tuple(other.down, other.guest, other.priority);
  }
};

/// The instance that a table of the kernel belongs to.
std::optional<net::Instance> instance_of(uint32_t table, const std::vector<Watched>& links) {
  if (table == RT_TABLE_MAIN) return net::Instance::standard;
  if (table == 0 || table >= static_cast<uint32_t>(net::Instance::unknown)) return std::nullopt;
  const auto instance = static_cast<net::Instance>(table);
  const bool known = std::any_of(links.begin(), links.end(), [instance](const Watched& link) {
    return link.interface != 0 && link.instance == instance;
  });
  return known ? std::optional(instance) : std::nullopt;
}

/// A route of an instance; nothing for what the packet path has no use for.
template <typename LinkOf>
std::optional<Ranked> route_of(rtnl_route* from, const std::vector<Watched>& links,
                               LinkOf link_of) {
  const auto of_table = instance_of(rtnl_route_get_table(from), links);
  if (!of_table) return std::nullopt;
  const int type = rtnl_route_get_type(from);
  const bool refuses = type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT;
  if (type != RTN_UNICAST && !refuses) return std::nullopt;
  Ranked ranked;
  ranked.priority = rtnl_route_get_priority(from);
  ranked.route.instance = *of_table;
  bool is_first = true;
  ranked.route.prefix = prefix_of(rtnl_route_get_dst(from), rtnl_route_get_family(from));
  const net::Address& address = ranked.route.prefix.address;
  if (address.is_link_local() || address.is_multicast()) return std::nullopt;
  std::vector<route::Way> down;
  for (int i = 0; i < rtnl_route_get_nnexthops(from) && !refuses; ++i) {
    rtnl_nexthop* hop = rtnl_route_nexthop_n(from, i);
    const uint32_t flags = rtnl_route_nh_get_flags(hop);
    if ((flags & RTNH_F_DEAD) != 0) continue;
    const uint16_t link = link_of(static_cast<uint32_t>(rtnl_route_nh_get_ifindex(hop)));
    if (link == kNoLink) continue;
    if (is_first && *of_table == net::Instance::standard) {
      ranked.route.instance = links[link].instance;
    }
    is_first = false;
    // A way into another instance would be a leak.
    if (links[link].instance != ranked.route.instance) continue;
    const nl_addr* gateway = rtnl_route_nh_get_gateway(hop);
    if (gateway == nullptr) gateway = rtnl_route_nh_get_via(hop);
    auto& ways = (flags & RTNH_F_LINKDOWN) != 0 ? down : ranked.route.ways;
    ways.push_back(
        {link, address_of(gateway), static_cast<uint16_t>(rtnl_route_nh_get_weight(hop) + 1)});
  }
  // What goes there ends at the port that has no link, and is counted by that name.
  ranked.down = ranked.route.ways.empty() && !down.empty();
  if (ranked.down) ranked.route.ways = std::move(down);
  ranked.guest = ranked.route.instance != *of_table;
  return ranked;
}

}  // namespace

Netlink::News Netlink::listen() {
  News news;
  Collector collector;
  collector.visit = [&](nl_object* object) {
    const int type = nl_object_get_msgtype(object);
    if (type == RTM_NEWNEIGH || type == RTM_DELNEIGH) {
      auto* neighbour = reinterpret_cast<rtnl_neigh*>(object);
      const uint16_t link = link_of(static_cast<uint32_t>(rtnl_neigh_get_ifindex(neighbour)));
      if (const auto one = neighbour_of(neighbour, link, type == RTM_DELNEIGH)) {
        news.neighbours.push_back(*one);
      }
    } else {
      news.changed = true;
    }
  };
  nl_socket_modify_cb(events_, NL_CB_VALID, NL_CB_CUSTOM, Collector::message, &collector);
  constexpr int kMostReads = 64;
  for (int i = 0; i < kMostReads; ++i) {
    const int error = nl_recvmsgs_default(events_);
    if (error == -NLE_AGAIN) break;
    // The socket ran over: something was said that we did not hear.
    if (error < 0) news.changed = true;
  }
  return news;
}

bool Netlink::dump(int type, KernelState& state) {
  std::map<std::pair<net::Instance, net::Prefix>, Ranked> best;
  Collector collector;
  collector.visit = [&](nl_object* object) {
    const auto link = [this](uint32_t interface) { return link_of(interface); };
    if (type == RTM_GETADDR) {
      auto* address = reinterpret_cast<rtnl_addr*>(object);
      const uint16_t on = link_of(static_cast<uint32_t>(rtnl_addr_get_ifindex(address)));
      if (on != kNoLink) state.addresses.push_back({on, address_of(rtnl_addr_get_local(address))});
    } else if (type == RTM_GETNEIGH) {
      auto* neighbour = reinterpret_cast<rtnl_neigh*>(object);
      const uint16_t on = link_of(static_cast<uint32_t>(rtnl_neigh_get_ifindex(neighbour)));
      if (const auto one = neighbour_of(neighbour, on, false)) state.neighbours.push_back(*one);
    } else if (auto ranked = route_of(reinterpret_cast<rtnl_route*>(object), links_, link)) {
      const auto [at, fresh] =
          best.try_emplace({ranked->route.instance, ranked->route.prefix}, *ranked);
      if (!fresh && *ranked < at->second) at->second = *ranked;
    }
  };
  nl_socket_modify_cb(requests_, NL_CB_VALID, NL_CB_CUSTOM, Collector::message, &collector);
  if (nl_rtgen_request(requests_, type, AF_UNSPEC, NLM_F_DUMP) < 0) return false;
  const int error = nl_recvmsgs_default(requests_);
  for (auto& [key, ranked] : best) state.routes.push_back(std::move(ranked.route));
  return error >= 0;
}

bool Netlink::read(KernelState& state) {
  state = {};
  return dump(RTM_GETADDR, state) && dump(RTM_GETROUTE, state) && dump(RTM_GETNEIGH, state);
}

void Netlink::ask(const route::NeighbourKey& key) {
  // From Linux 5.16 on it keeps the neighbour by itself; older ones are asked again and again.
  change(key, NUD_NONE, NTF_USE, NTF_EXT_MANAGED);
}

void Netlink::probe(const route::NeighbourKey& key) {
  change(key, NUD_PROBE, 0, 0);
  ask(key);  // to keep it, which the probe's message has taken back
}

void Netlink::change(const route::NeighbourKey& key, uint16_t state, uint8_t flags,
                     uint32_t more_flags) {
  ndmsg header{};
  const bool v4 = key.address.is_v4();
  header.ndm_family = v4 ? AF_INET : AF_INET6;
  if (links_[key.link].interface == 0) return;
  header.ndm_ifindex = static_cast<int>(links_[key.link].interface);
  header.ndm_state = state;
  header.ndm_flags = flags;
  nl_msg* message = nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
  if (message == nullptr) return;
  nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO);
  const uint8_t* bytes = key.address.bytes.data() + (v4 ? 12 : 0);
  nla_put(message, NDA_DST, v4 ? 4 : 16, bytes);
  if (more_flags != 0) nla_put_u32(message, NDA_FLAGS_EXT, more_flags);
  nl_send_auto(asks_, message);
  nlmsg_free(message);
  // Refusals (a full table of neighbours) are read away: the neighbour is asked again anyway.
  char scrap[512];
  while (::recv(nl_socket_get_fd(asks_), scrap, sizeof scrap, MSG_DONTWAIT) > 0) {
  }
}

}  // namespace nezu::device
