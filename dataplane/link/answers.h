// ARP and NDP for addresses of our own (VIPs, SNAT addresses): who asks, and the answer.
//
// One worker at a time; packets that the parser has passed. The caller decides whether the address
// is ours and at home on that port; echo requests are forward::reply_echo's. RFC 826, 5227 (ARP),
// RFC 4861 7.2 (NDP).
#pragma once

#include <optional>

#include "dataplane/net/packet.h"

namespace nezu::link {

/// The address that an ARP request or a valid neighbour solicitation (RFC 4861 7.1.1) asks for.
std::optional<net::Address> asked_address(const net::Packet& packet);

/// Somebody says that an address is at a MAC.
struct Claim {
  net::Address address;
  net::MacAddress mac;
};
/// By the sender of an ARP packet of any kind, or by a neighbour advertisement.
std::optional<Claim> claim_of(const net::Packet& packet);

/// Turns a packet with an `asked_address` into the answer "that is at `mac`", in place: verdict
/// `reply`. Also for probes by hosts that want the address for themselves (RFC 5227 2.4, RFC 4862
/// 5.4.4): they must learn that it is taken. Dropped when the buffer has no room.
void answer(net::Packet& packet, const net::MacAddress& mac);

}  // namespace nezu::link
