// Fragments of packets for services, in any order, at any worker.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

/// A datagram whose bytes travel in several frames.
struct Datagram {
  std::string from, to;
  uint16_t source = 40000, destination = 80;
  uint16_t id = 7;
  size_t length = 3400;  ///< of the payload: three pieces
  bool v4() const { return from.find(':') == std::string::npos; }
};

constexpr size_t kPiece = 1448;

/// The pieces of `datagram` after `hops` routers.
std::vector<Frame> pieces_of(const Datagram& d, uint8_t hops, const Eth& link) {
  const size_t headers = d.v4() ? 34 : 54;
  const Frame whole =
      d.v4() ? Frame(eth() / ipv4(d.from, d.to) / udp(d.source, d.destination) / fill(d.length))
             : Frame(eth() / ipv6(d.from, d.to) / udp(d.source, d.destination) / fill(d.length));
  const auto bytes = whole.bytes();
  const Bytes rest(bytes.begin() + static_cast<ptrdiff_t>(headers), bytes.end());
  std::vector<Frame> pieces;
  for (size_t at = 0; at < rest.size(); at += kPiece) {
    const size_t end = std::min(at + kPiece, rest.size());
    const bool more = end < rest.size();
    const auto offset = static_cast<uint16_t>(at);
    const Payload piece = raw(Bytes(rest.begin() + static_cast<ptrdiff_t>(at),
                                    rest.begin() + static_cast<ptrdiff_t>(end)),
                              17);
    const auto ttl = static_cast<uint8_t>(64 - hops);
    pieces.push_back(
        d.v4() ? Frame(link / ipv4(d.from, d.to).ttl(ttl).id(d.id).fragment(offset, more) / piece)
               : Frame(link / ipv6(d.from, d.to).hops(ttl) / fragment(offset, more, d.id) / piece));
  }
  return pieces;
}

std::vector<Frame> sorted(std::vector<Frame> frames) {
  std::ranges::sort(frames, [](const Frame& one, const Frame& other) {
    return std::ranges::lexicographical_compare(one.bytes(), other.bytes());
  });
  return frames;
}

struct Kind {
  tables::Mode mode;
  bool v4;
  uint16_t workers;
};

class Fragments : public testing::TestWithParam<Kind> {
 protected:
  Fragments() : lab(GetParam().workers) {
    world::ServiceSpec spec;
    spec.mode = GetParam().mode;
    spec.protocol = net::Protocol::udp;
    spec.vip = vip();
    spec.servers = {{GetParam().v4 ? "10.0.1.5" : "fd00:1::5", 8080}};
    if (spec.mode == tables::Mode::fullnat) {
      spec.snats = {GetParam().v4 ? "10.0.0.1" : "fd00:2::1"};
    }
    lab.world().put(spec);
  }
  std::string_view vip() const { return GetParam().v4 ? "203.0.113.10" : "2001:db8:f::10"; }
  Datagram question(uint32_t n) const {
    return {.from = GetParam().v4 ? client(n) : client6(n),
            .to = std::string(vip()),
            .id = static_cast<uint16_t>(n + 1)};
  }

  /// Sends them one by one, each to the next worker; what came out, early ones included.
  std::vector<Fate> send(const std::vector<Frame>& frames, uint16_t port) {
    std::vector<Fate> fates;
    for (const Frame& frame : frames) {
      const Fate fate = lab.send(frame, next_++ % lab.workers(), port);
      if (fate.verdict != Verdict::kept) fates.push_back(fate);
      for (Fate& late : lab.released()) fates.push_back(std::move(late));
    }
    return fates;
  }
  /// They come out whole, as `expected`.
  void expect(const std::vector<Fate>& fates, const std::vector<Frame>& expected) {
    ASSERT_EQ(fates.size(), expected.size());
    std::vector<Frame> out;
    for (const Fate& fate : fates) {
      ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      out.push_back(fate.frame);
    }
    EXPECT_EQ(sorted(out), sorted(expected));
  }

  Lab lab;
  uint32_t next_ = 0;
};

