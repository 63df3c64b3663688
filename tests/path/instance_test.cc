// Network instances: the same addresses in several at once, and nothing that goes from one to
// another.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/path/spaces.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Instance;
using net::Reason;
using net::Verdict;

world::ServiceSpec shop(Instance instance, tables::Mode mode = tables::Mode::nat,
                        net::Protocol protocol = net::Protocol::tcp) {
  world::ServiceSpec spec = web(mode);
  spec.instance = instance;
  spec.protocol = protocol;
  return spec;
}
world::ServiceSpec shop6(Instance instance, tables::Mode mode) {
  world::ServiceSpec spec = shop(instance, mode);
  spec.vip = "2001:db8::10";
  spec.servers = {{"fd00:1::5", 8080}, {"fd00:1::6", 8080}};
  if (mode == tables::Mode::fullnat) spec.snats = {"fd00::1"};
  return spec;
}

/// One client's TCP conversation in one instance, whatever worker its packets come to.
class Talk {
 public:
  Talk(Lab& lab, const Space& space, std::string client, uint16_t port, std::string vip)
      : lab_(lab), space_(space), client_(std::move(client)), vip_(std::move(vip)), port_(port) {}

  /// Empty when all is well, else what is not.
  std::string open() {
    const Fate syn = there(tcp(port_, 80).syn().seq(100));
    if (std::string wrong = wrong_with(syn, 1, space_.back); !wrong.empty()) return wrong;
    server_ = ends_of(untagged(syn.frame));
    const Fate answer =
        back(tcp(server_.destination_port, server_.source_port).syn().seq(500).ack(101));
    return wrong_with(answer, 0, space_.front);
  }
  std::string go_on() {
    const Fate data = there(tcp(port_, 80).psh().seq(101).ack(501));
    if (std::string wrong = wrong_with(data, 1, space_.back); !wrong.empty()) return wrong;
    const Ends now = ends_of(untagged(data.frame));
    if (now.destination != server_.destination || now.source != server_.source ||
        now.source_port != server_.source_port) {
      return "another server or source";
    }
    const Fate answer =
        back(tcp(server_.destination_port, server_.source_port).psh().seq(501).ack(102));
    if (std::string wrong = wrong_with(answer, 0, space_.front); !wrong.empty()) return wrong;
    const Ends ends = ends_of(untagged(answer.frame));
    const bool right = ends.source == world::address(vip_) && ends.source_port == 80 &&
                       ends.destination == world::address(client_) &&
                       ends.destination_port == port_;
    return right ? "" : "the answer has other ends";
  }
  const Ends& server() const { return server_; }
  /// The server's answer, but by another instance's VLAN.
  Fate answer_by(const Space& other) {
    return lab_.send(
        tagged(answer_frame(
                   tcp(server_.destination_port, server_.source_port).psh().seq(501).ack(102)),
               other.back),
        worker_++ % lab_.workers(), 1);
  }

 private:
  bool v6() const { return client_.find(':') != std::string::npos; }
  Fate there(const Tcp& tcp) {
    const Frame frame =
        v6() ? Frame(eth() / ipv6(client_, vip_) / tcp) : Frame(eth() / ipv4(client_, vip_) / tcp);
    return lab_.send(tagged(frame, space_.front), worker_++ % lab_.workers(), 0);
  }
  Frame answer_frame(const Tcp& tcp) const {
    const std::string from = net::to_string(server_.destination),
                      to = net::to_string(server_.source);
    return v6() ? Frame(eth() / ipv6(from, to) / tcp) : Frame(eth() / ipv4(from, to) / tcp);
  }
  Fate back(const Tcp& tcp) {
    return lab_.send(tagged(answer_frame(tcp), space_.back), worker_++ % lab_.workers(), 1);
  }
  /// It leaves by that port, with the tag and towards a host of its instance.
  std::string wrong_with(const Fate& fate, uint16_t egress, uint16_t vlan) const {
    if (fate.verdict != Verdict::forward)
      return "not forwarded: " + std::string(to_string(fate.reason));
    if (fate.egress != egress) return "the wrong port";
    if (vlan_of(fate.frame) != vlan) return "tag " + std::to_string(vlan_of(fate.frame));
    return fate.frame.bytes()[1] == static_cast<uint8_t>(space_.instance) ? "" : "another's host";
  }

