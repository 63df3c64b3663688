// Services that are for some clients only: by where they come from, and by which interface.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "tests/path/frames.h"
#include "tests/path/lab.h"
#include "tests/path/spaces.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Protocol;
using net::Reason;
using net::Verdict;
using tables::Mode;

world::ServiceSpec to(std::string_view server, std::vector<std::string_view> sources,
                      std::vector<std::string_view> interfaces = {}) {
  world::ServiceSpec spec;
  spec.protocol = Protocol::udp;
  spec.port = 53;
  spec.servers = {{server, 5353}};
  spec.sources = std::move(sources);
  spec.interfaces = std::move(interfaces);
  return spec;
}

/// Who gets a datagram from there; the reason when nobody does.
std::string served(Lab& lab, std::string_view client, std::string_view vip = "203.0.113.10",
                   uint16_t port = 53, uint16_t worker = 0) {
  static uint16_t source = 20000;
  const Fate fate = lab.send(eth() / ipv4(client, vip) / udp(++source, port) / "x", worker);
  return fate.verdict == Verdict::forward ? net::to_string(ends_of(fate.frame).destination)
                                          : std::string(to_string(fate.reason));
}

TEST(Callers, TheLongestPrefixThenTheInterfaceThenEverybody) {
  Lab lab(1);
  lab.world().put(to("10.0.1.1", {}));
  lab.world().put(to("10.0.1.2", {"198.51.100.0/24", "192.0.2.0/25"}));
  lab.world().put(to("10.0.1.3", {"198.51.100.128/25"}));
  lab.world().put(to("10.0.1.4", {"198.51.100.200"}));
  lab.world().put(to("10.0.1.5", {"198.51.100.201"}, {"back"}));
  EXPECT_EQ(served(lab, "203.0.114.1"), "10.0.1.1");
  EXPECT_EQ(served(lab, "198.51.100.1"), "10.0.1.2");
  EXPECT_EQ(served(lab, "192.0.2.7"), "10.0.1.2");
  EXPECT_EQ(served(lab, "192.0.2.130"), "10.0.1.1");
  EXPECT_EQ(served(lab, "198.51.100.129"), "10.0.1.3");
  EXPECT_EQ(served(lab, "198.51.100.200"), "10.0.1.4");
  EXPECT_EQ(served(lab, "198.51.100.201"), "10.0.1.3") << "it came in elsewhere";
  EXPECT_EQ(lab.audit(), "");
}

TEST(Callers, ThoseOfOneBurstAreToldApart) {
  Lab lab(1);
  lab.world().put(to("10.0.1.1", {}));
  lab.world().put(to("10.0.1.2", {"198.51.100.0/24"}));
  std::vector<Frame> burst;
  for (uint16_t n = 0; n < 30; ++n) {
    burst.emplace_back(eth() / ipv4(n % 3 == 0 ? "198.51.100.9" : "203.0.114.9", "203.0.113.10") /
                       udp(static_cast<uint16_t>(1000 + n), 53) / "x");
  }
  const auto fates = lab.send(burst);
  for (size_t n = 0; n < fates.size(); ++n) {
    ASSERT_EQ(fates[n].verdict, Verdict::forward) << to_string(fates[n].reason);
    EXPECT_EQ(net::to_string(ends_of(fates[n].frame).destination),
              n % 3 == 0 ? "10.0.1.2" : "10.0.1.1");
  }
}

TEST(Callers, NobodyElseIsServed) {
  Lab lab(1);
  lab.world().put(to("10.0.1.2", {"198.51.100.0/24"}));
  EXPECT_EQ(served(lab, "198.51.100.1"), "10.0.1.2");
  EXPECT_EQ(served(lab, "203.0.114.1"), "service_unknown");
}

