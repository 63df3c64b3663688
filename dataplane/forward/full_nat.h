// `fullnat`: both sides are translated; the server sees an SNAT address of ours.
//
// One worker at a time; packets of Shape::transport or Shape::fragment (addresses only). Answers
// false when the packet ends here, with its reason set. Serves `nat` as well, at the price of
// writing the kept side over itself (bench/micro/edit.cc).
#pragma once

#include "dataplane/forward/translation.h"

namespace nezu::forward {

[[nodiscard]] inline bool full_nat(net::Packet& packet, const net::Ends4& to) {
  return rewrite<net::Edit4>(
      packet, [to](net::Edit4& edit) { edit.ends(to); }, [to] { return to.ports; });
}
[[nodiscard]] inline bool full_nat(net::Packet& packet, const Translation4& to) {
  return full_nat(packet, net::Ends4::of(to.source, to.destination));
}
[[nodiscard]] inline bool full_nat(net::Packet& packet, const Translation6& to) {
  return rewrite<net::Edit6>(
      packet,
      [to](net::Edit6& edit) {
        edit.source(to.source);
        edit.destination(to.destination);
      },
      [to] { return to.source.port | uint32_t{to.destination.port} << 16; });
}

}  // namespace nezu::forward