  Lab& lab_;
  const Space& space_;
  std::string client_, vip_;
  uint16_t port_;
  uint16_t worker_ = 0;
  Ends server_;
};

TEST(Instances, TheSameClientsPortsVipsServersAndSnatAddressesInEachAtOnce) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    for (const bool v6 : {false, true}) {
      Lab lab(2);
      add_instances(lab);
      for (const Space& space : kSpaces) {
        lab.world().put(v6 ? shop6(space.instance, mode) : shop(space.instance, mode));
      }
      std::vector<Talk> talks;
      for (uint32_t n = 0; n < 64; ++n) {
        for (const Space& space : kSpaces) {
          talks.emplace_back(lab, space, v6 ? client6(n) : client(n), 40000,
                             v6 ? "2001:db8::10" : "203.0.113.10");
          ASSERT_EQ(talks.back().open(), "") << n << " in " << static_cast<int>(space.instance);
        }
      }
      for (Talk& talk : talks) ASSERT_EQ(talk.go_on(), "");
      EXPECT_EQ(lab.flow_count(), 3 * 64u);
      for (const Space& space : kSpaces) {
        const auto id = lab.world().server_id(v6 ? "fd00:1::5" : "10.0.1.5", 8080,
                                              net::Protocol::tcp, space.instance);
        EXPECT_NEAR(static_cast<double>(lab.gauge_of_server(id)), v6 ? 32 : 64 / 3.0, 2);
      }
      EXPECT_GT(lab.count(&tables::WorkerLine::handed_over), 64u);
      EXPECT_EQ(lab.audit(), "");
    }
  }
}

/// Each instance has all ports of the address: as many flows as if it were alone.
TEST(Instances, SnatPortsOfOneAreNotThoseOfAnother) {
  Lab lab(1);
  add_instances(lab);
  for (const Space& space : kSpaces) {
    world::ServiceSpec spec = shop(space.instance, tables::Mode::fullnat);
    spec.servers = {{"10.0.1.5", 8080}};
    spec.snats = {"10.0.0.1"};
    lab.world().put(spec);
  }
  std::map<Instance, std::vector<uint16_t>> ports;
  for (uint32_t n = 0; n < 32; ++n) {
    for (const Space& space : kSpaces) {
      Talk talk(lab, space, client(n), 40000, "203.0.113.10");
      ASSERT_EQ(talk.open(), "");
      ports[space.instance].push_back(talk.server().source_port);
    }
  }
  // The same shard, the same history: the same port for the same client in each.
  EXPECT_EQ(ports[kRed], ports[Instance::standard]);
  EXPECT_EQ(ports[kBlue], ports[Instance::standard]);
}

TEST(Instances, WhatOneHasIsUnknownInTheOthers) {
  Lab lab(2);
  add_instances(lab);
  lab.world().put(shop(kRed, tables::Mode::fullnat));
  const Frame syn = eth() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn();
  const Frame ping = eth() / ipv4("198.51.100.7", "203.0.113.10") / echo_request(1, 1);
  const Frame who = eth().to("ff:ff:ff:ff:ff:ff") / arp_request("192.0.2.254", "203.0.113.10");
  const Frame snat = eth().to("ff:ff:ff:ff:ff:ff") / arp_request("10.0.1.5", "10.0.0.1");
  for (const Space& space : kSpaces) {
    const bool red = space.instance == kRed;
    const auto fate = [&](const Frame& frame, uint16_t port = 0) {
      return lab.send(tagged(frame, port == 0 ? space.front : space.back), 0, port);
    };
    EXPECT_EQ(fate(syn).verdict, red ? Verdict::forward : Verdict::drop);
    EXPECT_EQ(fate(ping).verdict, red ? Verdict::reply : Verdict::drop);
    // The kernel may have that address there.
    EXPECT_EQ(fate(who).verdict, red ? Verdict::reply : Verdict::twin);
    EXPECT_EQ(fate(snat, 1).verdict, red ? Verdict::reply : Verdict::twin);
    if (red) {
      EXPECT_EQ(vlan_of(fate(who).frame), space.front);
      EXPECT_EQ(vlan_of(fate(ping).frame), space.front);
    }
  }
  EXPECT_EQ(lab.count(Reason::transit_refused), 4u) << "two SYNs, two pings";
  EXPECT_EQ(lab.flow_count(), 1u);
}

