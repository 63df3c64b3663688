// Fragments in the modes besides `nat` and `fullnat` (fragment_test.cc): in any order, at any
// worker, and put together again where they arrive.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Side;
using net::Verdict;
using tables::Mode;

enum class Way : uint8_t { route, ipip, gre, gue, redirect, across, outward };

struct Kind {
  Way way;
  bool v6;  ///< who begins
  uint16_t workers;
};
std::string name_of(const testing::TestParamInfo<Kind>& one) {
  constexpr const char* kNames[] = {"route", "ipip", "gre", "gue", "redirect", "across", "outward"};
  return std::string(kNames[static_cast<size_t>(one.param.way)]) + (one.param.v6 ? "6" : "4") +
         "_workers" + std::to_string(one.param.workers);
}

/// A datagram whose bytes travel in three frames.
struct Datagram {
  std::string from, to;
  uint16_t source = 0, port = 0;
  bool v4() const { return from.find(':') == std::string::npos; }
  /// What stands behind the IP header.
  Bytes payload() const {
    const Stack whole = v4() ? Stack(eth() / ipv4(from, to)) : Stack(eth() / ipv6(from, to));
    const Bytes bytes = (whole / udp(source, port) / fill(2900)).bytes();
    return {bytes.begin() + (v4() ? 34 : 54), bytes.end()};
  }
};

constexpr size_t kPiece = 1200;  // fits into every tunnel

std::vector<Frame> pieces_of(const Datagram& d, uint16_t id) {
  const Bytes rest = d.payload();
  std::vector<Frame> pieces;
  for (size_t at = 0; at < rest.size(); at += kPiece) {
    const size_t end = std::min(at + kPiece, rest.size());
    const bool more = end < rest.size();
    const auto offset = static_cast<uint16_t>(at);
    const Payload piece = raw(Bytes(rest.begin() + static_cast<ptrdiff_t>(at),
                                    rest.begin() + static_cast<ptrdiff_t>(end)),
                              17);
    pieces.push_back(
        d.v4() ? Frame(eth() / ipv4(d.from, d.to).id(id).fragment(offset, more) / piece)
               : Frame(eth() / ipv6(d.from, d.to) / dsl::fragment(offset, more, id) / piece));
  }
  return pieces;
}

/// What pieces make, whatever their order; empty: they do not fit together.
struct Whole {
  net::Address from, to;
  Bytes payload;
};
Whole put_together(const std::vector<Fate>& fates, size_t outer) {
  Whole whole;
  std::map<size_t, Bytes> parts;
  std::set<uint32_t> ids;
  size_t length = 0;
  for (const Fate& fate : fates) {
    const Bytes bytes(fate.frame.bytes().begin() + static_cast<ptrdiff_t>(14 + outer),
                      fate.frame.bytes().end());
    const bool v4 = bytes[0] >> 4 == 4;
    const size_t field = v4 ? 6 : 42, header = v4 ? 20 : 48, end = v4 ? 2 : 4;
    const auto word = [&](size_t at) { return bytes[at] * 256u + bytes[at + 1]; };
    if (!v4 && bytes[6] != 44) return {};
    const size_t at = v4 ? (word(field) & 0x1fff) * 8 : word(field) & 0xfff8;
    const bool more = v4 ? (word(field) & 0x2000) != 0 : (word(field) & 1) != 0;
    const size_t size = word(end) + (v4 ? 0 : 40) - header;
    if (header + size != bytes.size()) return {};
    ids.insert(v4 ? word(4) : word(44) << 16 | word(46));
    whole.from =
        v4 ? net::Address::v4_raw(net::load<uint32_t>(&bytes[12])) : net::Address::v6(&bytes[8]);
    whole.to =
        v4 ? net::Address::v4_raw(net::load<uint32_t>(&bytes[16])) : net::Address::v6(&bytes[24]);
    if (!more) length = at + size;
    parts[at] = Bytes(bytes.begin() + static_cast<ptrdiff_t>(header), bytes.end());
  }
  for (const auto& [at, part] : parts) {
    if (at != whole.payload.size()) return {};
    whole.payload.insert(whole.payload.end(), part.begin(), part.end());
  }
  return ids.size() == 1 && whole.payload.size() == length ? whole : Whole{};
}

