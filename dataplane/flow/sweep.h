// A walk over all of a table's entries, a slice at a time, while flows come and go around it.
//
// One worker. Every flow that is in the table during the whole walk is met exactly once.
#pragma once

#include <cstdint>

#include "dataplane/flow/table.h"

namespace nezu::flow {

class Sweep {
 public:
  void begin() { wide_ = false, next_ = 0, running_ = true; }
  bool running() const { return running_; }

  /// Up to `entries` further entries; `visit(FlowId)` is called for those that are flows and may
  /// end them. It answers false to be asked about the same flow again next time.
  template <typename Visit>
  void slice(const Table& table, uint32_t entries, Visit visit) {
    for (; running_ && entries != 0; --entries) {
      if (next_ == table.capacity(wide_)) {
        running_ = !wide_;
        wide_ = true;
        next_ = 0;
        continue;
      }
      const FlowId id(wide_, next_, Direction::to_server);
      if (table.track(id).valid != 0 && !visit(id)) return;
      ++next_;
    }
  }

 private:
  bool wide_ = false;
  bool running_ = false;
  uint32_t next_ = 0;
};

}  // namespace nezu::flow