TEST(Callers, ByInterfaceAndVlan) {
  Lab lab(1);
  lab.world().put(to("10.0.1.1", {}, {"front"}));
  lab.world().put(to("10.0.1.2", {}, {"front.100"}));
  lab.world().put(to("10.0.1.3", {}, {"back"}));
  lab.world().rebuild_routes(0, 100);
  const auto by = [&](std::optional<uint16_t> vlan, uint16_t port) {
    static uint16_t source = 40000;
    const auto ip = ipv4("198.51.100.1", "203.0.113.10");
    const auto question = udp(++source, 53);
    const Fate fate = lab.send(vlan ? Frame(eth() / dsl::vlan(*vlan) / ip / question / "x")
                                    : Frame(eth() / ip / question / "x"),
                               0, port);
    return fate.verdict == Verdict::forward ? net::to_string(ends_of(fate.frame).destination)
                                            : std::string(to_string(fate.reason));
  };
  EXPECT_EQ(by(std::nullopt, 0), "10.0.1.1");
  EXPECT_EQ(by(100, 0), "10.0.1.2");
  EXPECT_EQ(by(std::nullopt, 1), "10.0.1.3");
}

TEST(Callers, NarrowPlacesGoBeforeWideOnesWhoeverAsks) {
  Lab lab(1);
  lab.world().put(to("10.0.1.1", {}));  // port 53 for everybody
  world::ServiceSpec all = to("10.0.1.2", {"198.51.100.0/24"});
  all.port = 1;
  all.last_port = 65535;
  all.servers = {{"10.0.1.2", 0}};
  lab.world().put(all);
  EXPECT_EQ(served(lab, "198.51.100.1"), "10.0.1.1");
  EXPECT_EQ(served(lab, "198.51.100.1", "203.0.113.10", 54), "10.0.1.2");
  EXPECT_EQ(served(lab, "203.0.114.1", "203.0.113.10", 54), "service_unknown");
}

TEST(Callers, OfAPrefixWhateverWorkerItMeets) {
  Lab lab(2);
  world::ServiceSpec some = to("10.0.1.2", {"198.51.100.0/24"});
  some.vip = "203.0.114.0/24";
  some.servers = {{"10.0.1.2", 0}};
  lab.world().put(some);
  for (uint16_t n = 0; n < 32; ++n) {
    const auto port = static_cast<uint16_t>(30000 + n);
    const Fate there = lab.send(eth() / ipv4("198.51.100.9", "203.0.114.77") / udp(port, 53) / "q",
                                static_cast<uint16_t>(n % 2), 0);
    ASSERT_EQ(there.verdict, Verdict::forward) << to_string(there.reason);
    const Fate back = lab.send(eth() / ipv4("10.0.1.2", "198.51.100.9") / udp(53, port) / "a",
                               static_cast<uint16_t>((n + 1) % 2), 1);
    ASSERT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
    EXPECT_EQ(ends_of(back.frame).source, world::address("203.0.114.77"));
  }
  EXPECT_EQ(served(lab, "203.0.115.1", "203.0.114.77"), "transit_refused");
}

TEST(Callers, OpenFlowsStayWhenTheyAreOthers) {
  Lab lab(1);
  lab.world().put(to("10.0.1.1", {}));
  const auto send = [&] {
    const Fate fate = lab.send(eth() / ipv4("198.51.100.1", "203.0.113.10") / udp(777, 53) / "x");
    return net::to_string(ends_of(fate.frame).destination);
  };
  EXPECT_EQ(send(), "10.0.1.1");
  lab.world().put(to("10.0.1.2", {"198.51.100.0/24"}));
  EXPECT_EQ(send(), "10.0.1.1");
  EXPECT_EQ(served(lab, "198.51.100.1"), "10.0.1.2");
}

