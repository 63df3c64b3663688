// What the packets of one direction of a flow become; what the path hands to every rewrite.
//
// A side that is kept (in `nat` the client's) carries the value that is there already.
#pragma once

#include <type_traits>

#include "dataplane/forward/sctp.h"
#include "dataplane/net/edit.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"

namespace nezu::forward {

struct Translation4 {
  net::Endpoint4 source;
  net::Endpoint4 destination;
  bool operator==(const Translation4&) const = default;
};

struct Translation6 {
  net::Endpoint6 source;
  net::Endpoint6 destination;
  bool operator==(const Translation6&) const = default;
};

/// True when the packet may make one more hop (RFC 1812 5.3.1, RFC 8200 3); else it is dropped.
/// `Edit`: of the packet's family.
template <typename Edit>
inline bool may_hop(net::Packet& packet) {
  const uint8_t hops = std::is_same_v<Edit, net::Edit4>
                           ? packet.at<net::Ipv4>(packet.l3)->ttl
                           : packet.at<net::Ipv6>(packet.l3)->hop_limit;
  if (hops > 1) [[likely]] {
    return true;
  }
  packet.drop(net::Reason::ttl_exceeded);
  return false;
}

inline bool may_hop(net::Packet& packet) {
  return packet.family == net::Family::ipv4 ? may_hop<net::Edit4>(packet)
                                            : may_hop<net::Edit6>(packet);
}

/// Pings, SCTP, protocols without ports, later fragments. Out of the way: within the loop that
/// rewrites TCP and UDP it would cost those 5 % of the whole path.
template <typename Edit, typename Work, typename Ports>
[[nodiscard, gnu::noinline]] bool rewrite_rare(net::Packet& packet, net::Touch touch, Work work,
                                               Ports ports) {
  if (touch == net::Touch::addresses && !set_sctp_ports(packet, ports())) return false;
  Edit edit{packet, touch};
  work(edit);
  edit.hop();
  return true;
}

/// One hop with what `work` does to the edit. The common kind has a way of its own, in which what
/// an edit may touch is known to the compiler. `ports`: what those of SCTP become, as they lie in
/// its header. Both hold what they need by value, which then stays in registers.
template <typename Edit, typename Work, typename Ports>
[[nodiscard, gnu::always_inline]] inline bool rewrite(net::Packet& packet, Work work, Ports ports) {
  if (!may_hop<Edit>(packet)) return false;
  const net::Touch touch = net::touch_of(packet);
  if (touch != net::Touch::transport) [[unlikely]]
    return rewrite_rare<Edit>(packet, touch, work, ports);
  Edit edit{packet, net::Touch::transport};
  work(edit);
  edit.hop();
  return true;
}

/// Transit and `route`: one hop further, nothing else. False when the packet ends here.
[[nodiscard]] inline bool pass_on(net::Packet& packet) {
  if (packet.family == net::Family::ipv4) {
    if (!may_hop<net::Edit4>(packet)) return false;
    net::Edit4(packet, net::Touch::addresses).hop();
  } else {
    if (!may_hop<net::Edit6>(packet)) return false;
    net::Edit6(packet, net::Touch::addresses).hop();
  }
  return true;
}

}  // namespace nezu::forward
