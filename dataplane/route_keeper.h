// Keeps the packet path's routes and neighbours what the kernel's are.
//
// The housekeeper's part that stands between netlink (device/), the neighbours' state machine and
// the building of Routes (route/). Routes and addresses are read again as a whole when the kernel
// says that something has changed, at most so often that reading takes a tenth of the time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/device/netlink.h"
#include "dataplane/route/build.h"
#include "dataplane/route/neighbours.h"
#include "dataplane/route/published.h"

namespace nezu::dataplane {

class RouteKeeper {
 public:
  /// A link with its twin.
  struct Attachment {
    route::Link link;
    std::string name;        ///< "front", "front.10"
    uint32_t interface = 0;  ///< of the twin; 0: none any more
  };
  struct Options {
    std::vector<Attachment> links;  ///< of the ports, in their order
    std::string state_file;
    uint32_t readers = 1;  ///< workers
    uint32_t hops = 16384;
    uint64_t seed = 0;
  };
  RouteKeeper(const Options& options, net::Instant now);

  route::Published<route::Routes>& published() { return published_; }
  const route::Routes& current() const { return published_.current(); }
  const route::Hops& hops() const { return hops_; }
  route::Neighbours& neighbours() { return neighbours_; }
  const route::Neighbours& neighbours() const { return neighbours_; }
  const device::KernelState& kernel() const { return state_; }

  /// More links, or others in the place of those that were: numbers keep their port and VLAN. The
  /// kernel is asked for everything anew.
  void set_links(std::vector<Attachment> links, net::Instant now);
  /// Whether links are up: equal-cost ways on others are left out.
  void set_links_up(const std::vector<bool>& up);
  /// What the kernel has said, what is due, and a new publication when there is something new.
  void turn(net::Instant now);
  /// A packet for `destination` waits. As Neighbours::hold.
  net::Reason hold(net::Instance instance, const net::Address& destination, void* buffer,
                   net::Instant now);
  void save();

  // Bridges: their links' neighbours are at one side or the other.
  route::Leases& leases() { return leases_; }
  /// A frame of that host came in by `port`, on a link of a bridge.
  void see(uint16_t link, const net::MacAddress& mac, uint16_t port);
  /// By which port a host was seen; nothing when it was not.
  std::optional<uint16_t> port_of(uint16_t link, const net::MacAddress& mac) const;
  /// Who is where may be different now: all are asked again.
  void forget_sides(uint16_t link, net::Instant now);

 private:
  static std::vector<device::Watched> watched(const std::vector<Attachment>& links);
  std::vector<std::string> names() const;
  void listen(net::Instant now);
  void read_kernel(net::Instant now);
  void take_over(device::KernelState state, net::Instant now);
  void build_whole(net::Instant now);
  void build_hosts();
  std::unique_ptr<const route::Routes> build(bool whole);
  void release_forgotten();
  void hear(const route::NeighbourNews& news, net::Instant now);
  void probe_unseated(net::Instant now);
  void save_when_due(net::Instant now);

  Options options_;
  route::Hops hops_;
  route::Leases leases_;
  using Host = std::pair<uint16_t, net::MacAddress>;      ///< link, MAC
  std::map<Host, uint16_t> sides_;                        ///< ports
  std::map<route::NeighbourKey, net::Instant> unseated_;  ///< side unknown; when to ask
  route::Neighbours neighbours_;
  route::Published<route::Routes> published_;
  device::Netlink netlink_;
  device::KernelState state_;                                  ///< as last read
  std::map<route::NeighbourKey, route::NeighbourNews> heard_;  ///< all that the kernel has
  std::vector<Attachment> links_;
  uint32_t version_ = 1;
  bool read_due_ = true;
  net::Instant read_after_;
  bool unsaved_ = false;
  net::Instant saved_;
  struct Forgotten {
    uint64_t mark = 0;
    uint16_t hop = 0;
  };
  std::vector<Forgotten> forgotten_;
};

}  // namespace nezu::dataplane
