// Takes the control plane's requests out of the region, has the workers answer, and passes their
// answers on.
//
// The housekeeper's. Nothing here waits: what finds no room stays where it is until the next turn,
// and what nobody reads any more (its deadline has passed) is thrown away.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "dataplane/clients.h"
#include "dataplane/net/time.h"
#include "dataplane/path.h"
#include "dataplane/route_keeper.h"
#include "dataplane/tables/region.h"

namespace nezu::dataplane {

class Clerk {
 public:
  Clerk(const tables::Region& region, std::vector<path::Desk*> desks, const RouteKeeper& routes,
        steer::Persistence& persistence)
      : region_(region),
        desks_(std::move(desks)),
        routes_(routes),
        clients_(region.header(), persistence) {}

  void turn(const tables::View& view, net::Instant now);

 private:
  /// A request that workers are answering.
  struct Pending {
    uint64_t deadline = 0;
    uint32_t limit = 0;
    uint32_t records = 0;  ///< passed on
    uint32_t workers = 0;  ///< not done yet
    uint64_t matched = 0;
  };
  void take_requests(const tables::View& view, net::Instant now);
  void give_out(const tables::Request& request);
  void collect(net::Instant now);
  bool pass_on(const tables::Reply& reply, net::Instant now);
  void answer(const tables::Request& request, tables::ReplyKind kind, uint64_t matched);
  void list_neighbours(const tables::Request& request);
  void list_routes(const tables::Request& request);
  void send_own();

  const tables::Region& region_;
  std::vector<path::Desk*> desks_;
  const RouteKeeper& routes_;
  Clients clients_;
  std::map<uint64_t, Pending> pending_;
  std::deque<tables::Reply> own_;                     ///< answers of ours that found no room yet
  std::map<const path::Desk*, tables::Reply> stuck_;  ///< a worker's, taken but not passed on
};

}  // namespace nezu::dataplane
