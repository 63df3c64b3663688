// `nezu replay` as a person runs it: files in, files and counts out.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/dsl/dsl.h"
#include "tools/captures/capture_file.h"
#include "tools/captures/pcapng.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

using namespace dsl;

constexpr const char* kConfiguration = R"(
services:
- {name: shop, address: 203.0.113.10, port: 80, pool: web}
- {name: full, address: 203.0.113.11, port: 80, mode: fullnat, pool: web, snat_set: out}
- {name: tunnel, address: 203.0.113.12, port: 80, mode: tunnel_ipip, pool: far}
- {name: sticky, address: 203.0.113.13, port: 80, pool: web, persistence: {}}
- {name: inner, address: 203.0.113.10, port: 80, pool: inside, instance: 10}
pools:
- {name: web, scheduler: rr, servers: [{address: 10.0.1.5, port: 8080}, {address: 10.0.1.6, port: 8080}]}
- {name: far, scheduler: rr, servers: [{address: 10.0.1.7, port: 80}]}
- {name: inside, scheduler: rr, instance: 10, servers: [{address: 10.0.1.5, port: 8080}]}
snat_sets: [{name: out, addresses: [10.0.0.1]}]
instances: [{name: blue, number: 10, links: [front.10, back.10]}]
)";

struct Sample {
  double seconds = 0;
  Frame frame;
  uint32_t cut_off = 0;  ///< bytes that were not recorded
};

struct Packet {
  uint64_t when = 0;
  Frame frame;
};