TEST(Instances, AnAnswerByAnotherInstanceFindsNoFlow) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(2);
    add_instances(lab);
    lab.world().put(shop(kRed, mode));
    Talk talk(lab, kSpaces[1], "198.51.100.7", 40000, "203.0.113.10");
    ASSERT_EQ(talk.open(), "");
    for (const Space& other : {kSpaces[0], kSpaces[2]}) {
      const Fate fate = talk.answer_by(other);
      EXPECT_EQ(fate.verdict, Verdict::drop);
      EXPECT_EQ(fate.reason, Reason::transit_refused);
    }
    EXPECT_EQ(talk.go_on(), "");
  }
}

TEST(Instances, TransitStaysInItsOwn) {
  Lab lab(1);
  add_instances(lab);
  lab.world().neighbour(world::address("10.0.1.5"), world::server_mac(7));
  lab.world().rebuild_routes();
  lab.world().put(shop(kRed));
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
  const Frame frame = eth() / ipv4("198.51.100.7", "10.0.1.5") / udp(5, 53);
  for (const Space& space : kSpaces) {
    const Fate fate = lab.send(tagged(frame, space.front));
    ASSERT_EQ(fate.verdict, Verdict::forward);
    EXPECT_EQ(vlan_of(fate.frame), space.back);
    EXPECT_EQ(fate.frame.bytes()[1], static_cast<uint8_t>(space.instance));
  }
}

/// The addresses that errors come from, and their tags, are those of the link they go to.
TEST(Instances, ErrorsOfOursGoBackByTheLinkThatThePacketCameBy) {
  Lab lab(1);
  add_instances(lab);
  for (const Space& space : kSpaces) lab.world().put(shop(space.instance));
  const Frame frame = eth() / ipv4("198.51.100.7", "203.0.113.10").ttl(1) / tcp(40000, 80).syn();
  for (const Space& space : kSpaces) {
    const Fate fate = lab.send(tagged(frame, space.front));
    ASSERT_EQ(fate.verdict, Verdict::reply) << to_string(fate.reason);
    EXPECT_EQ(vlan_of(fate.frame), space.front);
    EXPECT_EQ(ends_of(untagged(fate.frame)).source, world::address("192.0.2.1"));
  }
  lab.world().own_addresses({});
  lab.world().rebuild_routes();
  EXPECT_EQ(lab.send(tagged(frame, 10)).verdict, Verdict::drop) << "nothing to send it from";
}

TEST(Instances, IcmpErrorsFindTheFlowOfTheirOwnOne) {
  Lab lab(2);
  add_instances(lab);
  lab.world().put(shop(kRed));
  Talk talk(lab, kSpaces[1], "198.51.100.7", 40000, "203.0.113.10");
  ASSERT_EQ(talk.open(), "");
  const std::string server = net::to_string(talk.server().destination);
  const Frame error = eth() / ipv4("10.0.9.9", "198.51.100.7") / fragmentation_needed(1400) /
                      ipv4("198.51.100.7", server) / tcp(40000, 8080);
  for (const Space& space : kSpaces) {
    const Fate fate = lab.send(tagged(error, space.back), 1, 1);
    if (space.instance == kRed) {
      EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      EXPECT_EQ(vlan_of(fate.frame), space.front);
    } else {
      EXPECT_EQ(fate.reason, Reason::icmp_unmatched);
    }
  }
}

