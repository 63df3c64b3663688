// Which server a new flow goes to.
//
// One worker. The order is compiled by the control plane (rings, sequences of turns); here is only
// an index into it: by turn (rr, wrr), by chance (random; twos: the better of two), by hash (sh,
// mh), by load (lc, wlc, sed, nq, fo, ovf). Members that have enough (limits.h) are passed over.
// Positions of turns belong to a service, start elsewhere on each worker and survive every push.
// When nobody is ready a draining server that still serves takes the flow; failed and disabled ones
// never do.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/admit/limits.h"
#include "dataplane/admit/loads.h"
#include "dataplane/net/packet.h"
#include "dataplane/tables/view.h"

namespace nezu::admit {

/// Who asks: as it stands in the packet.
struct Client {
  net::Address address;
  uint16_t port = 0;
};

/// The same on every node and in every version, so that all nodes of a site agree on the server.
uint64_t client_hash(const Client& client, bool with_port);

class Scheduling {
 public:
  Scheduling(const tables::Sizes& sizes, uint16_t worker, uint16_t workers,
             std::vector<const tables::ServerCounters*> gauges);

  /// Null: no server takes new flows, or (`pool.ready_count` is not 0) all that would have enough.
  const tables::Member* pick(const tables::View& view, const tables::Service& service,
                             const tables::Pool& pool, const Client& client);
  /// It has as many flows as it may have.
  bool is_full(const tables::Member& member) { return limits_.is_full(member); }
  /// Of all workers.
  uint64_t flows_of(const tables::Member& member) const { return limits_.flows_of(member.server); }
  /// Where a service's turns, chances and limits stand: to try out elsewhere what comes next.
  struct Standing {
    uint32_t position = 0;
    uint64_t random = 1;
    Limits::Standing limits;
  };
  Standing standing(const tables::Service& service, const tables::Pool& pool) const;
  void stand(const tables::Service& service, const tables::Pool& pool, const Standing& there);
  /// A flow of that server has begun or ended: its gauge in `gauges` has changed.
  void load_changed(tables::ServerId server) { loads_.changed(server); }

 private:
  uint32_t pick_ready(const tables::View& view, const tables::Service& service,
                      const tables::Pool& pool, const Client& client);
  uint32_t pick_of_turns(const tables::Service& service, const tables::Pool& pool,
                         const tables::Ring& turns);
  uint32_t pick_open(const tables::View& view, const tables::Service& service,
                     const tables::Pool& pool, uint32_t first, uint64_t hash);
  uint32_t by_chance(const tables::Ring& turns);
  uint32_t turn(const tables::Service& service, uint32_t length);
  const tables::Member* pick_draining(const tables::Service& service, const tables::Pool& pool);

  uint32_t services_;
  uint16_t worker_, workers_;
  std::unique_ptr<uint32_t[]> positions_;  ///< by ServiceId
  uint64_t random_;                        ///< state of a generator; never 0
  Limits limits_;
  Loads loads_;
};

}  // namespace nezu::admit
