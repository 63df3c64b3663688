// Requests to the data plane's housekeeper by the region's request ring, and their answers.
//
// Any thread; requests take turns. A reply of an earlier request, whose asker gave up, is dropped.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>

#include "controlplane/publish/publisher.h"
#include "dataplane/tables/region.h"

namespace nezu::publish {

class Requests {
 public:
  explicit Requests(const tables::Region& region);

  /// `found` is called for each record; false from it ends the request early.
  FlowAnswer ask(tables::RequestKind kind, const tables::FlowFilter& filter, uint32_t limit,
                 std::chrono::milliseconds timeout,
                 const std::function<bool(const tables::FlowRecord&)>& found);

 private:
  const tables::Region& region_;
  std::mutex turn_;
  uint64_t sequence_;
};

/// Does a reader of the process that calls itself the data plane live?
bool data_plane_lives(const tables::Region& region);

}  // namespace nezu::publish
