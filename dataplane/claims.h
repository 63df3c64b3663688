// Other hosts that say that an address of ours is theirs (ARP, NDP): told and defended, not too
// often.
//
// The housekeeper's. Each pair of address and MAC is an event at first and then once a minute as
// long as it goes on; the address is announced again at most once in ten seconds (RFC 5227 2.4 c).
#pragma once

#include <map>
#include <tuple>

#include "dataplane/announcer.h"
#include "dataplane/path.h"
#include "dataplane/watch.h"

namespace nezu::dataplane {

class Claims {
 public:
  void see(const path::Claimed& claimed, net::Instant now, Watch& watch, Announcer& announcer);

 private:
  struct Seen {
    net::Instant told, defended;
  };
  static constexpr size_t kMost = 1024;  ///< pairs that are remembered
  std::map<std::tuple<net::Instance, net::Address, net::MacAddress>, Seen> seen_;
};

}  // namespace nezu::dataplane
