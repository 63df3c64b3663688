#include "tests/unit/device/sandbox.h"

#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "dataplane/net/address.h"

namespace nezu::device {

void enter_own_network() {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "these tests need root";
  sh("ip link set lo up");
}

void sh(const std::string& command) {
  ASSERT_EQ(std::system((command + " > /dev/null").c_str()), 0) << command;  // NOLINT: a test
}

Wire::Wire(const std::string& interface)
    : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, net::swap16(ETH_P_ALL))) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = net::swap16(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

Wire::~Wire() { ::close(socket_); }

void Wire::send(const Bytes& frame) {
  EXPECT_EQ(::send(socket_, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
}

std::optional<Bytes> Wire::receive(int milliseconds) {
  for (;;) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, milliseconds) <= 0) return std::nullopt;
    Bytes frame(10000);
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t length = ::recvfrom(socket_, frame.data(), frame.size(), 0,
                                      reinterpret_cast<sockaddr*>(&from), &size);
    if (length <= 0) return std::nullopt;
    frame.resize(static_cast<size_t>(length));
    if (from.sll_pkttype != PACKET_OUTGOING) return frame;
  }
}

Bytes frame_to(const std::string& mac, uint8_t mark, size_t length) {
  Bytes frame(length, mark);
  const auto to = net::parse_mac(mac)->bytes;
  std::copy(to.begin(), to.end(), frame.begin());
  const uint8_t from[] = {2, 0, 0, 0, 0, 0x77, 0x88, 0xb5};  // local experimental type
  std::copy(std::begin(from), std::end(from), frame.begin() + 6);
  return frame;
}

}  // namespace nezu::device
