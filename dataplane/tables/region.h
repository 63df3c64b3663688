// The region's file: made by the control plane, mapped by every process at an address of its own.
//
// `<directory>/region-<layout hash>` in hugetlbfs or tmpfs. It appears whole or not at all (made
// under another name and renamed), all its pages are taken at once (no SIGBUS later), and a process
// of another layout finds no file of its own and says which other one there is. Not for the packet
// path; never throws: whatever fails comes back as a sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/tables/layout.h"

namespace nezu::tables {

class Region {
 public:
  struct Opened {
    std::unique_ptr<Region> region;  ///< null: `error` says why
    std::string error;
    bool created = false;
  };

  /// For the one writer: takes the writer's lock, opens the region or makes it with `sizes`. An
  /// existing region keeps its own sizes.
  static Opened open_writer(const std::string& directory, const Sizes& sizes);
  /// For readers: opens the region that this build understands.
  static Opened open_reader(const std::string& directory);
  /// Anonymous memory instead of a file: for tests in one process.
  static Opened in_memory(const Sizes& sizes);

  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  Header& header() const { return *reinterpret_cast<Header*>(base_); }
  uint8_t* base() const { return base_; }
  uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

  template <typename T>
  T* at(uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  template <typename T>
  T* at(Ref<T> ref) const {
    return ref.exists() ? at<T>(ref.offset) : nullptr;
  }
  /// The live one; null before the first publication.
  const Root* root() const {
    const uint64_t offset = header().root.load(std::memory_order_acquire);
    return offset != 0 ? at<const Root>(offset) : nullptr;
  }

  ReaderLine& reader(uint32_t line) const { return at<ReaderLine>(header().readers_offset)[line]; }
  WorkerLine& worker(uint32_t number) const {
    return at<WorkerLine>(header().workers_offset)[number];
  }
  PortLine& port(uint32_t number) const { return at<PortLine>(header().ports_offset)[number]; }
  RequestRing& requests() const { return *at<RequestRing>(header().requests_offset); }
  ReplyRing& replies() const { return *at<ReplyRing>(header().replies_offset); }
  EventRing& events() const { return *at<EventRing>(header().events_offset); }
  CaptureRing& captures_of(uint32_t worker) const {
    return at<CaptureRing>(header().captures_offset)[worker];
  }

  /// Arrays by slot, one for each worker: only that worker writes them.
  ServiceCounters* services_of(uint32_t worker) const {
    return at<ServiceCounters>(header().service_counters_offset) +
           size_t{worker} * header().sizes.services;
  }
  ServerCounters* servers_of(uint32_t worker) const {
    return at<ServerCounters>(header().server_counters_offset) +
           size_t{worker} * header().sizes.servers;
  }
  AddressGauge* addresses_of(uint32_t worker) const {
    return at<AddressGauge>(header().address_gauges_offset) +
           size_t{worker} * header().sizes.addresses;
  }

 private:
  Region() = default;
  uint8_t* base_ = nullptr;
  uint64_t bytes_ = 0;
  std::string path_;
  int lock_ = -1;
};

/// One file that looks like a region, of any layout.
struct Found {
  std::string path;
  uint64_t layout = 0;
  uint64_t file_bytes = 0;
  bool ours = false;
};
std::vector<Found> find_regions(const std::string& directory);

/// Where both programs keep regions unless they are told: huge pages where the system has some
/// mounted, else memory that a reboot clears as well.
std::string usual_directory();

/// "region-0123456789abcdef".
std::string region_name(uint64_t layout);

/// One number for one process in one boot: its pid (which is reused) and its start time (field 22
/// of /proc/PID/stat). 0 when there is no such process.
uint64_t process_mark(uint32_t pid);
constexpr uint32_t pid_of(uint64_t mark) { return static_cast<uint32_t>(mark & 0xffffff); }
/// Whether that very process still runs.
inline bool process_lives(uint64_t mark) { return mark != 0 && process_mark(pid_of(mark)) == mark; }
/// When it started, boot time; 0 when there is no such process.
net::Instant process_start(uint32_t pid);
/// CLOCK_BOOTTIME.
net::Instant boot_time();

}  // namespace nezu::tables