TEST(Instances, FragmentsOfEqualTrainsAreKeptApart) {
  Lab lab(2);
  add_instances(lab);
  for (const Instance instance : {kRed, kBlue}) {
    lab.world().put(shop(instance, tables::Mode::nat, net::Protocol::udp));
  }
  const Bytes half(800, 'x');
  const Frame whole =
      eth() / ipv4("198.51.100.7", "203.0.113.10") / udp(40000, 80) / std::string(1592, 'x');
  const auto bytes = whole.bytes();
  const Bytes first(bytes.begin() + 34, bytes.begin() + 34 + 800),
      last(bytes.begin() + 834, bytes.end());
  const auto piece = [&](uint16_t offset, bool more, const Bytes& of) -> Frame {
    return eth() / ipv4("198.51.100.7", "203.0.113.10").id(7).fragment(offset, more) / raw(of, 17);
  };
  // Only red's first one comes: blue's later ones learn no ports from it.
  EXPECT_EQ(lab.send(tagged(piece(800, false, last), 20), 0).verdict, Verdict::kept);
  const Fate red = lab.send(tagged(piece(0, true, first), 10), 1);
  ASSERT_EQ(red.verdict, Verdict::forward) << to_string(red.reason);
  EXPECT_EQ(vlan_of(red.frame), 11);
  EXPECT_TRUE(lab.released().empty());
  const Fate red_last = lab.send(tagged(piece(800, false, last), 10), 0);
  EXPECT_EQ(red_last.verdict, Verdict::forward);
  EXPECT_EQ(vlan_of(red_last.frame), 11);
  const Fate blue = lab.send(tagged(piece(0, true, first), 20), 1);
  ASSERT_EQ(blue.verdict, Verdict::forward);
  EXPECT_EQ(vlan_of(blue.frame), 21);
  const auto released = lab.released();
  ASSERT_EQ(released.size(), 1u);
  EXPECT_EQ(vlan_of(released[0].frame), 21);
}

TEST(Instances, WhoIsAwaitedIsAwaitedInItsOwn) {
  Lab lab(1);
  add_instances(lab);
  lab.world().put(shop(Instance::standard));  // makes the servers known
  world::ServiceSpec spec = shop(kBlue);
  spec.servers = {{"10.0.1.5", 8080}};
  lab.world().put(spec);
  const Frame syn = eth() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn();
  const uint32_t hop = lab.world().routes().find(kBlue, world::address("10.0.1.5"), 0);
  lab.world().hops().set_state(static_cast<uint16_t>(hop), route::HopState::asking);
  const Fate fate = lab.send(tagged(syn, 20));
  EXPECT_EQ(fate.verdict, Verdict::hold);
  EXPECT_EQ(fate.awaited, world::address("10.0.1.5"));
  EXPECT_EQ(fate.awaited_in, kBlue);
  EXPECT_EQ(vlan_of(fate.frame), 21) << "as it shall leave";
}

