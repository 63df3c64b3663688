// Services by address alone, by prefix and by ranges of ports.
#include <gtest/gtest.h>

#include <set>

#include "tests/path/frames.h"
#include "tests/path/lab.h"
#include "tests/path/sctp_frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Protocol;
using net::Reason;
using net::Verdict;
using tables::Mode;

constexpr uint8_t kGre = 47;
Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

world::ServiceSpec one(std::string_view vip, uint16_t port, Protocol protocol,
                       std::string_view server, Mode mode = Mode::nat) {
  world::ServiceSpec spec;
  spec.vip = vip;
  spec.port = port;
  spec.protocol = protocol;
  spec.mode = mode;
  spec.servers = {{server, 0}};
  return spec;
}

net::Address server_for(Lab& lab, const Stack& sent) {
  const Fate fate = lab.send(sent);
  if (fate.verdict != Verdict::forward) {
    ADD_FAILURE() << to_string(fate.reason);
    return {};
  }
  return ends_of(fate.frame).destination;
}

TEST(Any, TheMoreSpecificServiceTakesThePacket) {
  Lab lab(1);
  lab.world().put(one("203.0.113.0/24", 0, Protocol::any, "10.0.1.1"));
  world::ServiceSpec range = one("203.0.113.0/24", 8000, Protocol::udp, "10.0.1.2");
  range.last_port = 8999;
  lab.world().put(range);
  lab.world().put(one("203.0.113.128/25", 0, Protocol::any, "10.0.1.3"));
  lab.world().put(one("203.0.113.200", 53, Protocol::udp, "10.0.1.4"));
  world::ServiceSpec narrow = one("203.0.113.200", 8000, Protocol::udp, "10.0.1.5");
  narrow.last_port = 8009;
  lab.world().put(narrow);
  world::ServiceSpec all_udp = one("203.0.113.200", 1, Protocol::udp, "10.0.1.6");
  all_udp.last_port = 65535;
  lab.world().put(all_udp);
  uint16_t port = 20000;
  const auto server = [&](std::string_view vip, uint16_t to) {
    return net::to_string(
        server_for(lab, eth() / ipv4("198.51.100.7", vip) / udp(++port, to) / "x"));
  };
  EXPECT_EQ(server("203.0.113.5", 99), "10.0.1.1");
  EXPECT_EQ(server("203.0.113.5", 7999), "10.0.1.1");
  EXPECT_EQ(server("203.0.113.5", 8000), "10.0.1.2");
  EXPECT_EQ(server("203.0.113.5", 8999), "10.0.1.2");
  EXPECT_EQ(server("203.0.113.5", 9000), "10.0.1.1");
  EXPECT_EQ(server("203.0.113.129", 8000), "10.0.1.3");  // the prefix counts before the range
  EXPECT_EQ(server("203.0.113.200", 53), "10.0.1.4");
  EXPECT_EQ(server("203.0.113.200", 8005), "10.0.1.5");
  EXPECT_EQ(server("203.0.113.200", 8010), "10.0.1.6");
  // What no service of the very address takes, that of its prefix takes.
  EXPECT_EQ(net::to_string(
                server_for(lab, eth() / ipv4("198.51.100.7", "203.0.113.200") / tcp(9, 443).syn())),
            "10.0.1.3");
  EXPECT_EQ(lab.audit(), "");
}

TEST(Any, APrefixOfIpv6AndItsAnswers) {
  Lab lab(2);
  lab.world().put(one("2001:db8:10::/48", 0, Protocol::any, "fd00:1::5"));
  for (uint16_t n = 0; n < 32; ++n) {
    const auto port = static_cast<uint16_t>(30000 + n);
    const Fate there = lab.send(eth() / ipv6(client6(n), "2001:db8:10:7::9") / udp(port, 53) / "q",
                                static_cast<uint16_t>(n % 2), 0);
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    EXPECT_EQ(ends_of(there.frame).destination, world::address("fd00:1::5"));
    EXPECT_EQ(ends_of(there.frame).destination_port, 53);
    const Fate back = lab.send(eth() / ipv6("fd00:1::5", client6(n)) / udp(53, port) / "a",
                               static_cast<uint16_t>((n + 1) % 2), 1);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(ends_of(back.frame).source, world::address("2001:db8:10:7::9"));
  }
}

