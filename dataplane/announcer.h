// Tells the networks about addresses that have become ours: gratuitous ARP, neighbour
// advertisements, MLD membership.
//
// The housekeeper's. An address is announced on the link on which it is a neighbour, three
// times within three seconds, again when that link comes up; an address that is only routed to is
// not announced.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "dataplane/device/gate.h"
#include "dataplane/link/announce.h"
#include "dataplane/net/time.h"
#include "dataplane/route/routes.h"
#include "dataplane/tables/view.h"

namespace nezu::dataplane {

class Announcer {
 public:
  explicit Announcer(device::Gate& gate) : gate_(gate) {}

  /// A new generation may have other addresses. Looks at them at most a few times a second.
  void look(const tables::View& view, const route::Routes& routes, net::Instant now);
  void link_up(uint16_t port);
  /// Another host has claimed it: once more.
  void defend(net::Instance instance, const net::Address& address);
  /// A router on that link asked who is a member of which group.
  void queried(uint16_t link) { queries_.push_back(link); }
  /// Sends what is due, a bounded number of frames a turn.
  void turn(const route::Routes& routes, net::Instant now);

 private:
  struct Announced {
    uint16_t link = 0;
    uint8_t left = 0;  ///< announcements to come
    bool wanted = false;
    net::Instant next;
  };
  void report_memberships(const route::Routes& routes, uint16_t link);
  void send(const link::Frame& frame, const route::Routes& routes, const route::Link& link);

  device::Gate& gate_;
  using Key = std::pair<net::Instance, net::Address>;
  std::map<Key, Announced> addresses_;
  std::vector<uint16_t> links_up_;  ///< ports whose link has come up
  std::vector<uint16_t> queries_;
  uint64_t generation_ = 0;
  uint32_t version_ = 0;
  net::Instant looked_, now_;
  uint32_t due_ = 0;  ///< addresses with announcements to come
};

}  // namespace nezu::dataplane