TEST(Instances, FlowsOfEachOutliveTheProcess) {
  for (const uint16_t workers : {1, 2, 3}) {
    Lab lab(2);
    add_instances(lab);
    std::vector<Talk> talks;
    for (const Space& space : kSpaces) lab.world().put(shop(space.instance, tables::Mode::fullnat));
    for (uint32_t n = 0; n < 32; ++n) {
      for (const Space& space : kSpaces) {
        talks.emplace_back(lab, space, client(n), 40000, "203.0.113.10");
        ASSERT_EQ(talks.back().open(), "");
      }
    }
    const path::Restored restored = lab.restart(workers);
    EXPECT_EQ(restored.kept, 3 * 32u);
    for (Talk& talk : talks) ASSERT_EQ(talk.go_on(), "") << workers;
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Tags, ThatAreWrongEndTheFrame) {
  Lab lab(1);
  add_instances(lab);
  for (const Space& space : kSpaces) lab.world().put(shop(space.instance));
  const Frame syn = eth() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn();
  const auto reason = [&](const Frame& frame, uint16_t port = 0) {
    const Fate fate = lab.send(frame, 0, port);
    return fate.verdict == Verdict::drop ? fate.reason : Reason::none;
  };
  EXPECT_EQ(reason(tagged(syn, 30)), Reason::vlan_unknown) << "nobody's";
  EXPECT_EQ(reason(tagged(syn, 11)), Reason::vlan_unknown) << "of the other port";
  EXPECT_EQ(reason(tagged(syn, 10), 1), Reason::vlan_unknown);
  EXPECT_EQ(reason(tagged(syn, 10), 2), Reason::vlan_unknown) << "a port without any";
  EXPECT_EQ(reason(tagged(syn, 4095)), Reason::vlan_unknown);
  EXPECT_EQ(reason(tagged(tagged(syn, 10), 20)), Reason::vlan_stacked);
  EXPECT_EQ(reason(tagged(syn, 10).with(12, 0x88).with(13, 0xa8)), Reason::vlan_stacked);
  for (size_t length = 14; length < 18; ++length) {
    EXPECT_EQ(reason(tagged(syn, 10).cut(length)), Reason::ethernet_truncated) << length;
  }
  EXPECT_EQ(reason(tagged(syn, 10).cut(30)), Reason::ipv4_truncated);
  const Frame who = eth() / arp_request("192.0.2.254", "203.0.113.10");
  EXPECT_EQ(reason(tagged(who, 30)), Reason::vlan_unknown);
  EXPECT_EQ(lab.flow_count(), 0u);
}

/// A tag of id 0 is of the untagged network: it says a priority, which way out has none.
TEST(Tags, OfAPriorityOnlyBelongToTheUntaggedNetwork) {
  Lab lab(1);
  add_instances(lab);
  for (const Space& space : kSpaces) lab.world().put(shop(space.instance));
  const Frame syn =
      eth() / vlan(0).priority(5) / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn();
  const Fate fate = lab.send(syn);
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(fate.frame.bytes()[12], 8) << "untagged";
  EXPECT_EQ(lab.gauge_of_server(lab.world().server_id("10.0.1.5", 8080, net::Protocol::tcp)), 1u);
  const Frame who = eth() / vlan(0).priority(5) / arp_request("192.0.2.254", "203.0.113.10");
  EXPECT_EQ(lab.send(who).verdict, Verdict::reply);
}

/// In bursts of all kinds at once, as ports bring them.
TEST(Tags, OfOneBurstAreToldApart) {
  Lab lab(1);
  add_instances(lab);
  for (const Space& space : kSpaces) lab.world().put(shop(space.instance));
  std::vector<Frame> frames;
  for (uint32_t n = 0; n < 16; ++n) {
    for (const Space& space : kSpaces) {
      frames.push_back(
          tagged(eth() / ipv4(client(n), "203.0.113.10") / tcp(40000, 80).syn(), space.front));
    }
    frames.push_back(tagged(eth() / ipv4(client(n), "203.0.113.10") / tcp(40000, 80).syn(), 30));
  }
  const auto fates = lab.send(frames);
  for (size_t i = 0; i < fates.size(); ++i) {
    if (i % 4 == 3) {
      EXPECT_EQ(fates[i].reason, Reason::vlan_unknown);
      continue;
    }
    ASSERT_EQ(fates[i].verdict, Verdict::forward);
    EXPECT_EQ(vlan_of(fates[i].frame), kSpaces[i % 4].back);
  }
  EXPECT_EQ(lab.flow_count(), 48u);
}

}  // namespace
}  // namespace nezu::lab
