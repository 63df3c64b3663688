// SCTP, and protocols without ports: every mode, both families.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/path/frames.h"
#include "tests/path/sctp_frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Protocol;
using net::Reason;
using net::Verdict;
using tables::Mode;

constexpr uint8_t kGre = 47, kEsp = 50;

/// How, and of which family everybody is.
struct Kind {
  Mode mode;
  bool v6;
  bool is(Mode one) const { return mode == one; }
  bool is_one_way() const { return tables::is_tunnel(mode) || mode == Mode::route; }
  bool passes() const { return mode == Mode::redirect; }
  const char* client() const { return v6 ? "2001:db8:c::7" : "198.51.100.7"; }
  const char* vip() const { return v6 ? "2001:db8::10" : "203.0.113.10"; }
  const char* server() const { return v6 ? "fd00:1::5" : "10.0.1.5"; }
  const char* snat() const { return v6 ? "fd00::1" : "10.0.0.1"; }
};
std::string name_of(const testing::TestParamInfo<Kind>& one) {
  const char* const family = one.param.v6 ? "6" : "4";
  switch (one.param.mode) {
    case Mode::nat:
      return std::string("nat") + family;
    case Mode::fullnat:
      return std::string("fullnat") + family;
    case Mode::route:
      return std::string("route") + family;
    case Mode::redirect:
      return std::string("redirect") + family;
    case Mode::tunnel_ipip:
      return std::string("ipip") + family;
    case Mode::tunnel_gre:
      return std::string("gre") + family;
    default:
      return std::string("gue") + family;
  }
}

template <typename L>
Frame packet(bool v6, std::string_view from, std::string_view to, uint8_t hops, const L& rest) {
  return v6 ? Frame(eth() / ipv6(from, to).hops(hops) / rest)
            : Frame(eth() / ipv4(from, to).ttl(hops) / rest);
}
/// What stands behind the Ethernet header.
Bytes above_ethernet(const Frame& frame) {
  return {frame.bytes().begin() + 14, frame.bytes().end()};
}
bool ends_with(const Bytes& all, const Bytes& last) {
  return all.size() >= last.size() &&
         std::equal(last.begin(), last.end(), all.end() - static_cast<ptrdiff_t>(last.size()));
}

world::ServiceSpec spec_of(const Kind& kind, Protocol protocol, uint16_t port) {
  world::ServiceSpec spec;
  spec.vip = kind.vip();
  if (kind.passes()) spec.vip = kind.v6 ? "::/0" : "0.0.0.0/0";
  spec.port = port;
  spec.protocol = protocol;
  spec.mode = kind.mode;
  spec.servers = {{kind.server(), kind.passes() ? uint16_t{0} : port}};
  if (kind.is(Mode::fullnat)) spec.snats = {kind.snat()};
  return spec;
}

struct Sided : Lab {
  Sided(const Kind& kind, uint16_t workers) : Lab(workers) {
    if (!kind.passes()) return;
    side(0, net::Side::clients);
    side(1, net::Side::servers);
    restart(workers);
  }
};

class Portless : public testing::TestWithParam<Kind> {};

