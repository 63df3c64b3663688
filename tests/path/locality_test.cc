// lblc and lblcr: flows to one destination stay together until their server has enough.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;

world::ServiceSpec caches(tables::Locality locality, uint32_t weight) {
  world::ServiceSpec spec;
  spec.vip = "203.0.113.0/24";
  spec.protocol = net::Protocol::udp;
  spec.scheduler = tables::Scheduler::wlc;
  spec.locality = locality;
  for (const char* server : {"10.0.1.5", "10.0.1.6", "10.0.1.7"}) {
    spec.servers.push_back({server, 8080, weight});
  }
  return spec;
}

class Localities : public testing::Test {
 protected:
  /// The server of a new flow to that destination; "": nobody.
  std::string ask(uint32_t destination) {
    const std::string to = "203.0.113." + std::to_string(destination);
    const Frame frame = eth() / ipv4(client(next_++), to) / udp(1000, 80) / "question";
    const Fate fate = lab_.send(frame, static_cast<uint16_t>(next_ % lab_.workers()));
    return fate.verdict == Verdict::forward ? net::to_string(ends_of(fate.frame).destination) : "";
  }
  std::set<std::string> ask(uint32_t destination, int flows) {
    std::set<std::string> servers;
    for (int i = 0; i < flows; ++i) servers.insert(ask(destination));
    return servers;
  }
  void workers(uint16_t count) { lab_.restart(count); }
  Lab lab_{1, {4096, 64, 64}};
  uint32_t next_ = 0;
};

TEST_F(Localities, EachDestinationHasAServerAndAllHaveTheirShare) {
  for (const tables::Locality locality : {tables::Locality::one, tables::Locality::set}) {
    lab_.world().put(caches(locality, 1000));
    std::map<std::string, int> destinations;
    for (uint32_t destination = 1; destination <= 12; ++destination) {
      const auto servers = ask(destination, 4);
      ASSERT_EQ(servers.size(), 1u) << destination;
      ++destinations[*servers.begin()];
      EXPECT_EQ(ask(destination, 2), servers);
    }
    EXPECT_EQ(destinations.size(), 3u);
    lab_.advance(100);
  }
}

TEST_F(Localities, OneMovesWhenItsServerHasEnoughAndAnotherLessThanHalf) {
  lab_.world().put(caches(tables::Locality::one, 4));
  const std::string first = ask(1);
  EXPECT_EQ(ask(1, 4), std::set<std::string>{first});  // 5 flows: more than 4
  const std::string second = ask(1);
  EXPECT_NE(second, first);
  EXPECT_EQ(ask(1, 4), std::set<std::string>{second});
  const std::string third = ask(1);
  EXPECT_NE(third, first);
  EXPECT_NE(third, second);
  EXPECT_EQ(ask(1, 4), std::set<std::string>{third});
  // All have more than their weight: nobody has less than half of it.
  EXPECT_EQ(ask(1, 9), std::set<std::string>{third});
}

TEST_F(Localities, ASetGrowsAndShrinks) {
  lab_.world().put(caches(tables::Locality::set, 4));
  EXPECT_EQ(ask(1, 5).size(), 1u);
  EXPECT_EQ(ask(1, 5).size(), 1u);  // the second one, until it has as many as the first
  EXPECT_EQ(ask(1, 5).size(), 1u);  // the third
  EXPECT_EQ(ask(1, 9).size(), 3u);  // the fewest flows for its weight
  // Who joined has left when they come back.
  lab_.advance(400);
  EXPECT_EQ(ask(1, 5).size(), 1u);
}

/// Each looks for whoever has less by its own counts: a destination moves a little later.
TEST_F(Localities, AllWorkersKnowTheServersOfADestination) {
  workers(3);
  lab_.world().put(caches(tables::Locality::one, 30));
  const std::string first = ask(1);
  EXPECT_EQ(ask(1, 30), std::set<std::string>{first});
  EXPECT_GE(ask(1, 60).size(), 2u);
  EXPECT_EQ(ask(2, 5).size(), 1u);
  EXPECT_EQ(lab_.audit(), "");
}

/// What was decided is known to the next process.
TEST_F(Localities, ARestartKeepsThem) {
  lab_.world().put(caches(tables::Locality::one, 1000));
  std::map<uint32_t, std::string> before;
  for (uint32_t destination = 1; destination < 9; ++destination) {
    before[destination] = ask(destination);
  }
  lab_.restart(2);
  for (const auto& [destination, server] : before) EXPECT_EQ(ask(destination), server);
}

TEST_F(Localities, AServerThatFailsIsLeftAtOnce) {
  for (const tables::Locality locality : {tables::Locality::one, tables::Locality::set}) {
    world::ServiceSpec spec = caches(locality, 1000);
    lab_.world().put(spec);
    const std::string before = ask(7);
    for (world::ServerSpec& server : spec.servers) {
      if (server.address == before) server.state = tables::ServerState::failed;
    }
    lab_.world().put(spec);
    const std::string after = ask(7);
    EXPECT_NE(after, before);
    EXPECT_NE(after, "");
    EXPECT_EQ(ask(7, 5), std::set<std::string>{after});
    for (world::ServerSpec& server : spec.servers) server.state = tables::ServerState::failed;
    lab_.world().put(spec);
    EXPECT_EQ(ask(7), "");
    lab_.advance(100);
  }
}

}  // namespace
}  // namespace nezu::lab
