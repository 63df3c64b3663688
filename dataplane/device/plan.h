// How a port is to be set up, decided from what its device says of itself: pure, no device touched.
//
// Any thread. `ports.cc` asks the device, carries the plan out, and tells what was refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/hash.h"

namespace nezu::device {

/// By that the NIC can be told where a packet's client stands.
using net::Side;

/// As in rte_eth_dev_info; bits are DPDK's own.
struct Capabilities {
  std::string driver;
  uint16_t receive_queues = 0, send_queues = 0;  ///< most; 0: the device has no setting
  uint64_t spread_types = 0;                     ///< RTE_ETH_RSS_*
  uint16_t table_size = 0;                       ///< of the redirection table; 0: has none
  uint8_t key_size = 0;                          ///< 0: the usual 40
  uint64_t receive_offloads = 0, send_offloads = 0;
};

struct Wish {
  uint16_t port = 0;  ///< ours: queues of different ports begin with different workers
  uint16_t workers = 1;
  uint16_t mtu = 1500;
  uint16_t queues = 0;  ///< RX queues asked for; 0: as fits
  Side side = Side::unknown;
  bool offloads = true;
};

/// How much of what comes in reaches its owner without a hand-over between workers.
enum class Agreement : uint8_t { none, partial, full };

struct Plan {
  uint16_t receive_queues = 1, send_queues = 1;
  uint64_t receive_offloads = 0, send_offloads = 0;
  uint64_t spread_types = 0;    ///< 0: RSS is not set
  std::vector<uint8_t> key;     ///< for RSS, as long as the device wants it
  std::vector<uint16_t> table;  ///< the queue of each entry; empty: left as it is
  bool table_tells_owner = false;
  Agreement agreement = Agreement::none;
  Side side = Side::unknown;
  uint16_t workers = 1;
  bool wants_port_rules = false;   ///< rules for SNAT ports would bring answers home
  bool takes_port_rules = false;   ///< ... and the device, asked when started, takes them
  bool filters_mac = true;         ///< false: frames for other hosts come in
  bool sends_segments = false;     ///< false: a chain is copied before it is sent
  bool sums_received = false;      ///< the device says which sums are wrong
  bool sums_sent = false;          ///< the device computes sums where it is asked to
  bool kernel_knows_link = false;  ///< the driver does not follow its interface's carrier
  bool takes_parts = false;        ///< a frame longer than a buffer comes in as a chain
  uint32_t room = 0;               ///< bytes of a buffer: for a frame, or for a part of one
};

/// What a frame needs besides its MTU: Ethernet, VLAN, FCS.
inline constexpr uint32_t kFrameOverhead = 14 + 4 + 4;
/// The longest frame that a port may have: 9,216 bytes and that.
inline constexpr uint32_t kMostFrame = 9216 + kFrameOverhead;

Plan plan(const Capabilities& device, const Wish& wish, const net::ToeplitzKey& key);

/// The worker that owns an RX queue of a port, and (where there is one) the queue of a worker.
constexpr uint16_t receiver_of(uint16_t port, uint16_t queue, uint16_t workers) {
  return static_cast<uint16_t>((port + queue) % workers);
}
constexpr uint16_t queue_of(uint16_t port, uint16_t worker, uint16_t workers) {
  return static_cast<uint16_t>((worker + workers - port % workers) % workers);
}

/// The device takes rules for SNAT ports (port_rules.h).
void count_on_port_rules(Plan& plan);

/// One line for people, at most 63 letters.
std::string steering_line(const Plan& plan);
/// Which offloads are in use, for people.
std::string offload_line(const Plan& plan);

}  // namespace nezu::device
