// Takes the control plane's orders to explain a packet out of the region, and leaves the answers
// there (tables/explain.h).
//
// The housekeeper's; a short step a turn, one order at a time and no more than ten a second.
#pragma once

#include "dataplane/device/ports.h"
#include "dataplane/net/time.h"
#include "dataplane/path_explainer.h"
#include "dataplane/tables/region.h"

namespace nezu::dataplane {

class Explanations {
 public:
  /// `workers`: as they run, by number; `desks`: theirs.
  Explanations(const tables::Region& region, const device::Ports& ports,
               std::vector<path::Setup> workers, std::vector<path::Desk*> desks)
      : region_(region), ports_(ports), explainer_(std::move(workers), std::move(desks)) {}

  void turn(const tables::View& view, const route::Routes& routes, net::Instant now);

 private:
  bool has_order(net::Instant now);
  void begin();
  bool is_for_us() const;
  void answer(const tables::Explanation& explanation);

  const tables::Region& region_;
  const device::Ports& ports_;
  path::Explainer explainer_;
  tables::ExplainOrder order_;
  uint64_t number_ = 0;  ///< of the last order that was taken
  net::Instant next_;    ///< not before then
};

}  // namespace nezu::dataplane
