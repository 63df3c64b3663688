// Who is asked for, who has answered, and the packets that wait for an answer.
//
// A pure state machine: what the kernel says and the time come in, things to do come out. No
// sockets, no packets (only their handles), no clock. The housekeeper's.
//
// The kernel sees none of our traffic, so to it every neighbour looks unused: it is told to keep
// those that we know, and what it forgets is asked for again while traffic goes on to the MAC that
// was known last. Only its verdict "failed" stops a hop.
//
//             hold, a route's gateway            the kernel: lladdr
//   (unknown) ------------------------> asking --------------------> ready
//                                         |  ^                        |  ^
//                     the kernel: failed  |  | asked every second     |  | lladdr
//                                         v  |                        v  |
//                                        failed <---- the kernel: failed
//                                          | for a minute, not a gateway
//                                          v
//                                       forgotten
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "dataplane/net/reason.h"
#include "dataplane/net/time.h"
#include "dataplane/route/hops.h"

namespace nezu::route {

struct NeighbourKey {
  uint16_t link = 0;
  net::Address address{};
  auto operator<=>(const NeighbourKey&) const = default;
};

/// The kernel's word about a neighbour.
enum class Heard : uint8_t {
  usable,  ///< it has a MAC (reachable, stale, being probed, permanent)
  asking,
  failed,
  gone,  ///< forgotten by the kernel
};
struct NeighbourNews {
  NeighbourKey key{};
  net::MacAddress mac{};
  Heard heard = Heard::gone;
};

class Neighbours {
 public:
  struct Limits {
    uint32_t packets_each = 8;
    uint32_t packets = 1024;
    uint32_t new_per_second = 2000;  ///< neighbours that traffic may make us ask for
    uint64_t give_up = 3 * net::kNanosecondsPerSecond;  ///< packets wait no longer
    uint64_t ask_again = net::kNanosecondsPerSecond;    ///< unanswered ones
    uint64_t keep = 5 * net::kNanosecondsPerSecond;     ///< answered ones are asked for so often
    uint64_t forget = 60 * net::kNanosecondsPerSecond;  ///< those that do not answer
  };

  Neighbours(Hops& hops, const Limits& limits) : hops_(hops), limits_(limits) {}

  /// A packet waits for this neighbour. `none`: it was taken or is in `sends` already; else the
  /// reason for which it cannot wait, and the buffer stays the caller's.
  net::Reason hold(const NeighbourKey& key, const Link& link, void* buffer, net::Instant now);
  /// A gateway of a route: known for as long as routes name it (`start_gateways` ... `gateway`).
  void start_gateways();
  void gateway(const NeighbourKey& key, const Link& link, net::Instant now);
  /// From the last run: usable at once, asked for soon.
  void remember(const NeighbourKey& key, const Link& link, const net::MacAddress& mac,
                net::Instant now);
  void hear(const NeighbourNews& news, net::Instant now);
  /// Goes on through all neighbours, `most` at a time.
  void tick(net::Instant now, size_t most = 256);

  // What is to be done; the caller empties these.
  struct Send {
    void* buffer = nullptr;
    uint16_t hop = 0;
  };
  struct Drop {
    void* buffer = nullptr;
    net::Reason reason = net::Reason::none;
  };
  std::vector<NeighbourKey> asks;
  std::vector<Send> sends;
  std::vector<Drop> drops;
  std::vector<uint16_t> forgotten;     ///< hops to release when no worker can know them any more
  std::vector<NeighbourKey> failures;  ///< have just failed
  bool added = false;                  ///< new ones are missing in the published Routes

  struct Known {
    NeighbourKey key;
    net::MacAddress mac;
    HopState state = HopState::asking;
  };
  std::vector<Known> all() const;
  bool knows(const NeighbourKey& key) const { return hosts_.contains(key); }
  size_t size() const { return hosts_.size(); }
  uint32_t packets_held() const { return held_; }

 private:
  struct Host {
    uint16_t hop = 0;
    bool gateway = false;
    net::Instant since;   ///< in this state (asking, failed)
    net::Instant ask_at;  ///< the next time
    std::vector<void*> waiting;
    net::Instant oldest;  ///< of those that wait
  };
  using Hosts = std::map<NeighbourKey, Host>;
  Host* add(const NeighbourKey& key, const Link& link, net::Instant now);
  void ask(const NeighbourKey& key, Host& host, net::Instant now, uint64_t again);
  void drop_waiting(Host& host);
  bool visit(const NeighbourKey& key, Host& host, net::Instant now);

  Hops& hops_;
  Limits limits_;
  Hosts hosts_;
  uint32_t held_ = 0;
  net::Instant second_;  ///< of `new_in_second_`
  uint32_t new_in_second_ = 0;
  std::optional<NeighbourKey> next_;  ///< where `tick` goes on
};

}  // namespace nezu::route
