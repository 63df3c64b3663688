// Network instances: what is announced, tunnelled or translated in one stays there.
#include <gtest/gtest.h>

#include <string>

#include "tests/path/spaces.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::Application;
using tables::Mode;

const char* const kVip = "203.0.113.10";
const char* const kClient = "198.18.0.7";

/// One server, another one in each instance.
std::string server_in(const Space& space) {
  return space.instance == kRed ? "10.0.1.6" : space.instance == kBlue ? "10.0.1.7" : "10.0.1.5";
}

/// Frames of one instance, each to the next worker.
class Wire {
 public:
  Wire(Lab& lab, const Space& space) : lab_(lab), space_(space) {}
  Fate there(const Frame& frame) { return send(frame, 0, space_.front); }
  Fate back(const Frame& frame) { return send(frame, 1, space_.back); }

 private:
  Fate send(const Frame& frame, uint16_t port, uint16_t vlan) {
    Fate fate =
        lab_.send(tagged(frame, vlan), static_cast<uint16_t>(turn_++ % lab_.workers()), port);
    if (fate.verdict == Verdict::forward) {
      EXPECT_EQ(vlan_of(fate.frame), port == 0 ? space_.back : space_.front);
      EXPECT_EQ(fate.frame.bytes()[1], static_cast<uint8_t>(space_.instance)) << "another's host";
      fate.frame = untagged(fate.frame);
    }
    return fate;
  }
  Lab& lab_;
  const Space& space_;
  uint16_t turn_ = 0;
};

/// The service of each instance; servers' addresses must outlive the specification.
void put_in_each(Lab& lab, Application application, uint16_t port, net::Protocol protocol) {
  for (const Space& space : kSpaces) {
    const std::string server = server_in(space);
    world::ServiceSpec spec;
    spec.vip = kVip;
    spec.port = port;
    spec.protocol = protocol;
    spec.instance = space.instance;
    spec.application = application;
    spec.servers = {{server, port}};
    lab.world().put(spec);
  }
}

/// A TCP connection on which each side speaks once, always by the same client and port.
class Control {
 public:
  Control(Lab& lab, const Space& space, uint16_t to)
      : wire_(lab, space), server_(server_in(space)), to_(to) {}
  bool open() {
    return wire_.there(up(tcp(40000, to_).syn().seq(100))).verdict == Verdict::forward &&
           wire_.back(down(tcp(to_, 40000).syn().seq(500).ack(101))).verdict == Verdict::forward &&
           wire_.there(up(tcp(40000, to_).seq(101).ack(501))).verdict == Verdict::forward;
  }
  Fate ask(const std::string& text) {
    asked_ = static_cast<uint32_t>(text.size());
    return wire_.there(up(tcp(40000, to_).psh().seq(101).ack(501), text));
  }
  Fate reply(const std::string& text) {
    return wire_.back(down(tcp(to_, 40000).psh().seq(501).ack(101 + asked_), text));
  }
  Wire& wire() { return wire_; }
  const std::string& server() const { return server_; }

 private:
  static Frame with(const Stack& stack, const std::string& text) {
    return text.empty() ? Frame(stack) : Frame(stack / text);
  }
  Frame up(const Tcp& tcp, const std::string& text = "") const {
    return with(eth() / ipv4(kClient, kVip) / tcp, text);
  }
  Frame down(const Tcp& tcp, const std::string& text = "") const {
    return with(eth() / ipv4(server_, kClient) / tcp, text);
  }
  Wire wire_;
  std::string server_;
  uint16_t to_;
  uint32_t asked_ = 0;
};

