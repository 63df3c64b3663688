#include "dataplane/device/ports.h"

#include <net/if.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "dataplane/device/port_rules.h"
#include "dataplane/steer/steering.h"

namespace nezu::device {
namespace {

constexpr uint16_t kDescriptors = 1024;
constexpr uint32_t kRingCapacity = 512;
constexpr uint32_t kToTwins = 704;  // of each port and worker: dataplane/errands.h
constexpr uint32_t kBufferCache = 128;
constexpr uint32_t kWholeBuffers = 2047;  // for frames that must lie in one piece

[[noreturn]] void fail(const Port& port, const std::string& what, int error) {
  throw std::runtime_error("port " + port.name + " (" + port.device_name + "): " + what + ": " +
                           rte_strerror(-error));
}

/// Whether an interface of the kernel is up and has a carrier.
bool interface_runs(uint32_t interface) {
  ifreq request{};
  if (if_indextoname(interface, request.ifr_name) == nullptr) return false;
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool asked = ::ioctl(socket, SIOCGIFFLAGS, &request) == 0;
  ::close(socket);
  return asked && (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

}  // namespace

Ports::Ports(const PortsOptions& options)
    : workers_(options.workers),
      threads_(static_cast<uint16_t>(options.workers + 1)),
      ports_(options.ports.size()),
      links_(std::make_unique<std::atomic<bool>[]>(options.ports.size())),
      open_(std::make_unique<std::atomic<bool>[]>(options.ports.size())) {
  for (size_t i = 0; i < ports_.size(); ++i) {
    ports_[i].number = static_cast<uint16_t>(i);
    open(ports_[i], options.ports[i]);
    note_link(ports_[i].number, true);
  }
  make_pools(options.buffers);
  for (Port& port : ports_) {
    start(port);
    spread(port);
  }
  for (size_t i = 0; i < ports_.size() * threads_; ++i) {
    rings_.push_back(std::make_unique<steer::Ring<void*>>(kRingCapacity));
  }
}

/// Buffers to receive into lie at the port's NUMA node.
void Ports::make_pools(uint32_t buffers) {
  // Each buffer may lie in a descriptor, a ring or a thread's hands; then half as many again.
  uint32_t queues = 0;
  for (const Port& port : ports_) queues += port.plan.receive_queues + port.plan.send_queues;
  const auto least = static_cast<uint32_t>(
                         size_t{queues} * kDescriptors + ports_.size() * kRingCapacity * threads_ +
                         ports_.size() * kToTwins * workers_ +
                         size_t{threads_} * (threads_ * 1024 + kBufferCache * 2)) *
                     3 / 2;
  const uint32_t count = buffers != 0 ? buffers : std::max(least, 8191u);
  for (const Port& port : ports_) pool(port.socket, port.plan.room, count);
  for (const Port& port : ports_) {
    const uint32_t whole = RTE_PKTMBUF_HEADROOM + RTE_ALIGN(port.mtu + kFrameOverhead, 64u);
    whole_pools_.push_back(pool(port.socket, std::max(port.plan.room, whole), kWholeBuffers));
  }
}

/// The pool for that node and room, made when it is asked for the first time.
rte_mempool* Ports::pool(int socket, uint32_t room, uint32_t buffers) {
  rte_mempool*& found = pools_[{socket, room}];
  if (found != nullptr) return found;
  const std::string name = "nezu-" + std::to_string(socket + 1) + "-" + std::to_string(room);
  for (const int node : {socket, SOCKET_ID_ANY}) {  // memory of another node is better than none
    found = rte_pktmbuf_pool_create(name.c_str(), buffers, kBufferCache, 0,
                                    static_cast<uint16_t>(room), node);
    if (found != nullptr) return found;
  }
  throw std::runtime_error("no memory for " + std::to_string(buffers) + " packet buffers of " +
                           std::to_string(room) + " bytes: " + rte_strerror(rte_errno) +
                           "; give DPDK more (-m after --) or ask for fewer (--buffers)");
}

Ports::~Ports() {
  for (const Port& port : ports_) {
    rte_eth_dev_stop(port.device);
    rte_eth_dev_close(port.device);
  }
  for (const auto& [key, pool] : pools_) rte_mempool_free(pool);
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
  port.interface = info.if_index;
  port.socket = rte_eth_dev_socket_id(port.device);
  const Capabilities capabilities = {info.driver_name != nullptr ? info.driver_name : "",
                                     info.max_rx_queues,
                                     info.max_tx_queues,
                                     info.flow_type_rss_offloads,
                                     info.reta_size,
                                     info.hash_key_size,
                                     info.rx_offload_capa,
                                     info.tx_offload_capa};
  port.plan = plan(capabilities,
                   {port.number, workers_, port.mtu, option.queues, option.side, option.offloads},
                   steer::default_key());
  configure(port, option.mtu != 0);
}

void Ports::configure(const Port& port, bool set_mtu) {
  rte_eth_conf conf{};
  conf.rxmode.mtu = port.mtu;
  conf.rxmode.offloads = port.plan.receive_offloads;
  conf.txmode.offloads = port.plan.send_offloads;
  std::vector<uint8_t> key = port.plan.key;
  if (port.plan.spread_types != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = port.plan.spread_types;
    conf.rx_adv_conf.rss_conf.rss_key = key.data();
    conf.rx_adv_conf.rss_conf.rss_key_len = static_cast<uint8_t>(key.size());
  }
  if (const int error = rte_eth_dev_configure(port.device, port.plan.receive_queues,
                                              port.plan.send_queues, &conf);
      error != 0) {
    fail(port, "does not take the configuration (MTU " + std::to_string(port.mtu) + ")", error);
  }
  if (!set_mtu) return;
  // Drivers without a way of their own were told by the configuration.
  if (const int error = rte_eth_dev_set_mtu(port.device, port.mtu);
      error != 0 && error != -ENOTSUP) {
    fail(port, "does not take an MTU of " + std::to_string(port.mtu), error);
  }
}

void Ports::start(Port& port) {
  uint16_t receive = kDescriptors, send = kDescriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(port.device, &receive, &send);
  const auto socket = static_cast<unsigned>(port.socket);
  for (uint16_t queue = 0; queue < port.plan.receive_queues; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(port.device, queue, receive, socket, nullptr,
                                                 pools_.at({port.socket, port.plan.room}));
        error != 0) {
      fail(port, "has no receive queue " + std::to_string(queue), error);
    }
  }
  for (uint16_t queue = 0; queue < port.plan.send_queues; ++queue) {
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

/// The redirection table: what it cannot be told, software does.
void Ports::spread(Port& port) {
  const std::vector<uint16_t>& table = port.plan.table;
  if (!table.empty()) {
    std::vector<rte_eth_rss_reta_entry64> groups(table.size() / RTE_ETH_RETA_GROUP_SIZE + 1);
    for (size_t i = 0; i < table.size(); ++i) {
      rte_eth_rss_reta_entry64& group = groups[i / RTE_ETH_RETA_GROUP_SIZE];
      group.mask |= uint64_t{1} << i % RTE_ETH_RETA_GROUP_SIZE;
      group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = table[i];
    }
    if (rte_eth_dev_rss_reta_update(port.device, groups.data(),
                                    static_cast<uint16_t>(table.size())) != 0) {
      port.plan.agreement = Agreement::none;
    }
  }
  if (port.plan.wants_port_rules && takes_port_rules(port.device)) count_on_port_rules(port.plan);
  port.steering = steering_line(port.plan);
}

std::vector<Ports::Source> Ports::sources_of(uint16_t worker) const {
  std::vector<Source> sources;
  for (const Port& port : ports_) {
    for (uint16_t queue = 0; queue < port.plan.receive_queues; ++queue) {
      if (receiver_of(port.number, queue, workers_) == worker) {
        sources.push_back({port.number, queue});
      }
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
  if (ports_[port].plan.kernel_knows_link && ports_[port].interface != 0) {
    return interface_runs(ports_[port].interface);
  }
  rte_eth_link link{};
  return rte_eth_link_get_nowait(ports_[port].device, &link) == 0 &&
         link.link_status == RTE_ETH_LINK_UP;
}

void Ports::let_all_in(uint16_t port, bool all) {
  if (all == lets_all_in(port)) return;
  if (all) {
    rte_eth_promiscuous_enable(ports_[port].device);
  } else {
    rte_eth_promiscuous_disable(ports_[port].device);
  }
  open_[port].store(all, std::memory_order_relaxed);
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
