// Frames that tell a network about addresses of our own before anybody asks.
//
// The housekeeper's; allocates. Sent when an address becomes ours (also by a change of role), a few
// times, as frames get lost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/net/address.h"

namespace nezu::link {

using Frame = std::vector<uint8_t>;

/// IPv4: an ARP announcement (RFC 5227 3); IPv6: an unsolicited neighbour advertisement with the
/// override flag (RFC 4861 7.2.6).
Frame announcement(const net::Address& address, const net::MacAddress& mac);

/// The multicast group in which an IPv6 address is asked for (RFC 4291 2.7.1).
net::Address solicited_node(const net::Address& address);

/// MLDv2 report (RFC 3810 5.2) of at most 64 of the groups: snooping switches then let questions
/// for our addresses through. From the link-local address that belongs to `mac`.
/// `joined`: these are new; else: the present state, as answer to a query.
Frame membership_report(std::span<const net::Address> groups, const net::MacAddress& mac,
                        bool joined);

/// Whether the frame (of IPv6, untagged) asks for such reports (RFC 3810 5.1, RFC 2710 3).
bool is_membership_query(std::span<const uint8_t> frame);

/// fe80::/64 with the modified EUI-64 of the MAC (RFC 4291 appendix A).
net::Address link_local(const net::MacAddress& mac);

}  // namespace nezu::link