TEST(Instances, WhatFtpAnnouncesIsForItsOwn) {
  Lab lab(2);
  add_instances(lab);
  put_in_each(lab, Application::ftp, 21, net::Protocol::tcp);
  std::vector<Control> controls;
  for (const Space& space : kSpaces) controls.emplace_back(lab, space, 21);
  for (Control& control : controls) ASSERT_TRUE(control.open());
  const Frame data = eth() / ipv4(kClient, kVip) / tcp(50000, 40000).syn().seq(1);
  const auto passive = [](const Control& control) {
    return "227 Entering Passive Mode (10,0,1," + control.server().substr(7) + ",156,64).\r\n";
  };
  // Red alone has announced something.
  ASSERT_EQ(controls[1].reply(passive(controls[1])).verdict, Verdict::forward);
  EXPECT_EQ(controls[0].wire().there(data).reason, Reason::service_unknown);
  EXPECT_EQ(controls[2].wire().there(data).reason, Reason::service_unknown);
  ASSERT_EQ(controls[0].reply(passive(controls[0])).verdict, Verdict::forward);
  ASSERT_EQ(controls[2].reply(passive(controls[2])).verdict, Verdict::forward);
  for (Control& control : controls) {
    const Fate fate = control.wire().there(data);
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_EQ(net::to_string(ends_of(fate.frame).destination), control.server());
  }
  EXPECT_EQ(lab.flow_count(), 6u);
  // Active: blue's client waits; no other server comes through, were it the same one.
  ASSERT_EQ(controls[2].ask("PORT 198,18,0,7,156,65\r\n").verdict, Verdict::forward);
  const Frame active = eth() / ipv4("10.0.1.7", kClient) / tcp(20, 40001).syn().seq(1);
  EXPECT_EQ(controls[0].wire().back(active).reason, Reason::transit_refused);
  EXPECT_EQ(controls[1].wire().back(active).reason, Reason::transit_refused);
  const Fate fate = controls[2].wire().back(active);
  ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(net::to_string(ends_of(fate.frame).source, ends_of(fate.frame).source_port),
            "203.0.113.10:20");
  EXPECT_EQ(lab.audit(), "");
}

TEST(Instances, WhatRtspAnnouncesIsForItsOwn) {
  Lab lab(2);
  add_instances(lab);
  put_in_each(lab, Application::rtsp, 554, net::Protocol::tcp);
  Control red(lab, kSpaces[1], 554), blue(lab, kSpaces[2], 554);
  ASSERT_TRUE(red.open());
  ASSERT_TRUE(blue.open());
  ASSERT_EQ(red.ask("SETUP rtsp://203.0.113.10/a RTSP/1.0\r\nCSeq: 1\r\n"
                    "Transport: RTP/AVP;unicast;client_port=4000-4001\r\n\r\n")
                .verdict,
            Verdict::forward);
  ASSERT_EQ(red.reply("RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;"
                      "client_port=4000-4001;server_port=6000-6001\r\nSession: 1\r\n\r\n")
                .verdict,
            Verdict::forward);
  const Frame down = eth() / ipv4("10.0.1.6", kClient) / udp(6000, 4000) / "v";
  const Frame up = eth() / ipv4(kClient, kVip) / udp(4001, 6001) / "v";
  EXPECT_EQ(blue.wire().back(down).reason, Reason::transit_refused);
  EXPECT_EQ(blue.wire().there(up).reason, Reason::service_unknown);
  EXPECT_EQ(ends_of(red.wire().back(down).frame).source, world::address(kVip));
  EXPECT_EQ(ends_of(red.wire().there(up).frame).destination, world::address("10.0.1.6"));
}

