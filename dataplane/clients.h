// Persistence as people see it: requests about clients that stay on their server, and the clients
// whose time is over.
//
// The housekeeper's; a bounded slice of the table each turn.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "dataplane/net/time.h"
#include "dataplane/steer/persistence.h"
#include "dataplane/tables/layout.h"
#include "dataplane/tables/view.h"

namespace nezu::dataplane {

class Clients {
 public:
  Clients(tables::Header& header, steer::Persistence& table) : header_(header), table_(table) {}

  /// A request is being answered.
  bool is_busy() const { return busy_; }
  void begin(const tables::Request& request, const tables::View& view, net::Instant now);
  /// Answers go to the end of `out`.
  void turn(net::Instant now, std::deque<tables::Reply>& out);

 private:
  struct Rule {
    tables::ServiceId service;
    tables::Persistence kept;
  };
  void add(const tables::Request& request, const tables::View& view, net::Tick now);
  void visit(const steer::Persistence::Held& held, net::Tick now, std::deque<tables::Reply>& out);
  bool matches(const steer::Persistence::Held& held) const;

  tables::Header& header_;
  steer::Persistence& table_;
  uint32_t expire_next_ = 0;
  bool busy_ = false;
  tables::Request request_;
  uint32_t next_ = 0;  ///< place
  uint64_t matched_ = 0;
  using Group = std::pair<uint64_t, net::Instance>;  ///< scope, and where it is
  Group wanted_;                 ///< of the service that is asked about; scope 0: of all
  std::map<Group, Rule> rules_;  ///< of services as they were at `begin`
};

}  // namespace nezu::dataplane
