#include "bench/generator/wire.h"

#include <rte_cycles.h>
#include <rte_errno.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "bench/generator/rate.h"
#include "bench/generator/stamp.h"

namespace nezu::generator {
namespace {

constexpr uint16_t kLeastRoom = 2048;
constexpr uint32_t kUsualFrame = 1518;

[[noreturn]] void fail(const std::string& device, const std::string& what, int error) {
  throw std::runtime_error("port " + device + ": " + what + ": " + rte_strerror(-error));
}

}  // namespace

rte_mempool* make_pool(uint32_t buffers, uint32_t longest_frame) {
  const uint32_t room = RTE_PKTMBUF_HEADROOM + std::max<uint32_t>(longest_frame, kLeastRoom);
  rte_mempool* pool = rte_pktmbuf_pool_create(
      "nezu-traffic", buffers, 256, 0, static_cast<uint16_t>(RTE_ALIGN(room, 64u)), SOCKET_ID_ANY);
  if (pool == nullptr) {
    throw std::runtime_error("no memory for " + std::to_string(buffers) + " buffers of " +
                             std::to_string(room) + " bytes: " + rte_strerror(rte_errno) +
                             "; give DPDK more (-m behind --) or ask for fewer (--buffers)");
  }
  return pool;
}

Wire::Wire(const WireOptions& options, rte_mempool* pool)
    : device_(options.device), receive_queues_(options.receive_queues) {
  if (rte_eth_dev_get_port_by_name(device_.c_str(), &port_) != 0) {
    throw std::runtime_error("DPDK knows no device \"" + device_ +
                             "\"; give it by EAL arguments behind -- (--vdev, or -a for PCI)");
  }
  rte_eth_dev_info info;
  if (const int error = rte_eth_dev_info_get(port_, &info); error != 0) {
    fail(device_, "does not describe itself", error);
  }
  driver_ = info.driver_name == nullptr ? "" : info.driver_name;
  // Virtual devices carry names of their own, not addresses of a bus.
  is_virtual_ = device_.starts_with("net_") || device_.starts_with("eth_");
  rte_ether_addr mac;
  if (const int error = rte_eth_macaddr_get(port_, &mac); error != 0) {
    fail(device_, "has no MAC address", error);
  }
  std::memcpy(mac_.bytes.data(), mac.addr_bytes, mac_.bytes.size());
  rte_eth_conf conf{};
  const uint32_t mtu = std::max(options.longest, kUsualFrame) - kEthernetBytes - kFcsBytes;
  // What is longer than a virtual device says of itself passes it all the same.
  const uint32_t overhead = kEthernetBytes + kFcsBytes;
  conf.rxmode.mtu = std::min({mtu, uint32_t{info.max_mtu}, info.max_rx_pktlen - overhead});
  conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
  if (const int error = rte_eth_dev_configure(port_, receive_queues_, 1, &conf); error != 0) {
    fail(device_, "does not take the configuration (MTU " + std::to_string(mtu) + ")", error);
  }
  if (options.longest > kUsualFrame)
    rte_eth_dev_set_mtu(port_, static_cast<uint16_t>(conf.rxmode.mtu));
  uint16_t receive = options.descriptors, send = options.descriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(port_, &receive, &send);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(port_));
  for (uint16_t queue = 0; queue < receive_queues_; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(port_, queue, receive, socket, nullptr, pool);
        error != 0) {
      fail(device_, "has no receive queue " + std::to_string(queue), error);
    }
  }
  if (const int error = rte_eth_tx_queue_setup(port_, 0, send, socket, nullptr); error != 0) {
    fail(device_, "has no send queue", error);
  }
  const int error = rte_eth_dev_start(port_);
  is_started_ = error == 0;
  if (!is_started_ && !is_virtual_) fail(device_, "does not start", error);
  rte_eth_promiscuous_enable(port_);
}

Wire::~Wire() {
  if (is_started_) rte_eth_dev_stop(port_);
  rte_eth_dev_close(port_);
}

bool Wire::has_link() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

void Wire::wait_for_link() {
  // A virtual wire is asked for again now and then: its other end may just be starting.
  constexpr uint32_t kLooks = 1000, kLooksBetweenAsks = 30;
  for (uint32_t look = 1; !has_link(); ++look) {
    if (look == kLooks) {
      throw std::runtime_error("port " + device_ + " has no link: is the device at its other end?");
    }
    if (look % kLooksBetweenAsks == 0) reconnect();
    rte_delay_us_sleep(10'000);
  }
}

void Wire::reconnect() {
  if (!is_virtual_ || has_link()) return;
  if (is_started_) rte_eth_dev_stop(port_);
  is_started_ = rte_eth_dev_start(port_) == 0;
}

WireCounters Wire::counters() const {
  rte_eth_stats stats{};
  rte_eth_stats_get(port_, &stats);
  return {stats.ipackets, stats.opackets, stats.imissed + stats.ierrors + stats.rx_nombuf};
}

double Wire::line_bits() const {
  rte_eth_link link{};
  rte_eth_link_get_nowait(port_, &link);
  const bool known = !is_virtual_ && link.link_speed != RTE_ETH_SPEED_NUM_NONE &&
                     link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
  return known ? link.link_speed * 1e6 : 0;
}

std::span<const uint8_t> bytes_of(const rte_mbuf* frame) {
  if (frame->nb_segs == 1) return {rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len};
  static thread_local std::array<uint8_t, 65536> room;
  uint32_t length = 0;
  for (; frame != nullptr && length + frame->data_len <= room.size(); frame = frame->next) {
    std::memcpy(&room[length], rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len);
    length += frame->data_len;
  }
  return {room.data(), length};
}

}  // namespace nezu::generator
