// Which servers became ready so lately that slow start concerns them.
//
// One thread. Forgotten by a restart of the control plane: what was under way then ends at once.
#pragma once

#include <chrono>
#include <map>

#include "controlplane/compile/compile.h"
#include "controlplane/compile/touched.h"

namespace nezu::api {

class SlowStart {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// A failed server is healthy again.
  void note_recovery(const config::Model& model, const tables::ServerIdentity& server, Time now);
  /// `edit` was applied, and `undo` leads back: servers that it has added to a pool, or made ready.
  /// All servers of a new pool begin alike, at once.
  void note_change(const store::Edit& edit, const store::Edit& undo, Time now);

  /// Touches the pools whose servers have more of their weight by now; whether there are any. Call
  /// now and then.
  bool step(const config::Model& model, Time now, compile::Touched& touched);
  compile::Ages ages(Time now) const;

 private:
  std::map<tables::ServerIdentity, Time> since_;
};

}  // namespace nezu::api