TEST_P(Portless, ThereAndBackAndOverARestart) {
  const Kind kind = GetParam();
  const bool v6 = kind.v6;
  for (const auto& [service, number] :
       {std::pair{Protocol::gre, kGre}, std::pair{Protocol::esp, kEsp},
        std::pair{Protocol::any, uint8_t{89}}}) {
    SCOPED_TRACE(static_cast<int>(number));
    Sided lab(kind, 2);
    lab.world().put(spec_of(kind, service, 0));
    const auto there = [&](uint16_t worker) {
      return lab.send(packet(v6, kind.client(), kind.vip(), 64, raw(Bytes(24, 0x5a), number)),
                      worker);
    };
    for (const uint16_t worker : {0, 1}) {
      const Fate fate = there(worker);
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      EXPECT_EQ(fate.egress, 1);
      const bool moves = kind.is(Mode::nat) || kind.is(Mode::fullnat);
      const Frame carried =
          packet(v6, kind.is(Mode::fullnat) ? kind.snat() : kind.client(),
                 moves ? kind.server() : kind.vip(), 63, raw(Bytes(24, 0x5a), number));
      if (tables::is_tunnel(kind.mode)) {
        EXPECT_TRUE(ends_with(above_ethernet(fate.frame), above_ethernet(carried)));
        EXPECT_EQ(ends_of(fate.frame).destination, world::address(kind.server()));
        continue;
      }
      EXPECT_EQ(above_ethernet(fate.frame), above_ethernet(carried));
      EXPECT_EQ(Bytes(fate.frame.bytes().begin(), fate.frame.bytes().begin() + 6),
                (Bytes{2, 0, 0, 1, 0, 0}));
      if (kind.is(Mode::route)) continue;
      const std::string_view from = moves ? kind.server() : kind.vip();
      const std::string_view to = kind.is(Mode::fullnat) ? kind.snat() : kind.client();
      const Fate back = lab.send(packet(v6, from, to, 64, raw(Bytes(8, 1), number)), worker, 1);
      ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
      EXPECT_EQ(above_ethernet(back.frame), above_ethernet(packet(v6, kind.vip(), kind.client(), 63,
                                                                  raw(Bytes(8, 1), number))));
    }
    EXPECT_EQ(lab.flow_count(), 1u);
    EXPECT_EQ(lab.restart(3).kept, 1u);
    EXPECT_EQ(there(2).verdict, Verdict::forward);
    EXPECT_EQ(lab.flow_count(), 1u);
    EXPECT_EQ(lab.audit(), "");
    lab.advance(400);
    EXPECT_EQ(lab.flow_count(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Portless,
    testing::Values(Kind{Mode::nat, false}, Kind{Mode::nat, true}, Kind{Mode::fullnat, false},
                    Kind{Mode::fullnat, true}, Kind{Mode::route, false}, Kind{Mode::route, true},
                    Kind{Mode::redirect, false}, Kind{Mode::redirect, true},
                    Kind{Mode::tunnel_ipip, false}, Kind{Mode::tunnel_ipip, true},
                    Kind{Mode::tunnel_gre, false}, Kind{Mode::tunnel_gue, true}),
    name_of);

/// Association from INIT on, through a service whose servers have another port.
class Sctp : public testing::TestWithParam<Kind> {
 protected:
  Sctp() : lab_(2) {
    world::ServiceSpec spec = spec_of(GetParam(), Protocol::sctp, 2905);
    spec.servers[0].port = 3905;
    lab_.world().put(spec);
  }
  Frame question(uint32_t tag, const Bytes& chunks) const {
    return packet(GetParam().v6, GetParam().client(), GetParam().vip(), 64,
                  sctp(5000, 2905, tag, chunks));
  }
  Fate there(uint32_t tag, const Bytes& chunks) {
    return lab_.send(question(tag, chunks), turn_++ % 2);
  }
  Fate back(uint32_t tag, const Bytes& chunks) {
    return lab_.send(packet(GetParam().v6, GetParam().server(), net::to_string(seen_.source), 64,
                            sctp(3905, seen_.source_port, tag, chunks)),
                     turn_++ % 2, 1);
  }
  static bool sums_up(const Fate& fate) { return sctp_sums_up(fate.frame); }
  void open() {
    const Fate init = there(0, initiation(1, 0xaaaa0001));
    ASSERT_EQ(init.verdict, Verdict::forward) << to_string(init.reason);
    EXPECT_TRUE(sums_up(init));
    seen_ = ends_of(init.frame);
    EXPECT_EQ(seen_.destination_port, 3905);
    const Fate answer = back(0xaaaa0001, initiation(2, 0xbbbb0002));
    ASSERT_EQ(answer.verdict, Verdict::forward) << to_string(answer.reason);
    EXPECT_TRUE(sums_up(answer));
    EXPECT_EQ(ends_of(answer.frame).source_port, 2905);
    EXPECT_EQ(ends_of(answer.frame).destination_port, 5000);
    ASSERT_EQ(there(0xbbbb0002, chunk(10, 0, Bytes(20, 7))).verdict, Verdict::forward);
  }
  Lab lab_;
  Ends seen_;
  uint16_t turn_ = 0;
};

TEST_P(Sctp, AssociationWithRightSums) {
  open();
  for (size_t length : {1u, 3u, 4u, 100u, 1399u}) {
    EXPECT_TRUE(sums_up(there(0xbbbb0002, chunk(0, 3, Bytes(length, 0x5a)))));
    EXPECT_TRUE(sums_up(back(0xaaaa0001, chunk(0, 3, Bytes(length, 0xa5)))));
  }
  // It lives for as long as TCP would.
  lab_.advance(600);
  EXPECT_EQ(lab_.flow_count(), 1u);
  EXPECT_EQ(there(0xbbbb0002, chunk(7, 0, Bytes(4, 0))).verdict, Verdict::forward);
  EXPECT_EQ(back(0xaaaa0001, chunk(8)).verdict, Verdict::forward);
  EXPECT_EQ(there(0xbbbb0002, chunk(14)).verdict, Verdict::forward);
  lab_.advance(12);
  EXPECT_EQ(lab_.flow_count(), 0u);
  EXPECT_EQ(lab_.audit(), "");
}

TEST_P(Sctp, AnAbortWithTheRightTagEndsIt) {
  open();
  EXPECT_EQ(back(0xdead, chunk(6)).verdict, Verdict::forward);  // somebody guesses
  lab_.advance(20);
  EXPECT_EQ(lab_.flow_count(), 1u);
  EXPECT_EQ(back(0xaaaa0001, chunk(6)).verdict, Verdict::forward);
  lab_.advance(12);
  EXPECT_EQ(lab_.flow_count(), 0u);
}

TEST_P(Sctp, ADamagedPacketStaysDamaged) {
  open();
  Frame frame = question(0xbbbb0002, chunk(0, 3, Bytes(40, 1)));
  frame[frame.size() - 8] ^= 1;
  const Fate fate = lab_.send(frame);
  EXPECT_EQ(fate.verdict, Verdict::forward);
  EXPECT_FALSE(sums_up(fate));
}

TEST_P(Sctp, WithoutAnInitNothingOpens) {
  EXPECT_EQ(there(0xbbbb0002, chunk(0, 3, Bytes(4, 0))).reason, Reason::sctp_without_flow);
  EXPECT_EQ(lab_.flow_count(), 0u);
}

TEST_P(Sctp, SurvivesARestart) {
  open();
  EXPECT_EQ(lab_.restart(1).kept, 1u);
  turn_ = 0;
  const Fate fate = lab_.send(question(0xbbbb0002, chunk(0, 3, Bytes(4, 0))));
  EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
  EXPECT_EQ(ends_of(fate.frame).source_port, seen_.source_port);
}

INSTANTIATE_TEST_SUITE_P(All, Sctp,
                         testing::Values(Kind{Mode::nat, false}, Kind{Mode::nat, true},
                                         Kind{Mode::fullnat, false}, Kind{Mode::fullnat, true}),
                         name_of);

/// Modes that see the client's half alone.
class SctpOneWay : public testing::TestWithParam<Kind> {
 protected:
  SctpOneWay() : lab_(GetParam(), 2) {
    lab_.world().put(spec_of(GetParam(), Protocol::sctp, 2905));
  }
  /// As it came, but for the hop; sums and all.
  void passes(uint32_t tag, const Bytes& chunks) {
    const Kind& kind = GetParam();
    const auto at = [&](uint8_t hops) {
      return packet(kind.v6, kind.client(), kind.vip(), hops, sctp(5000, 2905, tag, chunks));
    };
    const Fate fate = lab_.send(at(64), turn_++ % 2);
    ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
    EXPECT_TRUE(ends_with(above_ethernet(fate.frame), above_ethernet(at(63))));
    EXPECT_EQ(fate.frame.size() > at(63).size(), tables::is_tunnel(kind.mode));
  }
  Sided lab_;
  uint16_t turn_ = 0;
};

TEST_P(SctpOneWay, TheClientsHalfTells) {
  passes(0, initiation(1, 0xaaaa0001));
  lab_.advance(20);
  EXPECT_EQ(lab_.flow_count(), 1u);
  passes(0xbbbb0002, chunk(10, 0, Bytes(20, 7)));  // COOKIE ECHO: it is open
  passes(0xbbbb0002, chunk(0, 3, Bytes(100, 7)));
  lab_.advance(600);
  EXPECT_EQ(lab_.flow_count(), 1u) << "as long as TCP would";
  // Who does not know the server's tag does not end it.
  passes(0xdead, chunk(6));
  lab_.advance(20);
  EXPECT_EQ(lab_.flow_count(), 1u);
  EXPECT_EQ(lab_.restart(1).kept, 1u);
  turn_ = 0;
  lab_.advance(0.1);
  const Kind& kind = GetParam();
  EXPECT_EQ(lab_.send(packet(kind.v6, kind.client(), kind.vip(), 64,
                             sctp(5000, 2905, 0xbbbb0002, chunk(6))))
                .verdict,
            Verdict::forward);
  lab_.advance(12);
  EXPECT_EQ(lab_.flow_count(), 0u);
  EXPECT_EQ(lab_.audit(), "");
}

TEST_P(SctpOneWay, AShutdownEndsIt) {
  passes(0, initiation(1, 0xaaaa0001));
  passes(0xbbbb0002, chunk(10, 0, Bytes(20, 7)));
  passes(0xbbbb0002, chunk(7, 0, Bytes(4, 0)));
  passes(0xbbbb0002, chunk(14));
  lab_.advance(12);
  EXPECT_EQ(lab_.flow_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, SctpOneWay,
                         testing::Values(Kind{Mode::route, false}, Kind{Mode::route, true},
                                         Kind{Mode::redirect, false}, Kind{Mode::redirect, true},
                                         Kind{Mode::tunnel_ipip, false},
                                         Kind{Mode::tunnel_gre, true},
                                         Kind{Mode::tunnel_gue, false},
                                         Kind{Mode::tunnel_gue, true}),
                         name_of);

TEST(SctpFragment, OneWhosePortsChangeIsDroppedByName) {
  Lab lab(1);
  world::ServiceSpec spec = spec_of({Mode::nat, false}, Protocol::sctp, 2905);
  spec.servers[0].port = 3905;
  lab.world().put(spec);
  const Fate fate = lab.send(eth() / ipv4("198.51.100.7", "203.0.113.10").fragment(0, true) /
                             sctp(5000, 2905, 0, initiation(1, 5)));
  EXPECT_EQ(fate.reason, Reason::sctp_fragment);
}

}  // namespace
}  // namespace nezu::lab
