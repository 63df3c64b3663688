// A capture on the shared region: gives the lease to the workers, renews it, and fetches the copies
// that they made.
//
// One thread. One at a time: the rings have one consumer.
#pragma once

#include <atomic>
#include <vector>

#include "controlplane/publish/publisher.h"
#include "dataplane/tables/region.h"

namespace nezu::publish {

class RegionCapture final : public Capture {
 public:
  /// `is_busy` is true, and becomes false when the capture ends.
  RegionCapture(const tables::Region& region, const tables::CaptureOrder& order,
                std::atomic<bool>& is_busy);
  ~RegionCapture() override;

  void take(bool is_last, const std::function<void(const CapturedPacket&)>& found) override;
  Counts counts() const override;

 private:
  struct Copy {
    tables::CapturedHead head;
    std::vector<uint8_t> bytes;
  };
  void renew(net::Instant now);
  void fetch();
  Counts counted() const;

  const tables::Region& region_;
  tables::CaptureOrder order_;
  std::atomic<bool>& is_busy_;
  uint64_t first_number_ = 0;
  net::Instant until_;
  Counts base_;
  std::vector<Copy> copies_;  ///< fetched, not told yet
  std::vector<uint8_t> room_;
};

}  // namespace nezu::publish
