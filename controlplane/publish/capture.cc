#include "controlplane/publish/capture.h"

#include <time.h>

#include <algorithm>

namespace nezu::publish {
namespace {

/// How long workers go on without a word of ours.
constexpr uint64_t kLease = 2 * net::kNanosecondsPerSecond;
/// Workers give their copies the time of their turn, and are fetched one after another: what is
/// younger than this may still be preceded by a copy of another one.
constexpr uint64_t kSettled = 2'000'000;
constexpr size_t kMostAtOnce = 16384;

int64_t wall_minus_boot() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return wall.tv_sec * 1'000'000'000 + wall.tv_nsec -
         static_cast<int64_t>(tables::boot_time().nanoseconds);
}

}  // namespace

RegionCapture::RegionCapture(const tables::Region& region, const tables::CaptureOrder& order,
                             std::atomic<bool>& is_busy)
    : region_(region), order_(order), is_busy_(is_busy), room_(tables::kMostSnap) {
  for (uint32_t i = 0; i < region_.header().sizes.workers; ++i) region_.captures_of(i).clear();
  base_ = counted();
  const net::Instant now = tables::boot_time();
  first_number_ = now.nanoseconds;
  renew(now);
}

RegionCapture::~RegionCapture() {
  region_.header().capture.end();
  is_busy_.store(false, std::memory_order_release);
}

void RegionCapture::renew(net::Instant now) {
  tables::CaptureLease& lease = region_.header().capture;
  // Workers do not come back to a lease that was over: this process stood still.
  const bool is_over = now > until_;
  until_ = net::after(now, kLease);
  if (is_over) {
    lease.give(now.nanoseconds, order_, until_.nanoseconds);
  } else {
    lease.renew(until_.nanoseconds);
  }
}

void RegionCapture::fetch() {
  tables::CapturedHead head;
  for (uint32_t i = 0; i < region_.header().sizes.workers; ++i) {
    tables::CaptureRing& ring = region_.captures_of(i);
    for (size_t n = 0; n < kMostAtOnce && ring.pop(head, room_); ++n) {
      // A worker may have been at it when the capture before this one ended.
      if (head.number < first_number_) continue;
      copies_.push_back({head, {room_.begin(), room_.begin() + head.captured}});
    }
  }
}

void RegionCapture::take(bool is_last, const std::function<void(const CapturedPacket&)>& found) {
  const net::Instant now = tables::boot_time();
  if (is_last) {
    region_.header().capture.end();
  } else {
    renew(now);
  }
  fetch();
  std::stable_sort(copies_.begin(), copies_.end(),
                   [](const Copy& a, const Copy& b) { return a.head.when < b.head.when; });
  const int64_t wall = wall_minus_boot();
  size_t told = 0;
  for (; told < copies_.size(); ++told) {
    const Copy& copy = copies_[told];
    if (!is_last && copy.head.when + kSettled > now.nanoseconds) break;
    found({copy.head, copy.head.when + static_cast<uint64_t>(wall), copy.bytes});
  }
  copies_.erase(copies_.begin(), copies_.begin() + static_cast<ptrdiff_t>(told));
}

Capture::Counts RegionCapture::counted() const {
  Counts sum;
  for (uint32_t i = 0; i < region_.header().sizes.workers; ++i) {
    const tables::WorkerLine& line = region_.worker(i);
    sum.captured += line.captured.read();
    sum.passed_over += line.capture_passed_over.read();
    sum.not_looked_at += line.capture_not_looked_at.read();
  }
  return sum;
}

Capture::Counts RegionCapture::counts() const {
  const Counts now = counted();
  return {now.captured - base_.captured, now.passed_over - base_.passed_over,
          now.not_looked_at - base_.not_looked_at};
}

}  // namespace nezu::publish
