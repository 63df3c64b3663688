// ARP, NDP and pings of the hosts that the generator plays: it answers for their addresses, and
// asks who has the address of its gateway.
//
// One thread. RFC 826, RFC 4861, RFC 792. Questions are answered by the data plane's own code
// (link/, forward/), which has its tests; what is judged is not the neighbours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/range.h"

namespace nezu::generator {

/// Turns a question for one of `addresses`, or a ping of it, into its answer, in place. `frame` has
/// room for `room` bytes. The answer's length; 0: no question of ours, or for one that is mute.
uint32_t answer_neighbour(uint8_t* frame, uint32_t length, uint32_t room,
                          const std::vector<net::Range>& addresses, const net::MacAddress& mac,
                          const std::vector<net::Address>& mute = {});

/// Who says, in an answer or in a question, that `address` is at its MAC.
std::optional<net::MacAddress> learn_neighbour(std::span<const uint8_t> frame,
                                               const net::Address& address);

/// Who has `wanted`? `own` of the same family. A frame without FCS.
std::vector<uint8_t> ask_neighbour(const net::Address& wanted, const net::Address& own,
                                   const net::MacAddress& mac, uint16_t vlan);

}  // namespace nezu::generator