TEST(Callers, ProtocolsWithoutPorts) {
  Lab lab(1);
  constexpr uint8_t kGre = 47;
  const auto gre = [](std::string_view server, std::vector<std::string_view> sources) {
    world::ServiceSpec spec = to(server, std::move(sources));
    spec.port = 0;
    spec.protocol = Protocol::gre;
    spec.servers = {{server, 0}};
    return spec;
  };
  lab.world().put(gre("10.0.1.1", {}));
  lab.world().put(gre("10.0.1.2", {"198.51.100.0/24"}));
  const auto who = [&](std::string_view client) {
    const Fate fate =
        lab.send(eth() / ipv4(client, "203.0.113.10") / raw({0, 0, 8, 0, 1, 2, 3, 4}, kGre));
    return net::to_string(ends_of(fate.frame).destination);
  };
  EXPECT_EQ(who("203.0.114.1"), "10.0.1.1");
  EXPECT_EQ(who("198.51.100.1"), "10.0.1.2");
}

/// Any rules at any place, asked against what the documentation says in words.
TEST(Callers, AgreesWithTheRuleInWords) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto any = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
    struct One {
      uint16_t first, last;
      net::Prefix source;
      int interface;  ///< 0: any, 1: front, 2: back
      std::string server;
    };
    Lab lab(1);
    std::vector<One> all;
    std::vector<std::unique_ptr<std::string>> texts;
    for (uint32_t n = 0; n < 12; ++n) {
      One one;
      one.first = static_cast<uint16_t>(50 + any(4));
      one.last = any(2) == 0 ? one.first : 60;
      one.source = *net::parse_prefix("198.51.100." + std::to_string(any(256)) + "/" +
                                      std::to_string(24 + any(9)));
      one.source.address = net::masked(one.source.address, 32u - one.source.length);
      if (any(4) == 0) one.source = *net::parse_prefix("0.0.0.0/0");
      one.interface = static_cast<int>(any(3));
      one.server = "10.0.1." + std::to_string(n + 1);
      const auto same = [&](const One& other) {
        return other.first == one.first && other.last == one.last && other.source == one.source &&
               other.interface == one.interface;
      };
      if (std::any_of(all.begin(), all.end(), same)) continue;
      all.push_back(one);
      texts.push_back(std::make_unique<std::string>(net::to_string(one.source)));
      texts.push_back(std::make_unique<std::string>(one.server));
      world::ServiceSpec spec = to(*texts.back(), {});
      spec.servers = {{*texts.back(), 0}};
      spec.port = one.first;
      spec.last_port = one.last == one.first ? 0 : one.last;
      if (one.source.length != 0 || one.interface != 0) {
        spec.sources = {*texts[texts.size() - 2]};
      }
      if (one.interface != 0) spec.interfaces = {one.interface == 1 ? "front" : "back"};
      lab.world().put(spec);
    }
    for (uint32_t n = 0; n < 200; ++n) {
      const std::string client = "198.51.100." + std::to_string(any(256));
      const auto port = static_cast<uint16_t>(49 + any(13));
      const auto by = static_cast<uint16_t>(any(2));
      const One* best = nullptr;
      const auto rank = [](const One& one) {
        return std::tuple(one.last - one.first, one.first, -one.source.length,
                          one.interface == 0 ? 1 : 0);
      };
      for (const One& one : all) {
        const bool takes = one.first <= port && port <= one.last &&
                           one.source.contains(world::address(client)) &&
                           (one.interface == 0 || one.interface == by + 1);
        if (takes && (best == nullptr || rank(one) < rank(*best))) best = &one;
      }
      const Fate fate = lab.send(
          eth() / ipv4(client, "203.0.113.10") / udp(static_cast<uint16_t>(10000 + n), port) / "x",
          0, by);
      if (best == nullptr) {
        EXPECT_EQ(fate.reason, Reason::service_unknown) << "seed " << seed;
      } else if (fate.verdict == Verdict::forward) {
        EXPECT_EQ(net::to_string(ends_of(fate.frame).destination), best->server)
            << "seed " << seed << ": " << client << " to " << port << " by " << by;
      } else {
        ADD_FAILURE() << "seed " << seed << ": " << to_string(fate.reason);
      }
    }
  }
}

}  // namespace
}  // namespace nezu::lab