class FragmentsElsewhere : public testing::TestWithParam<Kind> {
 protected:
  FragmentsElsewhere() : kind(GetParam()), lab(kind.workers) {
    const bool v6 = kind.v6;
    if (kind.way == Way::redirect) {
      lab.side(0, Side::clients);
      lab.side(1, Side::servers);
      lab.restart(kind.workers);
    }
    if (kind.way == Way::outward) {
      lab.world().neighbour(world::address(v6 ? "fd00:1::9" : "10.0.1.9"), world::server_mac(9));
      lab.world().rebuild_routes();
      world::RuleSpec rule;
      rule.networks = {"10.0.1.0/24", "fd00:1::/64"};
      rule.snats = {"203.0.113.1", "2001:db8::1"};
      lab.world().put_rule(rule);
      return;
    }
    world::ServiceSpec spec;
    spec.protocol = net::Protocol::udp;
    spec.vip = vip();
    if (kind.way == Way::redirect) spec.vip = v6 ? "::/0" : "0.0.0.0/0";
    constexpr Mode kModes[] = {Mode::route,      Mode::tunnel_ipip, Mode::tunnel_gre,
                               Mode::tunnel_gue, Mode::redirect,    Mode::fullnat};
    spec.mode = kModes[static_cast<size_t>(kind.way)];
    spec.servers = {{server(), kind.way == Way::redirect ? uint16_t{0} : uint16_t{80}}};
    if (kind.way == Way::across) spec.snats = {v6 ? "10.0.0.1" : "fd00::1"};
    lab.world().put(spec);
  }
  std::string_view vip() const { return kind.v6 ? "2001:db8::10" : "203.0.113.10"; }
  std::string_view server() const {
    return kind.v6 != (kind.way == Way::across) ? "fd00:1::5" : "10.0.1.5";
  }
  bool outward() const { return kind.way == Way::outward; }
  Datagram question(uint32_t n) const {
    const auto source = static_cast<uint16_t>(40000 + n);
    if (outward()) {
      return {kind.v6 ? "fd00:1::9" : "10.0.1.9", kind.v6 ? "2001:db8:c::7" : "198.51.100.7",
              source, 80};
    }
    return {kind.v6 ? client6(n) : client(n), std::string(vip()), source, 80};
  }
  /// The bytes of a tunnel in front of the packet.
  size_t outer() const {
    const size_t ip = kind.v6 ? 40 : 20;
    switch (kind.way) {
      case Way::ipip:
        return ip;
      case Way::gre:
        return ip + 4;
      case Way::gue:
        return ip + 8 + 4;
      default:
        return 0;
    }
  }
  /// In that order, each to the next worker; what came out, early ones included.
  std::vector<Fate> send(const Datagram& d, const std::vector<size_t>& order, uint16_t port) {
    const std::vector<Frame> pieces = pieces_of(d, ++id_);
    EXPECT_EQ(pieces.size(), order.size());
    std::vector<Fate> fates;
    for (const size_t i : order) {
      const Fate fate = lab.send(pieces[i], static_cast<uint16_t>(turn_++ % lab.workers()), port);
      if (fate.verdict != Verdict::kept) fates.push_back(fate);
      for (Fate& late : lab.released()) fates.push_back(std::move(late));
    }
    for (const Fate& fate : fates) {
      EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      EXPECT_EQ(fate.egress, 1 - port);
    }
    return fates;
  }
  static uint16_t first_word(const Bytes& bytes) {
    return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]);
  }
  void expect(const Whole& whole, const Datagram& d) {
    EXPECT_EQ(net::to_string(whole.from), d.from);
    EXPECT_EQ(net::to_string(whole.to), d.to);
    EXPECT_EQ(whole.payload, d.payload());
  }
  const Kind kind;
  Lab lab;
  uint16_t id_ = 0;
  uint32_t turn_ = 0;
};

TEST_P(FragmentsElsewhere, AnyOrder) {
  const bool translated = outward() || kind.way == Way::across;
  const uint16_t in = outward() ? 1 : 0;
  std::vector<size_t> order{0, 1, 2};
  uint32_t n = 0;
  do {
    for (uint32_t repeat = 0; repeat < 3; ++repeat, ++n) {
      const Datagram there = question(n);
      const std::vector<Fate> fates = send(there, order, in);
      ASSERT_EQ(fates.size(), 3u);
      const Whole whole = put_together(fates, outer());
      ASSERT_FALSE(whole.payload.empty()) << "no whole packet";
      Datagram seen = there;
      if (translated) {
        seen = {net::to_string(whole.from), outward() ? there.to : std::string(server()),
                first_word(whole.payload), 80};
      }
      expect(whole, seen);
      if (kind.way == Way::gue) {
        std::set<uint16_t> ports;
        for (const Fate& fate : fates) ports.insert(ends_of(fate.frame).source_port);
        EXPECT_EQ(ports.size(), 1u) << "one flow to whoever spreads by ports";
      }
      if (!translated && kind.way != Way::redirect) continue;  // answers pass us by
      const Datagram answer{seen.to, seen.from, seen.port, seen.source};
      const std::vector<Fate> back = send(answer, order, static_cast<uint16_t>(1 - in));
      ASSERT_EQ(back.size(), 3u);
      expect(put_together(back, 0), {there.to, there.from, there.port, there.source});
    }
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(lab.flow_count(), n);
  EXPECT_EQ(lab.audit(), "");
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const Way way :
       {Way::route, Way::ipip, Way::gre, Way::gue, Way::redirect, Way::across, Way::outward}) {
    for (const bool v6 : {false, true}) {
      for (const uint16_t workers : {1, 3}) kinds.push_back({way, v6, workers});
    }
  }
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(Ways, FragmentsElsewhere, testing::ValuesIn(all_kinds()), name_of);

}  // namespace
}  // namespace nezu::lab
