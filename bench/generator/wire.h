// One DPDK port with one queue to send and one or more to receive: all that the generator needs.
//
// The loop's thread. Any driver; promiscuous, as a judge wants to see what the device really sent.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <span>
#include <string>

#include "dataplane/net/address.h"

namespace nezu::generator {

struct WireOptions {
  std::string device;       ///< as DPDK names it: 0000:01:00.0, net_memif0
  uint32_t longest = 1518;  ///< frames, with FCS
  uint16_t descriptors = 2048;
  uint16_t receive_queues = 1;  ///< memif: as many as the other end has to send
};

struct WireCounters {
  uint64_t received = 0, sent = 0, missed = 0;
};

/// Buffers for all wires. Throws std::runtime_error when DPDK has no memory.
rte_mempool* make_pool(uint32_t buffers, uint32_t longest_frame);

class Wire {
 public:
  /// Throws std::runtime_error, naming the device.
  Wire(const WireOptions& options, rte_mempool* pool);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// Of one queue, which are asked in turn.
  uint16_t receive(rte_mbuf** to, uint16_t most) {
    if (!is_started_) [[unlikely]]
      return 0;
    if (++next_queue_ >= receive_queues_) next_queue_ = 0;
    return rte_eth_rx_burst(port_, next_queue_, to, most);
  }
  /// How many the port took, from the first.
  uint16_t send(rte_mbuf** frames, uint16_t count) {
    if (!is_started_) [[unlikely]]
      return 0;
    return rte_eth_tx_burst(port_, 0, frames, count);
  }
  bool has_link() const;
  /// Waits, up to ten seconds, until the other end is there.
  void wait_for_link();
  /// A virtual wire whose other end went away does not come back by itself: asks for it, when it is
  /// down. Rarely, as it takes its time.
  void reconnect();
  WireCounters counters() const;

  const std::string& device() const { return device_; }
  const std::string& driver() const { return driver_; }
  const net::MacAddress& mac() const { return mac_; }
  /// No medium that paces: memif, rings, vhost, TAPs. Frames that it does not take are lost.
  bool is_virtual() const { return is_virtual_; }
  /// Bits a second of the medium; 0: it does not say, or has none.
  double line_bits() const;

 private:
  std::string device_, driver_;
  uint16_t port_ = 0, receive_queues_ = 1, next_queue_ = 0;
  net::MacAddress mac_;
  bool is_virtual_ = false, is_started_ = true;
};

/// All bytes of a frame in one piece: of a chain, a copy in `room`, which lives as long as the next
/// call.
std::span<const uint8_t> bytes_of(const rte_mbuf* frame);

}  // namespace nezu::generator
