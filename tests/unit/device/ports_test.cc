// Real ports: veth pairs, a TAP, net_null; frames in and out by raw sockets.
#include "dataplane/device/ports.h"

#include <gtest/gtest.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <map>

#include "dataplane/device/gate.h"
#include "dataplane/parse/parse.h"
#include "dataplane/steer/steering.h"
#include "tests/dsl/dsl.h"
#include "tests/unit/device/eal.h"
#include "tests/unit/device/sandbox.h"

namespace nezu::device {
namespace {

class PortsTest : public testing::Test {
 protected:
  PortsTest() { eal(); }

  /// The next burst that is not empty.
  bool receive(Gate& gate) {
    return eventually([&] {
      gate.receive(0, burst_);
      return burst_.count != 0;
    });
  }
  static uint64_t count(const tables::WorkerLine& line, net::Reason reason) {
    return line.reasons[static_cast<size_t>(reason)].read();
  }
  net::Burst burst_;
};

// One test for each device: a virtual one cannot be opened again after it was closed.
TEST_F(PortsTest, FramesInAndOutByTheOnlyQueue) {
  Wire wire("p0");
  EXPECT_THROW(Ports({.ports = {{"front", "nothing"}}, .workers = 1}), std::runtime_error);
  Ports ports({.ports = {{"front", "net_af_packet0"}}, .workers = 2, .buffers = 4096});
  const Port& port = ports.all()[0];
  EXPECT_EQ(net::to_string(port.mac), "02:00:00:00:00:aa");
  EXPECT_EQ(port.plan.send_queues, 1);
  EXPECT_FALSE(port.plan.filters_mac);
  EXPECT_EQ(port.steering, "hardware steering: none; software hand-over for all flows");

  // The queue belongs to worker 0; the two others send through it.
  tables::WorkerLine line;
  Gate owner(ports, 0), other(ports, 1), housekeeper(ports, 2);
  owner.count_in(&line);
  EXPECT_EQ(owner.sources(), 1u);
  EXPECT_EQ(other.sources(), 0u);
  EXPECT_EQ(housekeeper.sources(), 0u);

  // In: ours and multicast; what is for others is dropped and counted.
  wire.send(frame_to("02:00:00:00:00:bb", 1));
  wire.send(frame_to("02:00:00:00:00:aa", 2, 1400));
  wire.send(frame_to("ff:ff:ff:ff:ff:ff", 3));
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
  EXPECT_EQ(wire.receive(), frame_to("02:00:00:00:00:77", 4));
  EXPECT_TRUE(other.send_frame(frame_to("02:00:00:00:00:77", 5), 0));
  other.flush();
  EXPECT_TRUE(housekeeper.send_frame(frame_to("02:00:00:00:00:77", 6), 0));
  housekeeper.flush();
  EXPECT_FALSE(wire.receive(50)) << "only the owner touches the queue";
  EXPECT_EQ(owner.flush(), 2u);
  EXPECT_EQ(wire.receive(), frame_to("02:00:00:00:00:77", 5));
  EXPECT_EQ(wire.receive(), frame_to("02:00:00:00:00:77", 6));

  // A reply in its buffer, longer and shorter than what came.
  for (const int change : {+30, -20}) {
    wire.send(frame_to("02:00:00:00:00:aa", 7, 100));
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
    const auto reply = wire.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->size(), static_cast<size_t>(100 + change));
    EXPECT_EQ((*reply)[14], 9);
  }

  // From thread to thread: the port goes with the buffer.
  wire.send(frame_to("02:00:00:00:00:aa", 8));
  ASSERT_TRUE(eventually([&] {
    owner.receive(0, burst_);
    return burst_.count == 1;
  }));
  void* buffer = burst_.packets[0].buffer;
  other.take(buffer, burst_);
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

  // Without a link nothing is sent, by whomever, and each packet is counted where it ends.
  EXPECT_TRUE(ports.link_is_up(0));
  sh("ip link set p0 down");
  EXPECT_TRUE(eventually([&] { return !ports.link_is_up(0); })) << "the driver does not say so";
  EXPECT_TRUE(ports.has_link(0)) << "until somebody has noted it";
  while (owner.flush() != 0) {
  }
  ports.note_link(0, false);
  const uint64_t sent = line.sent.read();
  for (Gate* gate : {&owner, &other}) {
    gate->send_frame(frame_to("02:00:00:00:00:77", 11), 0);
    gate->flush();
  }
  EXPECT_EQ(count(line, net::Reason::port_down), 1u);
  EXPECT_EQ(count(lender, net::Reason::port_down), 1u);
  EXPECT_EQ(line.sent.read(), sent);
  sh("ip link set p0 up");
  EXPECT_TRUE(eventually([&] { return ports.link_is_up(0); }));

