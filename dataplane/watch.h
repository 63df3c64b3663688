// What people are told without asking: events in the region's ring, and each port's line.
//
// The housekeeper's. Looks at workers' counters a few times a second; each kind of trouble is told
// at most once a second for each worker.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "dataplane/device/ports.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/region.h"
#include "dataplane/tables/view.h"

namespace nezu::dataplane {

class Watch {
 public:
  Watch(const tables::Region& region, uint16_t workers);

  void tell(tables::EventKind kind, net::Instant now, uint16_t worker = 0, uint32_t subject = 0,
            uint64_t value = 0, std::string_view text = {});
  /// Looks at every worker; a few times a second.
  void look(net::Instant now);
  /// Drains whose deadline has passed (the workers end their flows); once a second.
  void look_at_drains(const tables::View& view, net::Instant now);

 private:
  struct Seen {
    uint64_t table_full = 0, ports_exhausted = 0, handover_full = 0;
    bool filling_ipv4 = false, filling_ipv6 = false;
    bool late = false;
  };
  void look_at_drops(uint16_t worker, net::Instant now);
  void look_at_fill(uint16_t worker, net::Instant now);
  void look_at_readers(net::Instant now);
  void look_at_nat_log(net::Instant now);
  uint64_t nat_log_lost() const;

  const tables::Region& region_;
  std::vector<Seen> seen_;
  struct Drain {
    net::Instant deadline;
    uint64_t flows = 0;  ///< when it was last looked at before the deadline
    bool over = false;
  };
  std::map<uint32_t, Drain> drains_;  ///< by the server's slot
  uint64_t nat_log_lost_ = 0;
  uint64_t sequence_ = 0;
};

/// What does not change while we run.
void describe_port(tables::PortLine& line, const device::Port& port, std::string_view twin,
                   uint32_t speed_mbps);
/// A port's counters begin at 0 with each start of ours, a line's never do: `base` is what the line
/// showed at first.
device::PortCounters counters_of(const tables::PortLine& line);
void mirror_counters(tables::PortLine& line, const device::PortCounters& base,
                     const device::PortCounters& counters);

}  // namespace nezu::dataplane