TEST(Any, APrefixIsNotAnsweredForAndOthersPass) {
  Lab lab(1);
  lab.world().put(one("203.0.113.0/24", 80, Protocol::tcp, "10.0.1.1"));
  const Fate arp =
      lab.send(eth().to("ff:ff:ff:ff:ff:ff") / dsl::arp_request("192.0.2.7", "203.0.113.9"));
  EXPECT_EQ(arp.verdict, Verdict::twin);
  const Fate ping = lab.send(eth() / ipv4("198.51.100.7", "203.0.113.9") / echo_request(1, 1));
  EXPECT_EQ(ping.reason, Reason::transit_refused);
  const Fate other = lab.send(eth() / ipv4("198.51.100.7", "203.0.113.9") / udp(1, 80) / "x");
  EXPECT_EQ(other.reason, Reason::transit_refused);
}

TEST(Any, RemovingTheServiceLeavesItsFlows) {
  Lab lab(1);
  const auto id = lab.world().put(one("203.0.113.0/24", 0, Protocol::any, "10.0.1.1"));
  const auto ask = [&] {
    return lab.send(eth() / ipv4("198.51.100.7", "203.0.113.9") / udp(5, 99) / "x").verdict;
  };
  EXPECT_EQ(ask(), Verdict::forward);
  lab.world().remove(id);
  EXPECT_EQ(ask(), Verdict::forward);
  EXPECT_EQ(lab.send(eth() / ipv4("198.51.100.8", "203.0.113.9") / udp(5, 99) / "x").reason,
            Reason::transit_refused);
}

TEST(Any, WithoutPortsAnSnatAddressServesOneFlowToAServer) {
  Lab lab(2);
  world::ServiceSpec spec = one("203.0.113.10", 0, Protocol::any, "10.0.1.5", Mode::fullnat);
  spec.snats = {"10.0.0.1", "10.0.0.2"};
  lab.world().put(spec);
  const auto send = [&](uint32_t n, uint8_t protocol) {
    return lab.send(eth() / ipv4(client(n), "203.0.113.10") / raw(bytes_of("12345678"), protocol),
                    static_cast<uint16_t>(n % 2));
  };
  std::set<net::Address> sources;
  for (uint32_t n = 0; n < 2; ++n) {
    const Fate fate = send(n, 50);
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    sources.insert(ends_of(fate.frame).source);
  }
  EXPECT_EQ(sources.size(), 2u);
  EXPECT_EQ(send(2, 50).reason, Reason::snat_ports_exhausted);
  EXPECT_EQ(send(2, kGre).verdict, Verdict::forward);  // another protocol has its own
  // Those with ports share an address as ever, in the same service.
  for (uint32_t n = 0; n < 64; ++n) {
    EXPECT_EQ(lab.send(eth() / ipv4(client(n), "203.0.113.10") / udp(7, 500) / "x").verdict,
              Verdict::forward);
  }
  EXPECT_EQ(lab.audit(), "");
}

TEST(Any, APacketOfNoServiceIsRefusedAsItsProtocolWantsIt) {
  Lab lab(1);
  world::ServiceSpec spec = one("203.0.113.10", 80, Protocol::tcp, "10.0.1.5");
  lab.world().put(spec);
  const Fate gre =
      lab.send(eth() / ipv4("198.51.100.7", "203.0.113.10") / raw(bytes_of("12345678"), kGre));
  EXPECT_EQ(gre.verdict, Verdict::reply);
  EXPECT_EQ(gre.reason, Reason::service_unknown);
  EXPECT_EQ(gre.frame.bytes()[34], 3);  // unreachable
  EXPECT_EQ(gre.frame.bytes()[35], 2);  // protocol
  const Fate init =
      lab.send(eth().from("02:00:00:00:00:01").to("02:00:00:00:00:02") /
               ipv4("198.51.100.7", "203.0.113.10") / sctp(5000, 80, 0, initiation(1, 0x11223344)));
  EXPECT_EQ(init.verdict, Verdict::reply);
  EXPECT_EQ(init.frame, eth().from("02:00:00:00:00:02").to("02:00:00:00:00:01") /
                            ipv4("203.0.113.10", "198.51.100.7").ttl(64).id(0).dont_fragment() /
                            sctp(80, 5000, 0x11223344, chunk(6)));
}

TEST(Any, IcmpErrorsAboutPacketsWithoutPortsFindTheirFlow) {
  Lab lab(1);
  lab.world().put(one("203.0.113.10", 0, Protocol::gre, "10.0.1.5"));
  ASSERT_EQ(lab.send(eth() / ipv4("198.51.100.7", "203.0.113.10") / raw(bytes_of("12345678"), kGre))
                .verdict,
            Verdict::forward);
  const Fate fate =
      lab.send(eth() / ipv4("192.0.2.99", "203.0.113.10") / time_exceeded() /
               ipv4("203.0.113.10", "198.51.100.7") / raw(bytes_of("answered"), kGre));
  EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(ends_of(fate.frame).destination, world::address("10.0.1.5"));
}

}  // namespace
}  // namespace nezu::lab