  const PortCounters counters = ports.counters(0);
  EXPECT_GE(counters.received, 6u);
  EXPECT_GE(counters.sent, 5u);
}

TEST_F(PortsTest, LongFramesComeAsChainsAndLeaveWhole) {
  Wire wire("p1");
  Ports ports({.ports = {{.name = "long", .device = "net_pcap0", .mtu = 9000}},
               .workers = 1,
               .buffers = 2047});
  Gate gate(ports, 0);
  ASSERT_TRUE(ports.all()[0].plan.takes_parts);
  const std::string mac = net::to_string(ports.all()[0].mac);
  for (const size_t length : {60, 1514, 2049, 5000, 9014}) {
    Bytes frame = frame_to(mac, 1, length);
    for (size_t i = 14; i < length; ++i) frame[i] = static_cast<uint8_t>(i * 7 + i / 256);
    wire.send(frame);
    ASSERT_TRUE(receive(gate)) << length;
    net::Packet& packet = burst_.packets[0];
    EXPECT_EQ(packet.length, length);
    EXPECT_EQ(packet.head_length<packet.length, length> RTE_MBUF_DEFAULT_DATAROOM) << length;
    EXPECT_GE(packet.head_length, std::min<size_t>(length, 512));
    packet.sum_l4 = false;
    gate.send(packet, 0);
    gate.flush();
    EXPECT_EQ(wire.receive(), frame) << length;
  }
  // A frame of our own up to the MTU.
  const Bytes own = frame_to("02:00:00:00:00:77", 3, 9014);
  EXPECT_TRUE(gate.send_frame(own, 0));
  gate.flush();
  EXPECT_EQ(wire.receive(), own);
}

/// A TAP's driver checks and makes sums itself, as a NIC would.
TEST_F(PortsTest, SumsByThePort) {
  Ports ports({.ports = {{.name = "tap", .device = "net_tap0"}}, .workers = 1, .buffers = 2047});
  Wire wire("t0");
  Gate gate(ports, 0);
  tables::WorkerLine line;
  gate.count_in(&line);
  const Port& port = ports.all()[0];
  ASSERT_TRUE(port.plan.sums_received && port.plan.sums_sent);
  const auto datagram = [&](uint16_t number) {
    return dsl::Frame(dsl::eth().to(net::to_string(port.mac)) /
                      dsl::ipv4("192.0.2.7", "203.0.113.10") / dsl::udp(40000, number) / "hello");
  };
  const auto bytes = [](const dsl::Frame& frame) {
    return Bytes(frame.bytes().begin(), frame.bytes().end());
  };
  Bytes wrong = bytes(datagram(80)), wrong_header = bytes(datagram(80));
  wrong.back() ^= 1;
  wrong_header[22] ^= 1;  // the hop count
  wire.send(wrong);
  wire.send(wrong_header);
  wire.send(bytes(datagram(81)));
  ASSERT_TRUE(receive(gate));
  ASSERT_EQ(burst_.count, 1u);
  net::Packet& packet = burst_.packets[0];
  parse::parse(packet);
  EXPECT_EQ(packet.tuple4.destination_port, net::swap16(81));
  EXPECT_EQ(count(line, net::Reason::transport_checksum), 1u);
  EXPECT_EQ(count(line, net::Reason::ipv4_checksum), 1u);

  // Sent with sums that only the port can have made.
  packet.head[packet.l3 + 10] ^= 0x11;
  packet.head[packet.l4 + 6] ^= 0x22;
  packet.sum_l4 = true;
  gate.send(packet, 0);
  EXPECT_FALSE(packet.sum_l4);
  gate.flush();
  EXPECT_EQ(wire.receive(), bytes(datagram(81)));
}

TEST_F(PortsTest, EachQueueHasItsWorkerAndTheTableKnowsThem) {
  Ports ports({.ports = {{.name = "null", .device = "net_null0", .side = Side::clients}},
               .workers = 3,
               .buffers = 2047});
  const Port& port = ports.all()[0];
  ASSERT_EQ(port.plan.receive_queues, 3);
  ASSERT_EQ(port.plan.send_queues, 4);
  for (uint16_t worker = 0; worker < 3; ++worker) {
    const auto sources = ports.sources_of(worker);
    ASSERT_EQ(sources.size(), 1u);
    EXPECT_EQ(sources[0].queue, worker);
  }
  // As the device has it now.
  rte_eth_rss_reta_entry64 groups[2] = {};
  groups[0].mask = groups[1].mask = ~uint64_t{0};
  ASSERT_EQ(rte_eth_dev_rss_reta_query(port.device, groups, 128), 0);
  for (uint16_t entry = 0; entry < 128; ++entry) {
    ASSERT_EQ(groups[entry / 64].reta[entry % 64], entry % 3) << entry;
  }
  std::array<uint8_t, 40> key{};
  rte_eth_rss_conf spread{key.data(), key.size(), 0};
  ASSERT_EQ(rte_eth_dev_rss_hash_conf_get(port.device, &spread), 0);
  EXPECT_EQ(key, steer::default_key());
  EXPECT_EQ(port.steering, "hardware steering: none (spread); software hand-over by flow")
      << "it cannot hash one side alone, and says so";
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
