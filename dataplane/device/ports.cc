#include "dataplane/device/ports.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace nezu::device {
namespace {

constexpr uint16_t kDescriptors = 1024;
constexpr uint32_t kRingCapacity = 512;
constexpr uint32_t kBufferCache = 128;
constexpr uint16_t kLeastMtu = 1280, kMostMtu = 9216;  // RFC 8200 5 wants 1280
constexpr uint32_t kFrameOverhead = 14 + 4 + 4;        // Ethernet, VLAN, FCS

[[noreturn]] void fail(const Port& port, const std::string& what, int error) {
  throw std::runtime_error("port " + port.name + " (" + port.device_name + "): " + what + ": " +
                           rte_strerror(-error));
}

/// A NIC without settings for queues says so by zeros.
uint16_t at_least_one(uint16_t queues) { return std::max<uint16_t>(queues, 1); }

}  // namespace

PortOption parse_port(const std::string& text) {
  PortOption option;
  size_t from = 0;
  while (from <= text.size()) {
    const size_t to = std::min(text.find(',', from), text.size());
    const std::string word = text.substr(from, to - from);
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (key == "name") {
      option.name = value;
    } else if (key == "dev") {
      option.device = value;
    } else if (key == "mtu") {
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), option.mtu);
      if (error != std::errc() || end != value.data() + value.size() || option.mtu < kLeastMtu ||
          option.mtu > kMostMtu) {
        throw std::invalid_argument("\"" + text + "\": mtu is a number from 1280 to 9216");
      }
    } else {
      throw std::invalid_argument("\"" + text + "\": \"" + word +
                                  "\" is none of name=, dev=, mtu=");
    }
    from = to + 1;
  }
  if (option.name.empty() || option.device.empty()) {
    throw std::invalid_argument("\"" + text + "\": a port needs name= and dev=");
  }
  return option;
}

Ports::Ports(const PortsOptions& options)
    : workers_(options.workers), threads_(static_cast<uint16_t>(options.workers + 1)) {
  uint16_t longest = 1500;
  ports_.resize(options.ports.size());
  for (size_t i = 0; i < ports_.size(); ++i) {
    ports_[i].number = static_cast<uint16_t>(i);
    open(ports_[i], options.ports[i]);
    longest = std::max(longest, ports_[i].mtu);
  }
  const uint32_t room =
      RTE_PKTMBUF_HEADROOM +
      std::max<uint32_t>(RTE_MBUF_DEFAULT_DATAROOM, RTE_ALIGN(longest + kFrameOverhead, 64u));
  // Each buffer may lie in a descriptor, a ring or a thread's hands; then half as many again.
  const auto least =
      static_cast<uint32_t>(ports_.size() * (2 * kDescriptors + kRingCapacity * threads_) +
                            size_t{threads_} * (threads_ * 1024 + kBufferCache * 2)) *
      3 / 2;
  const uint32_t count = options.buffers != 0 ? options.buffers : std::max(least, 8191u);
  pool_ = rte_pktmbuf_pool_create("nezu", count, kBufferCache, 0, static_cast<uint16_t>(room),
                                  SOCKET_ID_ANY);
  if (pool_ == nullptr) {
    throw std::runtime_error("no memory for " + std::to_string(count) + " packet buffers of " +
                             std::to_string(room) + " bytes: " + rte_strerror(rte_errno) +
                             "; give DPDK more (-m after --) or ask for fewer (--buffers)");
  }
  for (Port& port : ports_) start(port);
  for (size_t i = 0; i < ports_.size() * threads_; ++i) {
    rings_.push_back(std::make_unique<steer::Ring<void*>>(kRingCapacity));
  }
}

Ports::~Ports() {
  for (const Port& port : ports_) {
    rte_eth_dev_stop(port.device);
    rte_eth_dev_close(port.device);
  }
}

