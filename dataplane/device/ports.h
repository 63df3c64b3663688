// The data ports: opened and started here, their queues given to threads.
//
// Threads are numbered: workers from 0, the housekeeper behind them. Each RX and TX queue has
// exactly one owning thread; a thread without a TX queue on a port gives its packets to the owner
// of one, by a ring that only these two use.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/device/plan.h"
#include "dataplane/net/address.h"
#include "dataplane/steer/handover.h"
#include "dataplane/tables/layout.h"

struct rte_mempool;

namespace nezu::device {

/// `--port name=front,dev=0000:01:00.0[,mtu=9000][,queues=4][,side=clients][,offloads=off]`.
struct PortOption {
  std::string name;
  std::string device;
  uint16_t mtu = 0;     ///< 0: what the device says
  uint16_t queues = 0;  ///< to receive by; 0: as fits
  Side side = Side::unknown;
  bool offloads = true;  ///< of checksums
};
/// Throws std::invalid_argument with a sentence.
PortOption parse_port(const std::string& text);

struct PortsOptions {
  std::vector<PortOption> ports;
  uint16_t workers = 1;
  uint32_t buffers = 0;  ///< of each pool; 0: as many as the queues and rings need
};

struct Port {
  uint16_t number = 0;  ///< ours
  uint16_t device = 0;  ///< DPDK's
  std::string name, device_name;
  net::MacAddress mac;
  uint16_t mtu = 1500;
  uint32_t interface = 0;  ///< of the kernel, where the device is one of its interfaces; 0: is not
  int socket = -1;         ///< NUMA node; -1: none
  Plan plan;
  std::string steering;  ///< one line for people
};

/// Counters as the device has them.
struct PortCounters {
  uint64_t received = 0, received_bytes = 0, sent = 0, sent_bytes = 0;
  uint64_t missed = 0, receive_errors = 0, send_errors = 0;
};

class Ports {
 public:
  /// Opens and starts all. Throws std::runtime_error with a sentence.
  explicit Ports(const PortsOptions& options);
  ~Ports();
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  const std::vector<Port>& all() const { return ports_; }
  uint16_t threads() const { return threads_; }
  /// Where a frame of our own, up to the port's MTU, fits into one buffer.
  rte_mempool* whole_pool(uint16_t port) const { return whole_pools_[port]; }

  struct Source {
    uint16_t port = 0, queue = 0;
  };
  /// RX queues that a worker owns.
  std::vector<Source> sources_of(uint16_t worker) const;
  /// The TX queue on a port by which a thread's packets leave, and who owns it.
  struct Exit {
    uint16_t queue = 0;
    uint16_t owner = 0;
  };
  Exit exit_of(uint16_t port, uint16_t thread) const {
    return exit_of(port, thread, workers_, ports_[port].plan.send_queues);
  }
  /// The rule behind it: for `queues` of a port.
  static Exit exit_of(uint16_t port, uint16_t thread, uint16_t workers, uint16_t queues);
  /// From a thread to the owner of its exit.
  steer::Ring<void*>& ring(uint16_t port, uint16_t thread) {
    return *rings_[size_t{port} * threads_ + thread];
  }

  /// What device or kernel say now. The housekeeper.
  bool link_is_up(uint16_t port) const;
  /// What the housekeeper has found, for all threads: nothing is sent by a port without a link.
  void note_link(uint16_t port, bool up) { links_[port].store(up, std::memory_order_relaxed); }
  bool has_link(uint16_t port) const { return links_[port].load(std::memory_order_relaxed); }
  /// Frames for other hosts as well, or not any more: the port is a bridge's. The housekeeper.
  void let_all_in(uint16_t port, bool all);
  bool lets_all_in(uint16_t port) const { return open_[port].load(std::memory_order_relaxed); }
  uint32_t speed_mbps(uint16_t port) const;
  PortCounters counters(uint16_t port) const;

 private:
  void open(Port& port, const PortOption& option);
  void configure(const Port& port, bool set_mtu);
  void make_pools(uint32_t buffers);
  rte_mempool* pool(int socket, uint32_t room, uint32_t buffers);
  void start(Port& port);
  void spread(Port& port);

  uint16_t workers_;
  uint16_t threads_;
  std::vector<Port> ports_;
  std::map<std::pair<int, uint32_t>, rte_mempool*> pools_;  ///< by NUMA node and room
  std::vector<rte_mempool*> whole_pools_;                   ///< of each port
  std::unique_ptr<std::atomic<bool>[]> links_, open_;       // the housekeeper
  std::vector<std::unique_ptr<steer::Ring<void*>>> rings_;
};

}  // namespace nezu::device
