// Flows outlive the process, with as many workers and with others.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;

class Restart : public testing::TestWithParam<std::tuple<uint16_t, uint16_t, tables::Mode>> {};

TEST_P(Restart, FlowsGoOnAtTheSameServerByTheSamePort) {
  const auto [before, after, mode] = GetParam();
  Lab lab(before, {4096, 256});
  world::ServiceSpec spec = web(mode);
  spec.scheduler = tables::Scheduler::wlc;
  const auto service = lab.world().put(spec);
  std::vector<Conversation> all;
  for (uint32_t n = 0; n < 128; ++n) {
    all.emplace_back(lab, client(n), static_cast<uint16_t>(5000 + n));
    ASSERT_TRUE(all.back().open());
  }
  const auto server = lab.world().server_id("10.0.1.5", 8080, net::Protocol::tcp);
  const uint64_t of_server = lab.gauge_of_server(server);
  spec.servers.push_back({"10.0.1.8", 8080});  // the set changes while nobody forwards
  lab.world().put(spec);

  const path::Restored restored = lab.restart(after);
  EXPECT_EQ(restored.kept, 128u);
  EXPECT_EQ(restored.dropped, 0u);
  if (before == after) {
    EXPECT_EQ(restored.moved, 0u);
  } else {
    EXPECT_EQ(restored.moved, 128u);
  }
  EXPECT_EQ(lab.gauge_of_service(service), 128u);
  EXPECT_EQ(lab.gauge_of_server(server), of_server);
  EXPECT_EQ(lab.audit(), "");
  for (Conversation& one : all) EXPECT_TRUE(one.works());
  // New flows get ports that are free, and all end in time.
  for (uint32_t n = 500; n < 564; ++n) {
    Conversation fresh(lab, client(n), 7000);
    EXPECT_TRUE(fresh.open());
  }
  lab.advance(1000);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_EQ(lab.gauge_of_service(service), 0u);
  EXPECT_EQ(lab.audit(), "");
}

INSTANTIATE_TEST_SUITE_P(All, Restart,
                         testing::Values(std::tuple(1, 1, tables::Mode::nat),
                                         std::tuple(2, 2, tables::Mode::fullnat),
                                         std::tuple(1, 3, tables::Mode::fullnat),
                                         std::tuple(4, 2, tables::Mode::fullnat),
                                         std::tuple(2, 1, tables::Mode::nat),
                                         std::tuple(2, 8, tables::Mode::nat)));

TEST(Restart, EntriesThatMakeNoSenseAreDropped) {
  Lab lab(1, {256, 0});
  lab.world().put(web(tables::Mode::fullnat));
  std::vector<Conversation> all;
  for (uint32_t n = 0; n < 12; ++n) {
    all.emplace_back(lab, client(n), 5000);
    ASSERT_TRUE(all.back().open());
  }
  const auto entry = [&](uint32_t n) -> flow::Entry4& {
    return lab.flows(0).narrow(flow::FlowId(false, n, flow::Direction::to_server));
  };
  entry(0).track.state = static_cast<tables::Timeout>(200);
  entry(1).track.server = 9999;  // found again by its identity
  entry(2).track.shard ^= 1;
  entry(3).to_client.destination_port = net::swap16(80);
  entry(4).track.timeout = 0xffffffff;
  entry(5).to_server.protocol = net::Protocol::icmp;
  entry(6) = entry(7);            // twice there
  entry(8).to_client.source = 1;  // a server that nobody knows
  entry(9).track.valid = 77;
  const path::Restored restored = lab.restart(1);
  EXPECT_EQ(restored.kept, 4u);
  EXPECT_EQ(restored.dropped, 8u);
  EXPECT_EQ(lab.flow_count(), 4u);
  EXPECT_EQ(lab.audit(), "");
  EXPECT_TRUE(all[10].works());
  EXPECT_TRUE(all[1].works());
}

}  // namespace
}  // namespace nezu::lab
