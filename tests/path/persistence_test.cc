// Clients that stay on their server: by worker, service and port, across failures, drains and
// restarts.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::Mode;
using tables::ServerState;

const char* const kServers[] = {"10.0.1.5", "10.0.1.6", "10.0.1.7"};

tables::Persistence kept(uint32_t timeout_s = 300, uint8_t host_bits4 = 0, uint16_t mark = 0) {
  tables::Persistence kept;
  kept.timeout_s = timeout_s;
  kept.host_bits4 = host_bits4;
  kept.host_bits6 = 64;
  if (mark != 0) kept.scope = tables::scope_of_mark(mark);
  return kept;
}
world::ServiceSpec shop(Mode mode = Mode::nat, tables::Persistence persistence = kept()) {
  world::ServiceSpec spec = web(mode);
  spec.persistence = persistence;
  return spec;
}

class Persistence : public testing::TestWithParam<int> {
 protected:
  /// Where a new flow of that client goes; "" when it is dropped.
  std::string server_of(const std::string& from, uint16_t port, uint16_t to = 80,
                        const std::string& vip = "203.0.113.10") {
    const bool v4 = from.find(':') == std::string::npos;
    const Frame syn = v4 ? eth() / ipv4(from, vip) / tcp(port, to).syn()
                         : eth() / ipv6(from, vip) / tcp(port, to).syn();
    const Fate fate = lab_.send(syn, next_++ % lab_.workers());
    return fate.verdict == Verdict::forward ? net::to_string(ends_of(fate.frame).destination) : "";
  }
  /// Of many flows.
  std::set<std::string> servers_of(const std::string& from, uint32_t flows, uint16_t first = 1000) {
    std::set<std::string> servers;
    for (uint32_t i = 0; i < flows; ++i) {
      servers.insert(server_of(from, static_cast<uint16_t>(first + i)));
    }
    return servers;
  }

  Lab lab_{static_cast<uint16_t>(GetParam()), {4096, 512, 64}};
  uint32_t next_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Workers, Persistence, testing::Values(1, 3));

TEST_P(Persistence, AllFlowsOfAClientGoToOneServer) {
  lab_.world().put(shop());
  std::map<std::string, int> clients;
  for (uint32_t n = 0; n < 30; ++n) {
    const auto servers = servers_of(client(n), 8);
    ASSERT_EQ(servers.size(), 1u) << client(n);
    ++clients[*servers.begin()];
  }
  EXPECT_EQ(clients.size(), 3u);  // and clients to all of them, by the scheduler's order
  for (const auto& [server, count] : clients) EXPECT_GE(count, 6) << server;
}

TEST_P(Persistence, WithoutItFlowsAreScheduledOneByOne) {
  lab_.world().put(web());
  EXPECT_EQ(servers_of(client(1), 12).size(), 3u);
}

TEST_P(Persistence, ClientsOfOnePrefixAreOne) {
  lab_.world().put(shop(Mode::nat, kept(300, 8)));
  const std::string first = server_of("198.18.7.1", 1000);
  for (int i = 2; i < 40; ++i) {
    EXPECT_EQ(server_of("198.18.7." + std::to_string(i), 1000), first);
  }
  std::set<std::string> others;
  for (int i = 0; i < 9; ++i)
    others.insert(server_of("198.18." + std::to_string(20 + i) + ".1", 1));
  EXPECT_EQ(others.size(), 3u);
}

TEST_P(Persistence, Ipv6ClientsAndFamiliesOfTheirOwn) {
  world::ServiceSpec spec = shop();
  spec.vip = "2001:db8::10";
  spec.servers = {{"fd00:1::5", 8080}, {"fd00:1::6", 8080}};
  lab_.world().put(spec);
  const std::string first = server_of("2001:db8:c::1", 1000, 80, "2001:db8::10");
  ASSERT_NE(first, "");
  for (uint16_t i = 1; i < 10; ++i) {
    // The same /64.
    EXPECT_EQ(server_of("2001:db8:c::" + std::to_string(i), i, 80, "2001:db8::10"), first);
  }
}