void Ports::open(Port& port, const PortOption& option) {
  port.name = option.name;
  port.device_name = option.device;
  if (const int error = rte_eth_dev_get_port_by_name(option.device.c_str(), &port.device);
      error != 0) {
    throw std::runtime_error("port " + port.name + ": DPDK knows no device \"" + option.device +
                             "\"; give it by EAL arguments after -- (--vdev, or -a for PCI)");
  }
  rte_eth_dev_info info;
  if (const int error = rte_eth_dev_info_get(port.device, &info); error != 0) {
    fail(port, "does not describe itself", error);
  }
  rte_ether_addr mac;
  if (const int error = rte_eth_macaddr_get(port.device, &mac); error != 0) {
    fail(port, "has no MAC address", error);
  }
  std::memcpy(port.mac.bytes.data(), mac.addr_bytes, port.mac.bytes.size());
  rte_eth_dev_get_mtu(port.device, &port.mtu);
  if (option.mtu != 0) port.mtu = option.mtu;
  // Without RSS all packets would come by one queue: several only cost polling.
  const bool spreads = info.flow_type_rss_offloads != 0;
  port.receive_queues = spreads ? std::min(workers_, at_least_one(info.max_rx_queues)) : 1;
  port.send_queues = std::min(threads_, at_least_one(info.max_tx_queues));
  port.filters_mac =
      info.driver_name == nullptr || (std::strcmp(info.driver_name, "net_af_packet") != 0 &&
                                      std::strcmp(info.driver_name, "net_tap") != 0 &&
                                      std::strcmp(info.driver_name, "net_pcap") != 0);
  port.sends_segments = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;

  rte_eth_conf conf{};
  conf.rxmode.mtu = port.mtu;
  conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  if (port.receive_queues > 1) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf =
        info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
  }
  if (const int error =
          rte_eth_dev_configure(port.device, port.receive_queues, port.send_queues, &conf);
      error != 0) {
    fail(port, "does not take the configuration", error);
  }
  if (option.mtu != 0) {
    if (const int error = rte_eth_dev_set_mtu(port.device, option.mtu); error != 0) {
      fail(port, "does not take an MTU of " + std::to_string(option.mtu), error);
    }
  }
  port.steering = port.receive_queues > 1
                      ? "hardware steering: spread only; software hand-over by flow"
                      : "hardware steering: none; software hand-over for all flows";
}

void Ports::start(Port& port) {
  uint16_t receive = kDescriptors, send = kDescriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(port.device, &receive, &send);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(port.device));
  for (uint16_t queue = 0; queue < port.receive_queues; ++queue) {
    if (const int error =
            rte_eth_rx_queue_setup(port.device, queue, receive, socket, nullptr, pool_);
        error != 0) {
      fail(port, "has no receive queue " + std::to_string(queue), error);
    }
  }
  for (uint16_t queue = 0; queue < port.send_queues; ++queue) {
    if (const int error = rte_eth_tx_queue_setup(port.device, queue, send, socket, nullptr);
        error != 0) {
      fail(port, "has no send queue " + std::to_string(queue), error);
    }
  }
  if (const int error = rte_eth_dev_start(port.device); error != 0) {
    fail(port, "does not start", error);
  }
  // Routing daemons, IPv6 and VRRP need groups that only their own host knows.
  rte_eth_allmulticast_enable(port.device);
}

std::vector<Ports::Source> Ports::sources_of(uint16_t worker) const {
  std::vector<Source> sources;
  for (const Port& port : ports_) {
    for (uint16_t queue = 0; queue < port.receive_queues; ++queue) {
      if ((port.number + queue) % workers_ == worker) sources.push_back({port.number, queue});
    }
  }
  return sources;
}

Ports::Exit Ports::exit_of(uint16_t port, uint16_t thread, uint16_t workers, uint16_t queues) {
  if (queues > workers) return {thread, thread};
  if (queues == workers && thread < workers) {
    return {static_cast<uint16_t>((thread + workers - port % workers) % workers), thread};
  }
  // Fewer queues than threads: they belong to workers, the first to the one that receives here.
  const auto queue = static_cast<uint16_t>(thread % queues);
  return {queue, static_cast<uint16_t>((port + queue) % workers)};
}

bool Ports::link_is_up(uint16_t port) const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(ports_[port].device, &link) == 0 &&
         link.link_status == RTE_ETH_LINK_UP;
}

uint32_t Ports::speed_mbps(uint16_t port) const {
  rte_eth_link link{};
  rte_eth_link_get_nowait(ports_[port].device, &link);
  return link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

PortCounters Ports::counters(uint16_t port) const {
  rte_eth_stats stats{};
  rte_eth_stats_get(ports_[port].device, &stats);
  return {stats.ipackets, stats.ibytes,  stats.opackets,
          stats.obytes,   stats.imissed, stats.ierrors + stats.rx_nombuf,
          stats.oerrors};
}

}  // namespace nezu::device
