// Ports on a veth pair with one queue for all threads; frames in and out by raw sockets.
#include "dataplane/device/ports.h"

#include <gtest/gtest.h>

#include <map>

#include "dataplane/device/eal.h"
#include "dataplane/device/gate.h"
#include "tests/unit/device/sandbox.h"

namespace nezu::device {
namespace {

TEST(PortOption, ReadsNameDeviceAndMtu) {
  const PortOption option = parse_port("name=front,dev=net_af_packet0,mtu=9000");
  EXPECT_EQ(option.name, "front");
  EXPECT_EQ(option.device, "net_af_packet0");
  EXPECT_EQ(option.mtu, 9000);
}

TEST(PortOption, RefusesWithASentence) {
  for (const char* text : {"", "name=a", "dev=b", "name=a,dev=b,mtu=1", "name=a,dev=b,mtu=x",
                           "name=a,dev=b,speed=3"}) {
    EXPECT_THROW(parse_port(text), std::invalid_argument) << text;
  }
}

class PortsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    enter_own_network();
    sh("ip link add v0 address 02:00:00:00:00:aa type veth peer name p0");
    sh("sysctl -qw net.ipv6.conf.v0.disable_ipv6=1 net.ipv6.conf.p0.disable_ipv6=1");
    sh("ip link set v0 up");
    sh("ip link set p0 up");
    eal_ = std::make_unique<Eal>(
        "test", std::vector<std::string>{"--no-pci", "--no-huge", "--no-shconf", "--no-telemetry",
                                         "-m", "128", "--vdev", "net_af_packet0,iface=v0"});
  }
  static void TearDownTestSuite() { eal_.reset(); }

  PortsTest() : wire_("p0") {}

  static std::unique_ptr<Eal> eal_;
  net::Burst burst_;
  Wire wire_;
};
std::unique_ptr<Eal> PortsTest::eal_;