TEST_P(Persistence, ServicesOfAMarkShareTheirClients) {
  world::ServiceSpec http = shop(Mode::nat, kept(300, 0, 7)), https = http;
  https.port = 443;
  https.servers = {{"10.0.1.5", 8443}, {"10.0.1.6", 8443}, {"10.0.1.7", 8443}};
  lab_.world().put(http);
  lab_.world().put(https);
  for (uint32_t n = 0; n < 20; ++n) {
    const std::string cart = server_of(client(n), 1000, 80);
    EXPECT_EQ(server_of(client(n), 1001, 443), cart);
    EXPECT_EQ(server_of(client(n), 1002, 80), cart);
  }
}

TEST_P(Persistence, ServicesWithoutAMarkDoNot) {
  world::ServiceSpec http = shop(), https = http;
  https.port = 443;
  lab_.world().put(http);
  lab_.world().put(https);
  int differ = 0;
  for (uint32_t n = 0; n < 20; ++n) {
    if (n % 2 == 0) server_of("198.51.100.1", static_cast<uint16_t>(n + 1), 443);
    differ += server_of(client(n), 1000, 80) != server_of(client(n), 1001, 443) ? 1 : 0;
  }
  EXPECT_GT(differ, 0);
}

TEST_P(Persistence, IsForgottenAfterItsTimeWithoutPackets) {
  lab_.world().put(shop(Mode::nat, kept(30)));
  const std::string first = server_of(client(1), 1000);
  lab_.advance(25);
  EXPECT_EQ(server_of(client(1), 1001), first);  // and the time begins anew
  lab_.advance(25);
  EXPECT_EQ(server_of(client(1), 1002), first);
  EXPECT_EQ(lab_.persistence().count(), 1u);
  lab_.advance(40);
  std::set<std::string> servers;
  for (uint16_t i = 0; i < 6; ++i) {
    servers.insert(server_of(client(1), static_cast<uint16_t>(1003 + i)));
    lab_.advance(40);
  }
  EXPECT_EQ(servers.size(), 3u);
}

TEST_P(Persistence, AFlowThatGoesOnKeepsItsClient) {
  lab_.world().put(shop(Mode::nat, kept(60)));
  Conversation talk(lab_, client(1), 1000);
  ASSERT_TRUE(talk.open());
  const std::string server = net::to_string(talk.server().destination);
  for (int i = 0; i < 20; ++i) {
    lab_.advance(20);
    ASSERT_TRUE(talk.works());
  }
  EXPECT_EQ(server_of(client(1), 1001), server);
  EXPECT_EQ(server_of(client(1), 1002), server);
  // An open flow that says nothing does not.
  lab_.advance(90);
  std::set<std::string> servers;
  for (uint32_t n = 0; n < 3; ++n) {
    servers.insert(server_of(client(1), static_cast<uint16_t>(2000 + n)));
    lab_.advance(90);
  }
  EXPECT_GT(servers.size(), 1u);
}

TEST_P(Persistence, AFailedServersClientsMoveTogetherAndStayThere) {
  world::ServiceSpec spec = shop();
  lab_.world().put(spec);
  std::string first = server_of(client(1), 1000);
  for (world::ServerSpec& server : spec.servers) {
    if (server.address == first) server.state = ServerState::failed;
  }
  lab_.world().put(spec);
  const auto moved = servers_of(client(1), 8, 2000);
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_NE(*moved.begin(), first);
  for (world::ServerSpec& server : spec.servers) server.state = ServerState::ready;
  lab_.world().put(spec);
  EXPECT_EQ(servers_of(client(1), 8, 3000), moved);  // it does not go back
}

