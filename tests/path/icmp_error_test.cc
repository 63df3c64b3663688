// ICMP errors about packets of a flow find it by what they quote, from both sides, at any worker.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;
using tables::Mode;

struct Kind {
  Mode mode;
  bool v6, tcp;
  uint16_t workers;
};
std::string name_of(const testing::TestParamInfo<Kind>& one) {
  const Kind& kind = one.param;
  return std::string(kind.mode == Mode::nat ? "nat" : "fullnat") + (kind.v6 ? "6" : "4") +
         (kind.tcp ? "_tcp" : "_udp") + "_workers" + std::to_string(kind.workers);
}

class IcmpErrors : public testing::TestWithParam<Kind> {
 protected:
  IcmpErrors() : kind(GetParam()), lab(kind.workers) {
    world::ServiceSpec spec;
    spec.vip = vip;
    spec.mode = kind.mode;
    spec.protocol = kind.tcp ? net::Protocol::tcp : net::Protocol::udp;
    spec.servers = {{server, 8080}};
    if (kind.mode == Mode::fullnat) spec.snats = {kind.v6 ? "fd00::1" : "10.0.0.1"};
    lab.world().put(spec);
  }
  /// A packet of the flow, `hops` from where it began.
  Stack quoted(std::string_view from, std::string_view to, uint16_t source, uint16_t port) const {
    const Stack ip = kind.v6 ? Stack{} / ipv6(from, to).hops(60) : Stack{} / ipv4(from, to).ttl(60);
    return kind.tcp ? ip / dsl::tcp(source, port).seq(0x01020304).ack(9) / "not quoted"
                    : ip / udp(source, port) / "question";
  }
  /// By `by`, about `about`, of which TCP shows no more than 8 bytes.
  Frame error(const Eth& link, std::string_view by, std::string_view to, uint8_t hops,
              const Stack& about) const {
    const size_t most = kind.tcp ? (kind.v6 ? 48u : 28u) : 2000u;
    const Bytes quote = quote_of(about, most);
    return kind.v6
               ? Frame(link / ipv6(by, to).hops(hops) / packet_too_big(1400) / raw(quote, 41))
               : Frame(link / ipv4(by, to).ttl(hops) / fragmentation_needed(1400) / raw(quote, 4));
  }
  /// The bytes of `about` themselves.
  static Bytes quote_of(const Stack& about, size_t most) {
    Bytes bytes = about.bytes();
    if (bytes.size() > most) bytes.resize(most);
    return bytes;
  }
  const Kind kind;
  const char* vip = kind.v6 ? "2001:db8::10" : "203.0.113.10";
  const char* client = kind.v6 ? "2001:db8:c::7" : "198.51.100.7";
  const char* server = kind.v6 ? "fd00:1::5" : "10.0.1.5";
  Lab lab;
};

TEST_P(IcmpErrors, FindTheirFlowFromBothSides) {
  const Stack syn = kind.v6 ? Stack(eth() / ipv6(client, vip)) : Stack(eth() / ipv4(client, vip));
  const Fate there = lab.send(kind.tcp ? Frame(syn / dsl::tcp(40000, 80).syn().seq(0x01020303))
                                       : Frame(syn / udp(40000, 80) / "question"));
  ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
  const Ends seen = ends_of(there.frame);
  const std::string source = net::to_string(seen.source);
  const char* near = kind.v6 ? "fd00:9::9" : "10.0.9.9";
  const char* far = kind.v6 ? "2001:db8:f::99" : "192.0.2.99";
  const Eth to_client = eth().from(world::kFrontMac).to(world::kRouterMac);
  const Eth to_server = eth().from(world::kBackMac).to(net::to_string(world::server_mac(0)));
  for (uint16_t worker = 0; worker < lab.workers(); ++worker) {
    // Of a router on the way to the server: the client hears it of the VIP.
    const Fate back = lab.send(
        error(eth(), near, source, 64, quoted(source, server, seen.source_port, 8080)), worker, 1);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(back.egress, 0);
    EXPECT_EQ(back.frame, error(to_client, vip, client, 63, quoted(client, vip, 40000, 80)));
    // Of a router on the way to the client: the server hears it of that, or of whom it knows.
    const Fate on = lab.send(error(eth(), far, vip, 64, quoted(vip, client, 80, 40000)), worker, 0);
    ASSERT_EQ(on.verdict, Verdict::forward) << to_string(on.reason);
    EXPECT_EQ(on.egress, 1);
    EXPECT_EQ(on.frame, error(to_server, kind.mode == Mode::nat ? far : source, server, 63,
                              quoted(server, source, 8080, seen.source_port)));
  }
  EXPECT_EQ(lab.flow_count(), 1u) << "errors open none";
  EXPECT_EQ(lab.count(&tables::WorkerLine::handed_over) > 0, lab.workers() > 1);
  EXPECT_EQ(lab.audit(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, IcmpErrors,
    testing::Values(Kind{Mode::nat, false, false, 1}, Kind{Mode::nat, false, true, 2},
                    Kind{Mode::nat, true, false, 2}, Kind{Mode::nat, true, true, 1},
                    Kind{Mode::fullnat, false, false, 2}, Kind{Mode::fullnat, false, true, 1},
                    Kind{Mode::fullnat, true, false, 1}, Kind{Mode::fullnat, true, true, 2}),
    name_of);

}  // namespace
}  // namespace nezu::lab
