// Asks the running data plane what would become of a frame, by the two letters in the region
// (tables/explain.h).
//
// Any thread; requests take turns.
#pragma once

#include <chrono>
#include <mutex>
#include <span>

#include "controlplane/publish/publisher.h"
#include "dataplane/tables/region.h"

namespace nezu::publish {

class Explain {
 public:
  explicit Explain(const tables::Region& region) : region_(region) {}

  /// As Publisher::explain. An answer that makes no sense is `refused`.
  ExplainAnswer ask(uint16_t port, std::span<const uint8_t> frame,
                    std::chrono::milliseconds timeout);

 private:
  const tables::Region& region_;
  std::mutex turn_;
  uint64_t last_ = 0;  ///< number of an order
};

}  // namespace nezu::publish
