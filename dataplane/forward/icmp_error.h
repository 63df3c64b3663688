// ICMP errors about packets of a flow, translated outside and inside, for `nat` and `fullnat`.
//
// One worker at a time; packets of Shape::icmp_error with `inner_l4` (RFC 5508 4, RFC 7915 has the
// rules across families). An error travels against the packet that it quotes: the key of the flow's
// direction that it belongs to is `tuple.mirrored()`, and `to` is what ordinary packets of that
// direction become.
//
//   inside:   source -> to.destination, destination -> to.source, with the inner checksums
//   outside:  destination -> to.destination; source -> to.source only where the flow's translation
//             changes that side: a router behind us must not show its private address to a client,
//             while a server may know which router on the way to the client spoke (as Linux does)
#pragma once

#include "dataplane/forward/translation.h"

namespace nezu::forward {

/// False when the packet ends here, with its reason set.
[[nodiscard]] bool icmp_error(net::Packet& packet, const Translation4& to);
[[nodiscard]] bool icmp_error(net::Packet& packet, const Translation6& to);

}  // namespace nezu::forward