TEST(Instances, WhatTftpAndSipAnnounceIsForTheirOwn) {
  for (const Application application : {Application::tftp, Application::sip}) {
    Lab lab(2);
    add_instances(lab);
    const bool calls = application == Application::sip;
    const uint16_t port = calls ? 5060 : 69, waits = calls ? 4000 : 40000;
    put_in_each(lab, application, port, net::Protocol::udp);
    const std::string body =
        "v=0\r\no=- 1 1 IN IP4 198.18.0.7\r\nc=IN IP4 198.18.0.7\r\nm=audio 4000 RTP/AVP 0\r\n";
    const std::string invite =
        "INVITE sip:bob@203.0.113.10 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.7:40000\r\n"
        "Call-ID: one\r\nContact: <sip:198.18.0.7:40000>\r\nContent-Type: application/sdp\r\n\r\n" +
        body;
    const Frame ask =
        eth() / ipv4(kClient, kVip) / udp(40000, port) / (calls ? invite : std::string("\0\1f", 3));
    std::vector<Wire> wires;
    for (const Space& space : kSpaces) wires.emplace_back(lab, space);
    const auto answer = [&](const Space& space) -> Frame {
      return eth() / ipv4(server_in(space), kClient) / udp(33333, waits) / "data";
    };
    ASSERT_EQ(wires[1].there(ask).verdict, Verdict::forward);
    for (const size_t other : {0, 2}) {
      EXPECT_EQ(wires[other].back(answer(kSpaces[1])).reason, Reason::transit_refused);
    }
    // The same call, and the same question, in each go to its own server.
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(net::to_string(ends_of(wires[i].there(ask).frame).destination),
                server_in(kSpaces[i]));
      const Fate fate = wires[i].back(answer(kSpaces[i]));
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      EXPECT_EQ(ends_of(fate.frame).source, world::address(kVip));
      for (size_t other = 0; other < 3; ++other) {
        if (other == i) continue;
        EXPECT_EQ(wires[other].back(answer(kSpaces[i])).reason, Reason::transit_refused);
      }
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Instances, RouteAndTunnelsStayInTheirOwn) {
  for (const Mode mode : {Mode::route, Mode::tunnel_ipip, Mode::tunnel_gre, Mode::tunnel_gue}) {
    Lab lab(2);
    lab.world().add_instance({kRed, 10, 11, {"192.0.2.10"}});
    lab.world().add_instance({kBlue, 20, 21, {"192.0.2.20"}});
    lab.world().rebuild_routes();
    for (const Space& space : kSpaces) {
      world::ServiceSpec spec;
      spec.vip = kVip;
      spec.protocol = net::Protocol::udp;
      spec.mode = mode;
      spec.instance = space.instance;
      spec.servers = {{"10.0.1.5", 80}};
      lab.world().put(spec);
    }
    const auto ask = [](uint8_t ttl) -> Frame {
      return eth() / ipv4(kClient, kVip).ttl(ttl) / udp(40000, 80) / "question";
    };
    for (const Space& space : kSpaces) {
      Wire wire(lab, space);
      for (int i = 0; i < 2; ++i) {
        const Fate fate = wire.there(ask(64));
        ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
        EXPECT_EQ(fate.egress, 1);
        const Bytes out(fate.frame.bytes().begin(), fate.frame.bytes().end());
        EXPECT_EQ(net::to_string(net::MacAddress{{out[0], out[1], out[2], out[3], out[4], out[5]}}),
                  net::to_string(world::mac_in(space.instance, world::server_mac(0))));
        const Frame inner = ask(63);
        const Bytes carried(inner.bytes().begin() + 14, inner.bytes().end());
        ASSERT_GE(out.size(), carried.size());
        EXPECT_EQ(Bytes(out.end() - static_cast<ptrdiff_t>(carried.size()), out.end()), carried);
        if (mode == Mode::route) continue;
        EXPECT_EQ(net::to_string(ends_of(fate.frame).source), space.instance == kRed ? "192.0.2.10"
                                                              : space.instance == kBlue
                                                                  ? "192.0.2.20"
                                                                  : "192.0.2.1");
        EXPECT_EQ(net::to_string(ends_of(fate.frame).destination), "10.0.1.5");
      }
    }
    EXPECT_EQ(lab.flow_count(), 3u);
    EXPECT_EQ(lab.audit(), "");
  }
}

/// Prefixes are settings of all instances; what is below one is not.
TEST(Instances, AClientPrefixServesEachOfThem) {
  Lab lab(3);
  add_instances(lab);
  tables::Settings settings;
  const auto prefix = net::parse_prefix("2001:db8:64::/96");
  settings.client_prefixes[0].length = 96;
  std::copy_n(prefix->address.bytes.begin(), 12, settings.client_prefixes[0].bytes.begin());
  lab.world().settings(settings);
  for (const Space& space : kSpaces) {
    world::ServiceSpec spec;
    spec.vip = kVip;
    spec.instance = space.instance;
    spec.client_prefix = settings.client_prefixes[0];
    const std::string server = "fd00:1::" + server_in(space).substr(7);
    spec.servers = {{server, 8080}};
    lab.world().put(spec);
  }
  for (uint32_t n = 0; n < 32; ++n) {
    for (const Space& space : kSpaces) {
      const std::string server = "fd00:1::" + server_in(space).substr(7);
      Wire wire(lab, space);
      const Frame syn = eth() / ipv4(client(n), kVip) / tcp(40000, 80).syn().seq(100);
      for (uint32_t i = 0; i < n % 3; ++i) (void)wire.there(syn);
      const Fate there = wire.there(syn);
      ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
      const Ends seen = ends_of(there.frame);
      EXPECT_EQ(net::to_string(seen.destination), server);
      const Frame answer = eth() / ipv6(server, net::to_string(seen.source)) /
                           tcp(8080, 40000).syn().seq(500).ack(101);
      for (const Space& other : kSpaces) {
        if (other.instance == space.instance) continue;
        Wire wrong(lab, other);
        EXPECT_EQ(wrong.back(answer).reason, Reason::transit_refused);
      }
      const Fate back = wire.back(answer);
      ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
      EXPECT_EQ(ends_of(back.frame).source, world::address(kVip));
      EXPECT_EQ(ends_of(back.frame).destination, world::address(client(n)));
    }
  }
  EXPECT_EQ(lab.flow_count(), 3 * 32u);
  EXPECT_EQ(lab.audit(), "");
}

}  // namespace
}  // namespace nezu::lab