class ReplayTest : public testing::Test {
 protected:
  ReplayTest() {
    char pattern[] = "/tmp/nezu-replay-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    std::ofstream(folder_ / "nezu.yaml") << kConfiguration;
  }
  ~ReplayTest() override { std::filesystem::remove_all(folder_); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  /// Classic pcap, in microseconds.
  void record(const std::string& name, const std::vector<Sample>& samples) const {
    std::ofstream file(folder_ / name, std::ios::binary);
    const auto put = [&file](uint32_t value) {
      file.write(reinterpret_cast<const char*>(&value), sizeof value);
    };
    for (const uint32_t word : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) put(word);
    for (const Sample& one : samples) {
      const auto size = static_cast<uint32_t>(one.frame.size()), kept = size - one.cut_off;
      const auto micros = static_cast<uint64_t>(one.seconds * 1e6);
      put(static_cast<uint32_t>(1'700'000'000 + micros / 1'000'000));
      put(static_cast<uint32_t>(micros % 1'000'000));
      put(kept);
      put(size);
      file.write(reinterpret_cast<const char*>(one.frame.bytes().data()), kept);
    }
  }
  std::vector<Packet> packets_of(const std::string& name) const {
    auto file = captures::CaptureFile::open(at(name));
    std::vector<Packet> packets;
    captures::Recorded packet;
    while (file.next(packet)) {
      packets.push_back({packet.when, Frame(Bytes(packet.bytes.begin(), packet.bytes.end()))});
    }
    EXPECT_EQ(file.error(), "");
    return packets;
  }
  int nezu(std::vector<std::string> words) {
    std::ostringstream out, err;
    Session session(out, err);
    words.insert(words.begin(), {"replay", "-f", at("nezu.yaml"), "--sent", at("sent.pcapng"),
                                 "--dropped", at("dropped.pcapng")});
    const int status = run(words, session);
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  bool said(const std::string& text) const { return (out_ + err_).find(text) != std::string::npos; }
  std::string contents_of(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder_;
  std::string out_, err_;
};

const auto kClient = "198.51.100.7";

Frame syn(uint16_t port, const char* vip = "203.0.113.10") {
  return eth() / ipv4(kClient, vip) / tcp(port, 80).syn().seq(1);
}

TEST_F(ReplayTest, ServersAreChosenAndAnswersGoBack) {
  record("in.pcap", {{0, syn(40000)}, {0.001, syn(40001)}});
  record("back.pcap",
         {{0.0005, eth() / ipv4("10.0.1.5", kClient) / tcp(8080, 40000).syn().seq(9).ack(2)},
          {0.0015, eth() / ipv4("10.0.1.6", kClient) / tcp(8080, 40001).syn().seq(9).ack(2)}});
  ASSERT_EQ(nezu({"front=" + at("in.pcap"), "back=" + at("back.pcap")}), 0) << err_;
  EXPECT_TRUE(said("4 packets in, 4 out, 0 to the kernel, 0 dropped")) << out_;
  const std::vector<Packet> sent = packets_of("sent.pcapng");
  ASSERT_EQ(sent.size(), 4u);
  EXPECT_EQ(sent[0].frame, eth().from("02:00:00:00:00:01").to("02:fe:0a:00:01:05") /
                               ipv4(kClient, "10.0.1.5").ttl(63) / tcp(40000, 8080).syn().seq(1));
  EXPECT_EQ(sent[1].frame, eth().from("02:00:00:00:00:00").to("02:fe:a9:fe:00:01") /
                               ipv4("203.0.113.10", kClient).ttl(63) /
                               tcp(80, 40000).syn().seq(9).ack(2));
  EXPECT_EQ(sent[2].frame, eth().from("02:00:00:00:00:01").to("02:fe:0a:00:01:06") /
                               ipv4(kClient, "10.0.1.6").ttl(63) / tcp(40001, 8080).syn().seq(1));
  EXPECT_EQ(sent[3].when, 1'700'000'000'001'500'000u);
  const std::string file = contents_of("sent.pcapng");
  EXPECT_NE(file.find("front"), std::string::npos);
  EXPECT_NE(file.find("for packet 2 of " + at("back.pcap")), std::string::npos);
}

// As `nezu capture` writes it.
TEST_F(ReplayTest, InterfacesAreThePortsThatTheyAreCalledAfter) {
  const Frame answer = eth() / ipv4("10.0.1.5", kClient) / tcp(8080, 40000).syn().seq(9).ack(2);
  const auto write = [&](const std::string& name, const std::string& first) {
    using captures::Direction;
    std::ofstream file(folder_ / name, std::ios::binary);
    captures::Pcapng writer(file, "a test");
    writer.add_interface(first);
    writer.add_interface("back");
    const auto put = [&](uint32_t interface, uint64_t when, const Frame& frame, Direction way) {
      writer.write({interface, when, 0, frame.bytes(), way, "a comment"});
    };
    put(0, 1000, syn(40000), Direction::in);
    put(1, 1001, syn(40000), Direction::out);
    put(1, 2000, answer, Direction::in);
    put(0, 3000, syn(40000), Direction::unknown);
  };
  write("in.pcapng", "front");
  ASSERT_EQ(nezu({at("in.pcapng")}), 0) << err_;
  EXPECT_TRUE(said("3 packets in, 3 out, 0 to the kernel, 0 dropped")) << out_;
  EXPECT_NE(contents_of("sent.pcapng").find("for packet 3 of " + at("in.pcapng")),
            std::string::npos);
  // By a port that is named, all of them.
  ASSERT_EQ(nezu({"front=" + at("in.pcapng")}), 0) << err_;
  EXPECT_TRUE(said("4 packets in")) << out_;
  // Interfaces of another machine: what came by those is the first port's.
  write("other.pcapng", "eth0");
  ASSERT_EQ(nezu({at("other.pcapng")}), 0) << err_;
  EXPECT_TRUE(said("3 packets in, 3 out")) << out_;
}

TEST_F(ReplayTest, CountsAreThoseOfProduction) {
  record("in.pcap", {{0, syn(40000)},
                     {0.1, eth() / ipv4(kClient, "203.0.113.99") / udp(5, 6) / "x"},
                     {0.2, eth() / ipv4(kClient, "203.0.113.10") / tcp(7, 80).seq(5).ack(6)}});
  ASSERT_EQ(nezu({at("in.pcap"), "-o", "json"}), 0) << err_;
  EXPECT_TRUE(said(R"("received": 3)") && said(R"("sent": 2)") && said(R"("dropped": 1)")) << out_;
  EXPECT_TRUE(said(R"("transit_refused": 1)") && said(R"("tcp_without_flow": 1)")) << out_;
  EXPECT_TRUE(said(R"({"name": "shop", "flows_opened": 1, "flows_active": 1)")) << out_;
  EXPECT_TRUE(said(R"({"name": "10.0.1.5:8080", "flows_opened": 1)")) << out_;
  const std::vector<Packet> dropped = packets_of("dropped.pcapng");
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].frame, eth() / ipv4(kClient, "203.0.113.99") / udp(5, 6) / "x");
  EXPECT_NE(contents_of("dropped.pcapng").find("transit_refused: packet 2 of "), std::string::npos);
  EXPECT_NE(contents_of("sent.pcapng").find("tcp_without_flow: for packet 3 of "),
            std::string::npos)
      << "answered by a RST";
}

TEST_F(ReplayTest, TimePassesAsInTheFile) {
  const auto data = eth() / ipv4(kClient, "203.0.113.10") / tcp(40000, 80).seq(2).ack(10);
  record("in.pcap", {{0, syn(40000)}, {2, data}, {4000, data}});
  ASSERT_EQ(nezu({at("in.pcap"), "-o", "json"}), 0) << err_;
  EXPECT_TRUE(said(R"("packets_to_server": 2)") && said(R"("tcp_without_flow": 1)")) << out_;
  const std::vector<Packet> sent = packets_of("sent.pcapng");
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[2].when - sent[0].when, 4'000'000'000'000u);
  record("in.pcap", {{0, syn(40000)}});
  ASSERT_EQ(nezu({at("in.pcap"), "-o", "json"}), 0);
  EXPECT_TRUE(said(R"("flows": 1)")) << out_;
  ASSERT_EQ(nezu({at("in.pcap"), "-o", "json", "--linger", "2h"}), 0);
  EXPECT_TRUE(said(R"("flows": 0)")) << out_;
}

TEST_F(ReplayTest, TheSameAgainIsTheSame) {
  record("in.pcap", {{0, syn(40000, "203.0.113.11")}, {1, syn(40001, "203.0.113.11")}});
  ASSERT_EQ(nezu({at("in.pcap")}), 0);
  const std::string first = contents_of("sent.pcapng"), counted = out_;
  ASSERT_EQ(nezu({at("in.pcap")}), 0);
  EXPECT_EQ(contents_of("sent.pcapng"), first);
  EXPECT_EQ(out_, counted);
  EXPECT_EQ(packets_of("sent.pcapng").size(), 2u);
}

TEST_F(ReplayTest, FailedServersTakeNothing) {
  record("in.pcap", {{0, syn(40000)}, {1, syn(40001)}});
  ASSERT_EQ(nezu({at("in.pcap"), "--failed", "10.0.1.5:8080"}), 0) << err_;
  for (const Packet& one : packets_of("sent.pcapng")) {
    EXPECT_EQ(one.frame.bytes()[33], 6) << testing::PrintToString(one.frame);
  }
  EXPECT_EQ(nezu({at("in.pcap"), "--failed", "10.0.9.9:80"}), 4);
  EXPECT_TRUE(said("--failed 10.0.9.9:80: no pool has such a server"));
}

TEST_F(ReplayTest, LinksHaveAddressesRoutesAndNeighbours) {
  record("in.pcap", {{0, eth() / ipv4("192.0.2.7", "203.0.113.12") / tcp(40000, 80).syn()},
                     {1, eth() / ipv4(kClient, "203.0.113.10").ttl(1) / tcp(40000, 80).syn()},
                     {2, eth().to("02:00:00:00:00:99") / ipv4(kClient, "203.0.113.10") /
                             tcp(40001, 80).syn()}});
  ASSERT_EQ(
      nezu({at("in.pcap"), "--link", "front,address=192.0.2.1/24,mac=02:00:00:00:00:02", "--link",
            "back,address=10.0.1.1/24,mtu=9000", "--route", "0.0.0.0/0=192.0.2.254", "--neighbour",
            "10.0.1.7=02:00:00:00:07:07", "--neighbour", "192.0.2.254=02:00:00:00:00:fe"}),
      0)
      << err_;
  const std::vector<Packet> sent = packets_of("sent.pcapng");
  ASSERT_EQ(sent.size(), 2u) << out_;
  EXPECT_EQ(sent[0].frame, eth().from("02:00:00:00:00:01").to("02:00:00:00:07:07") /
                               ipv4("10.0.1.1", "10.0.1.7").id(0).dont_fragment() /
                               ipv4("192.0.2.7", "203.0.113.12").ttl(63) / tcp(40000, 80).syn())
      << testing::PrintToString(sent[0].frame);
  EXPECT_EQ(sent[1].frame.bytes()[34], 11) << "time exceeded\n"
                                           << testing::PrintToString(sent[1].frame);
  EXPECT_TRUE(said("mac_other")) << out_;
}

TEST_F(ReplayTest, ClientsStayOnTheirServer) {
  std::vector<Sample> samples;
  for (uint16_t i = 0; i < 6; ++i) {
    samples.push_back({i * 0.1, syn(static_cast<uint16_t>(40000 + i), "203.0.113.13")});
  }
  record("in.pcap", samples);
  ASSERT_EQ(nezu({at("in.pcap")}), 0) << err_;
  const std::vector<Packet> sent = packets_of("sent.pcapng");
  ASSERT_EQ(sent.size(), 6u) << out_;
  for (const Packet& one : sent) EXPECT_EQ(one.frame.bytes()[33], sent[0].frame.bytes()[33]);
}

TEST_F(ReplayTest, InstancesAreApart) {
  const auto vip = ipv4(kClient, "203.0.113.10");
  record("in.pcap", {{0, eth() / vlan(10) / vip / tcp(40000, 80).syn()},
                     {1, eth() / vlan(11) / vip / tcp(40001, 80).syn()}});
  ASSERT_EQ(nezu({at("in.pcap")}), 0) << err_;
  const std::vector<Packet> sent = packets_of("sent.pcapng");
  ASSERT_EQ(sent.size(), 1u) << out_;
  EXPECT_EQ(sent[0].frame, eth().from("02:00:00:00:00:01").to("02:fe:0a:00:01:05") / vlan(10) /
                               ipv4(kClient, "10.0.1.5").ttl(63) / tcp(40000, 8080).syn());
  EXPECT_TRUE(said("vlan_unknown"));
}

TEST_F(ReplayTest, FragmentsWaitForTheirFirstOne) {
  const auto ip = [](uint16_t offset, bool more) {
    return ipv4(kClient, "203.0.113.10").id(7).fragment(offset, more);
  };
  const Frame first = eth() / ip(0, true) / tcp(40000, 80).syn().seq(1) / fill(28);
  const Frame later = eth() / ip(48, false) / raw(Bytes(8, 'x'), 6);
  record("in.pcap", {{0, later}, {0.01, first}});
  ASSERT_EQ(nezu({at("in.pcap")}), 0) << err_;
  EXPECT_TRUE(said("2 packets in, 2 out")) << out_;
  EXPECT_NE(contents_of("sent.pcapng").find("for packet 1 of "), std::string::npos);
  record("in.pcap", {{0, later}});
  ASSERT_EQ(nezu({at("in.pcap"), "--linger", "1m"}), 0);
  EXPECT_TRUE(said("fragment_timeout")) << out_;
}

TEST_F(ReplayTest, WhatWasCutOffStaysCutOff) {
  record("in.pcap",
         {{0, syn(40000)},
          {1, eth() / ipv4(kClient, "203.0.113.10") / tcp(40000, 80).seq(2).ack(3) / fill(1000),
           900}});
  ASSERT_EQ(nezu({at("in.pcap")}), 0);
  EXPECT_TRUE(said("1 packets had been cut off")) << err_;
  auto file = captures::CaptureFile::open(at("sent.pcapng"));
  captures::Recorded packet;
  ASSERT_TRUE(file.next(packet) && file.next(packet));
  EXPECT_EQ(packet.length, 1054u);
  EXPECT_EQ(packet.bytes.size(), 154u);
}

TEST_F(ReplayTest, DamageIsToldBehindWhatStoodBeforeIt) {
  record("in.pcap", {{0, syn(40000)}, {1, syn(40001)}});
  std::filesystem::resize_file(folder_ / "in.pcap",
                               std::filesystem::file_size(folder_ / "in.pcap") - 7);
  EXPECT_EQ(nezu({at("in.pcap")}), 6);
  EXPECT_TRUE(said("1 packets in, 1 out") && said("damaged behind packet 1")) << out_ << err_;
}

TEST_F(ReplayTest, WhatCannotBeUnderstoodIsRefused) {
  record("in.pcap", {{0, syn(40000)}});
  const std::string in = at("in.pcap");
  EXPECT_EQ(nezu({at("nezu.yaml")}), 2);
  EXPECT_TRUE(said("nezu.yaml: this is no pcap or pcapng file")) << err_;
  const auto refused = [&](std::vector<std::string> words, const char* why) {
    words.push_back(in);
    EXPECT_EQ(nezu(words), 2) << words[0];
    EXPECT_TRUE(said(why)) << err_;
  };
  refused({"--link", "front.5000"}, "a VLAN of one");
  refused({"--link", "front,addr=10.0.0.1/8"}, "there is no \"addr\"");
  refused({"--link", "front,address=10.0.0.1"}, "as 192.0.2.1/24");
  refused({"--link", "front,mtu=9"}, "68 to 9198");
  refused({"--link", "front,mac=2"}, "no MAC address");
  refused({"--link", "front,side=left"}, "clients or servers");
  refused({"--link", "front", "--route", "10.0.0.0/8"}, "PREFIX=GATEWAY");
  refused({"--link", "front", "--route", "10.0.0.0/8=10.1.1.1"}, "in no subnet");
  refused({"--link", "front", "--route", "10.0.0.0/8=fd00::1"}, "other IP version");
  refused({"--link", "front", "--route", "x=front"}, "is no prefix");
  refused({"--route", "10.0.0.0/8=front"}, "--link");
  refused({"--neighbour", "10.0.0.1"}, "ADDRESS=MAC");
  std::filesystem::remove(folder_ / "sent.pcapng");
  std::filesystem::create_directory(folder_ / "sent.pcapng");
  EXPECT_EQ(nezu({in}), 2);
  EXPECT_TRUE(said("cannot write " + at("sent.pcapng"))) << err_;
  std::filesystem::remove(folder_ / "sent.pcapng");
  std::ofstream(folder_ / "nezu.yaml") << "services: [{name: shop, pool: none}]";
  EXPECT_EQ(nezu({in}), 1);
  EXPECT_TRUE(said("could not be put in force") && said("services[\"shop\"]")) << err_;
}

}  // namespace
}  // namespace nezu::cli