Eth to_server() { return eth().from("02:00:00:00:00:b0").to("02:00:00:01:00:00"); }
Eth to_client() { return eth().from("02:00:00:00:00:f0").to("02:00:00:00:00:fe"); }

TEST_P(Fragments, ReachTheirServerAndComeBackInAnyOrder) {
  std::vector<size_t> order{0, 1, 2};
  uint32_t n = 0;
  do {
    for (uint32_t repeat = 0; repeat < 4; ++repeat, ++n) {
      const Datagram there = question(n);
      const auto shuffled = [&](const Datagram& d) {
        const std::vector<Frame> pieces = pieces_of(d, 0, eth());
        return std::vector<Frame>{pieces[order[0]], pieces[order[1]], pieces[order[2]]};
      };
      const std::vector<Fate> fates = send(shuffled(there), 0);
      ASSERT_EQ(fates.size(), 3u);
      Datagram seen = there;
      const auto first = std::ranges::find_if(fates, [&](const Fate& fate) {
        const size_t headers = there.v4() ? 34 : 62;
        return fate.verdict == Verdict::forward && fate.frame.bytes()[headers + 2] == 8080 >> 8 &&
               fate.frame.bytes()[headers + 3] == (8080 & 0xff);
      });
      ASSERT_NE(first, fates.end());
      const auto bytes = first->frame.bytes();
      const size_t ports = there.v4() ? 34 : 62;
      seen.from = net::to_string(there.v4() ? net::Address::v4_raw(net::load<uint32_t>(&bytes[26]))
                                            : net::Address::v6(&bytes[22]));
      seen.to = there.v4() ? "10.0.1.5" : "fd00:1::5";
      seen.source = net::swap16(net::load<uint16_t>(&bytes[ports]));
      seen.destination = 8080;
      EXPECT_EQ(seen.from == there.from, GetParam().mode == tables::Mode::nat);
      expect(fates, pieces_of(seen, 1, to_server()));

      // The answer is as long.
      const Datagram answer{.from = seen.to,
                            .to = seen.from,
                            .source = 8080,
                            .destination = seen.source,
                            .id = static_cast<uint16_t>(n + 1)};
      const Datagram back{.from = there.to,
                          .to = there.from,
                          .source = there.destination,
                          .destination = there.source,
                          .id = answer.id};
      expect(send(shuffled(answer), 1), pieces_of(back, 1, to_client()));
    }
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(lab.flow_count(), n);
  EXPECT_EQ(lab.audit(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Fragments,
    testing::Values(Kind{tables::Mode::nat, true, 1}, Kind{tables::Mode::nat, true, 4},
                    Kind{tables::Mode::nat, false, 4}, Kind{tables::Mode::fullnat, true, 4},
                    Kind{tables::Mode::fullnat, false, 3}),
    [](const auto& kind) {
      return std::string(kind.param.mode == tables::Mode::nat ? "nat" : "fullnat") +
             (kind.param.v4 ? "4" : "6") + "_workers" + std::to_string(kind.param.workers);
    });

class FragmentLimits : public testing::Test {
 protected:
  FragmentLimits() {
    world::ServiceSpec spec = web();
    spec.protocol = net::Protocol::udp;
    lab.world().put(spec);
  }
  static Datagram datagram(uint32_t n, uint16_t to = 80) {
    return {.from = client(n), .to = "203.0.113.10", .destination = to, .length = 2000};
  }
  Lab lab{1};
};

TEST_F(FragmentLimits, AFirstOneThatDoesNotComeEndsTheOthers) {
  for (uint32_t n = 0; n < 100; ++n) {
    EXPECT_EQ(lab.send(pieces_of(datagram(n), 0, eth())[1]).verdict, Verdict::kept);
  }
  lab.advance(0.5);
  EXPECT_EQ(lab.count(Reason::fragment_timeout), 0u);
  lab.advance(1);
  EXPECT_EQ(lab.count(Reason::fragment_timeout), 100u);
  EXPECT_EQ(lab.released().size(), 100u);
  // Too late for what has ended, in time for itself.
  EXPECT_EQ(lab.send(pieces_of(datagram(3), 0, eth())[0]).verdict, Verdict::forward);
  EXPECT_TRUE(lab.released().empty());
}

TEST_F(FragmentLimits, AFullTableRefusesAndRecoversAtOnce) {
  uint64_t kept = 0;
  for (uint32_t n = 0; n < 2000; ++n) {
    const Fate fate = lab.send(pieces_of(datagram(n), 0, eth())[1]);
    kept += fate.verdict == Verdict::kept;
    if (fate.verdict == Verdict::drop) {
      EXPECT_EQ(fate.reason, Reason::fragment_table_full);
    }
  }
  const uint64_t evicted = lab.released().size();
  EXPECT_GE(kept - evicted, 400u);
  EXPECT_LE(kept - evicted, 512u);
  EXPECT_EQ(lab.count(Reason::fragment_table_full), 2000 - kept + evicted);
  // Whoever comes in order needs no place to wait.
  for (uint32_t n = 5000; n < 5010; ++n) {
    for (const Frame& piece : pieces_of(datagram(n), 0, eth())) {
      EXPECT_EQ(lab.send(piece).verdict, Verdict::forward);
    }
  }
  lab.advance(1.5);
  EXPECT_EQ(lab.released().size(), kept - evicted);
  EXPECT_EQ(lab.send(pieces_of(datagram(6000), 0, eth())[1]).verdict, Verdict::kept);
}

TEST_F(FragmentLimits, WhatFindsNoServiceEndsByName) {
  const std::vector<Frame> pieces = pieces_of(datagram(1, 81), 0, eth());
  const Fate first = lab.send(pieces[0]);
  EXPECT_EQ(first.verdict, Verdict::drop) << "no answer to a piece";
  EXPECT_EQ(first.reason, Reason::service_unknown);
  EXPECT_EQ(lab.send(pieces[1]).reason, Reason::fragment_unmatched);
}

TEST_F(FragmentLimits, PiecesOfAPingOfAVipAreCounted) {
  const Payload piece = raw(Bytes(1448), 1);
  const Stack ping = eth() / ipv4(client(1), "203.0.113.10").id(3).fragment(0, true) /
                     echo_request(1, 1) / "12345678";
  EXPECT_EQ(lab.send(ping).reason, Reason::fragment_unsupported);
  EXPECT_EQ(
      lab.send(eth() / ipv4(client(1), "203.0.113.10").id(3).fragment(1448, false) / piece).reason,
      Reason::fragment_unsupported);
}

TEST_F(FragmentLimits, AnIdentificationThatComesRoundAgainIsAnotherPacket) {
  Datagram one = datagram(1), other = one;
  other.source = 50000;
  for (const Datagram& d : {one, other, one}) {
    std::vector<uint16_t> ports;
    for (const Frame& piece : pieces_of(d, 0, eth())) {
      const Fate fate = lab.send(piece);
      ASSERT_EQ(fate.verdict, Verdict::forward);
      ports.push_back(ends_of(fate.frame).source_port);
    }
    EXPECT_EQ(ports[0], d.source);
  }
  EXPECT_EQ(lab.flow_count(), 2u);
  const uint64_t there = lab.world().region().services_of(0)[0].traffic[0].packets.read();
  EXPECT_EQ(there, 6u);
}

TEST_F(FragmentLimits, AllPiecesInOneBurstOpenOneFlow) {
  std::vector<Frame> pieces = pieces_of(datagram(1), 0, eth());
  std::ranges::reverse(pieces);
  const std::vector<Fate> fates = lab.send(pieces);
  EXPECT_EQ(fates[0].verdict, Verdict::kept);
  EXPECT_EQ(fates[1].verdict, Verdict::forward);
  const std::vector<Fate> late = lab.released();
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(late[0].verdict, Verdict::forward);
  EXPECT_EQ(lab.flow_count(), 1u);
}

}  // namespace
}  // namespace nezu::lab
