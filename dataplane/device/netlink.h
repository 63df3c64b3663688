// The kernel's routes, addresses and neighbours, as far as they concern the twins.
//
// The housekeeper's. Routes and addresses are read as a
// whole whenever something about them has changed; neighbours one by one. What the kernel could not
// tell us because we were slow is noticed, and everything is read again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/route/build.h"
#include "dataplane/route/neighbours.h"

struct nl_sock;
struct nl_object;

namespace nezu::device {

/// Everything at one time. Link numbers are places in the list given to Netlink.
struct KernelState {
  struct Own {
    uint16_t link = 0;
    net::Address address{};
    bool operator==(const Own&) const = default;
  };
  std::vector<Own> addresses;
  std::vector<route::Route> routes;
  std::vector<route::NeighbourNews> neighbours;
};

/// A twin that is looked after. Its routes are those of its instance: of the kernel's table of that
/// number (a VRF's), or of the main one.
struct Watched {
  uint32_t interface = 0;  ///< index; 0: none any more
  net::Instance instance = net::Instance::standard;
};

class Netlink {
 public:
  /// By link. Throws std::runtime_error with a sentence.
  explicit Netlink(std::vector<Watched> links);
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  struct News {
    bool changed = false;  ///< routes or addresses: read them again
    std::vector<route::NeighbourNews> neighbours;
  };
  /// From now on these; read everything again afterwards.
  void watch(std::vector<Watched> links) { links_ = std::move(links); }
  /// What came since the last call; never waits.
  News listen();
  /// Everything; waits for the kernel's answers. False when it did not answer whole.
  bool read(KernelState& state);
  /// Asks for a neighbour, and asks the kernel to keep it.
  void ask(const route::NeighbourKey& key);
  /// Lets the kernel ask one that it knows whether it is still there.
  void probe(const route::NeighbourKey& key);

 private:
  uint16_t link_of(uint32_t interface) const;
  void collect(nl_object* object, KernelState& state) const;
  bool dump(int type, KernelState& state);
  void change(const route::NeighbourKey& key, uint16_t state, uint8_t flags, uint32_t more_flags);

  std::vector<Watched> links_;
  nl_sock* events_ = nullptr;
  nl_sock* requests_ = nullptr;
  nl_sock* asks_ = nullptr;  ///< whose refusals nobody waits for
};

}  // namespace nezu::device
