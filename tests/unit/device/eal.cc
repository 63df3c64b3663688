#include "tests/unit/device/eal.h"

#include "tests/unit/device/sandbox.h"

namespace nezu::device {

Eal& eal() {
  static auto* started = [] {
    enter_own_network();
    sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");  // the kernel says nothing by itself
    sh("ip link add v0 address 02:00:00:00:00:aa type veth peer name p0");
    sh("ip link add v1 address 02:00:00:00:00:a1 mtu 9000 type veth peer name p1 mtu 9000");
    for (const char* one : {"v0", "p0", "v1", "p1"}) {
      sh(std::string("ip link set ") + one + " up");
    }
    return new Eal("test",
                   {"--no-pci", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "192", "--vdev",
                    "net_af_packet0,iface=v0", "--vdev", "net_pcap0,rx_iface_in=v1,tx_iface=v1",
                    "--vdev", "net_tap0,iface=t0,mac=02:00:00:00:00:a2", "--vdev", "net_null0"});
  }();
  return *started;
}

}  // namespace nezu::device