// One test for all: a virtual device cannot be opened again after it was closed.
TEST_F(PortsTest, FramesInAndOutByTheOnlyQueue) {
  EXPECT_THROW(Ports({.ports = {{"front", "nothing"}}, .workers = 1}), std::runtime_error);
  Ports ports({.ports = {{"front", "net_af_packet0"}}, .workers = 2, .buffers = 4096});
  const Port& port = ports.all()[0];
  EXPECT_EQ(net::to_string(port.mac), "02:00:00:00:00:aa");
  EXPECT_EQ(port.send_queues, 1);
  EXPECT_FALSE(port.filters_mac);
  EXPECT_EQ(port.steering, "hardware steering: none; software hand-over for all flows");

  // The queue belongs to worker 0; the two others send through it.
  tables::WorkerLine line;
  Gate owner(ports, 0), other(ports, 1), housekeeper(ports, 2);
  owner.count_in(&line);
  EXPECT_EQ(owner.sources(), 1u);
  EXPECT_EQ(other.sources(), 0u);
  EXPECT_EQ(housekeeper.sources(), 0u);

  // In: ours and multicast; what is for others is dropped and counted.
  wire_.send(frame_to("02:00:00:00:00:bb", 1));
  wire_.send(frame_to("02:00:00:00:00:aa", 2, 1400));
  wire_.send(frame_to("ff:ff:ff:ff:ff:ff", 3));
  std::vector<Bytes> received;
  eventually([&] {
    owner.receive(0, burst_);
    for (net::Packet& packet : burst_.all()) {
      received.emplace_back(packet.head, packet.head + packet.head_length);
      EXPECT_EQ(packet.port, 0);
      EXPECT_EQ(packet.length, packet.head_length);
      EXPECT_GT(packet.room, packet.length);
      Gate::release(packet.buffer);
    }
    return received.size() >= 2;
  });
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(received[0], frame_to("02:00:00:00:00:aa", 2, 1400));
  EXPECT_EQ(received[1], frame_to("ff:ff:ff:ff:ff:ff", 3));
  EXPECT_EQ(line.reasons[static_cast<size_t>(net::Reason::mac_other)].read(), 1u);

  // Out: by the owner itself, and by the others through it.
  EXPECT_TRUE(owner.send_frame(frame_to("02:00:00:00:00:77", 4), 0));
  EXPECT_EQ(owner.flush(), 0u);
  EXPECT_EQ(wire_.receive(), frame_to("02:00:00:00:00:77", 4));
  EXPECT_TRUE(other.send_frame(frame_to("02:00:00:00:00:77", 5), 0));
  other.flush();
  EXPECT_TRUE(housekeeper.send_frame(frame_to("02:00:00:00:00:77", 6), 0));
  housekeeper.flush();
  EXPECT_FALSE(wire_.receive(50)) << "only the owner touches the queue";
  EXPECT_EQ(owner.flush(), 2u);
  EXPECT_EQ(wire_.receive(), frame_to("02:00:00:00:00:77", 5));
  EXPECT_EQ(wire_.receive(), frame_to("02:00:00:00:00:77", 6));

  // A reply in its buffer, longer and shorter than what came.
  for (const int change : {+30, -20}) {
    wire_.send(frame_to("02:00:00:00:00:aa", 7, 100));
    ASSERT_TRUE(eventually([&] {
      owner.receive(0, burst_);
      return burst_.count == 1;
    }));
    net::Packet& packet = burst_.packets[0];
    packet.length = packet.head_length = static_cast<uint32_t>(100 + change);
    packet.head[14] = 9;
    packet.sum_l4 = false;
    owner.send(packet, 0);
    owner.flush();
    const auto reply = wire_.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->size(), static_cast<size_t>(100 + change));
    EXPECT_EQ((*reply)[14], 9);
  }

  // From thread to thread: the port goes with the buffer.
  wire_.send(frame_to("02:00:00:00:00:aa", 8));
  ASSERT_TRUE(eventually([&] {
    owner.receive(0, burst_);
    return burst_.count == 1;
  }));
  void* buffer = burst_.packets[0].buffer;
  other.take({&buffer, 1}, burst_);
  EXPECT_TRUE(burst_.packets[0].handed_over);
  EXPECT_EQ(burst_.packets[0].port, 0);
  EXPECT_EQ(Gate::bytes_of(buffer)[20], 8);
  Gate::release(buffer);

  // A stopped owner blocks nobody: its ring fills, then packets are dropped.
  tables::WorkerLine lender;
  other.count_in(&lender);
  for (int i = 0; i < 600; ++i) {
    other.send_frame(frame_to("02:00:00:00:00:77", 10), 0);
    other.flush();
  }
  EXPECT_EQ(lender.reasons[static_cast<size_t>(net::Reason::transmit_full)].read(), 88u);

  const PortCounters counters = ports.counters(0);
  EXPECT_GE(counters.received, 6u);
  EXPECT_GE(counters.sent, 5u);
}

/// Without a device: who owns what is arithmetic.
TEST(Exits, EveryQueueHasOneOwner) {
  for (uint16_t workers = 1; workers <= 8; ++workers) {
    for (uint16_t queues = 1; queues <= 10; ++queues) {
      for (uint16_t port = 0; port < 4; ++port) {
        std::map<uint16_t, uint16_t> owner_of;
        for (uint16_t thread = 0; thread <= workers; ++thread) {
          const auto exit = Ports::exit_of(port, thread, workers, queues);
          ASSERT_LT(exit.queue, queues);
          ASSERT_LE(exit.owner, workers);
          const auto [at, fresh] = owner_of.emplace(exit.queue, exit.owner);
          EXPECT_EQ(at->second, exit.owner) << "a queue with two owners";
          if (queues > workers || (queues == workers && thread < workers)) {
            EXPECT_EQ(exit.owner, thread) << "enough queues, and yet not its own";
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace nezu::device