TEST_P(Persistence, ADrainingServerLosesItsClientsOrKeepsThem) {
  for (const bool keeps : {false, true}) {
    world::ServiceSpec spec = shop();
    const std::string vip = keeps ? "203.0.113.11" : "203.0.113.10";
    const uint16_t port = keeps ? 2000 : 1000;  // a server sees two VIPs' clients as one host
    spec.vip = vip;
    spec.persistence.keeps_draining = keeps;
    lab_.world().put(spec);
    const std::string first = server_of(client(1), port, 80, vip);
    for (world::ServerSpec& server : spec.servers) {
      if (server.address == first) server.state = ServerState::draining;
    }
    lab_.world().put(spec);
    EXPECT_EQ(server_of(client(1), port + 1, 80, vip) == first, keeps);
    for (uint32_t n = 2; n < 20; ++n) {  // nobody new goes there
      EXPECT_NE(server_of(client(n), port + 1, 80, vip), first);
    }
    for (world::ServerSpec& server : spec.servers) {
      if (server.state == ServerState::draining) {
        server.state = ServerState::ready;
        server.weight = 0;
      }
    }
    lab_.world().put(spec);
    EXPECT_EQ(server_of(client(1), port + 2, 80, vip) == first, keeps);
  }
}

TEST_P(Persistence, AFullServerGivesItsClientToAnother) {
  world::ServiceSpec spec = shop();
  spec.servers[0].max_flows = spec.servers[1].max_flows = spec.servers[2].max_flows = 4;
  lab_.world().put(spec);
  std::map<std::string, int> flows;
  for (uint16_t i = 0; i < 12; ++i) ++flows[server_of(client(1), static_cast<uint16_t>(1000 + i))];
  EXPECT_EQ(flows.size(), 3u);
  for (const auto& [server, count] : flows) EXPECT_EQ(count, 4) << server;
  EXPECT_EQ(server_of(client(1), 1012), "");
  EXPECT_EQ(lab_.count(Reason::servers_full), 1u);
}

TEST_P(Persistence, SurvivesARestartAlsoWithOtherWorkers) {
  lab_.world().put(shop(Mode::fullnat));
  std::map<uint32_t, std::string> before;
  for (uint32_t n = 0; n < 12; ++n) before[n] = server_of(client(n), 1000);
  lab_.restart(static_cast<uint16_t>(lab_.workers() == 1 ? 2 : 1));
  for (uint32_t n = 0; n < 12; ++n) EXPECT_EQ(server_of(client(n), 1001), before[n]) << n;
}

TEST_P(Persistence, MoreClientsThanItHoldsAreServedAndCounted) {
  lab_.world().put(shop());
  for (uint32_t n = 0; n < 4 * Lab::kPersistentClients; ++n) {
    ASSERT_NE(server_of(client(n), 1000), "");
  }
  EXPECT_LE(lab_.persistence().count(), Lab::kPersistentClients);
  EXPECT_EQ(lab_.count(&tables::WorkerLine::persistence_forgotten),
            4 * Lab::kPersistentClients - lab_.persistence().count());
}

TEST_P(Persistence, EveryModeAsksForIt) {
  for (const Mode mode : {Mode::nat, Mode::fullnat, Mode::route, Mode::tunnel_ipip}) {
    world::ServiceSpec spec = shop(mode);
    spec.port = static_cast<uint16_t>(100 + static_cast<int>(mode));
    if (mode == Mode::route || mode == Mode::tunnel_ipip) {
      for (world::ServerSpec& server : spec.servers) server.port = spec.port;
    }
    const tables::ServiceId id = lab_.world().put(spec);
    std::map<std::string_view, uint64_t> before;
    const auto gauge = [&](std::string_view server) {
      return lab_.gauge_of_server(
          lab_.world().server_id(server, spec.servers[0].port, net::Protocol::tcp));
    };
    for (const char* server : kServers) before[server] = gauge(server);
    for (uint16_t i = 0; i < 9; ++i) {
      ASSERT_EQ(lab_.send(eth() / ipv4(client(1), "203.0.113.10") /
                              tcp(static_cast<uint16_t>(5000 + i), spec.port).syn(),
                          static_cast<uint16_t>(i % lab_.workers()))
                    .verdict,
                Verdict::forward);
    }
    EXPECT_EQ(lab_.gauge_of_service(id), 9u);
    int servers = 0;
    for (const char* server : kServers) servers += gauge(server) != before[server] ? 1 : 0;
    EXPECT_EQ(servers, 1) << "mode " << static_cast<int>(mode);
  }
}

}  // namespace
}  // namespace nezu::lab
