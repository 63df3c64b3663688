// What is kept for the next start comes back whole or not at all.
#include "dataplane/state_file.h"

#include <gtest/gtest.h>

namespace nezu::dataplane {
namespace {

const std::vector<std::string> kPorts{"front", "back"};

net::Address address(std::string_view text) { return *net::parse_address(text); }

device::KernelState some_state() {
  device::KernelState state;
  state.addresses = {{0, address("192.0.2.1")}, {1, address("2001:db8::1")}};
  state.routes = {{*net::parse_prefix("10.0.0.0/24"), net::Instance::standard, {{1, {}, 1}}},
                  {*net::parse_prefix("0.0.0.0/0"),
                   net::Instance::standard,
                   {{0, address("192.0.2.254"), 3}, {1, address("fe80::1"), 1}}},
                  {*net::parse_prefix("10.66.0.0/16"), net::Instance::standard, {}}};
  state.routes.push_back({*net::parse_prefix("10.0.0.0/24"), net::Instance{60000}, {{1, {}, 1}}});
  state.neighbours = {{{1, address("10.0.0.11")}, {{2, 0, 0, 0, 0, 0x11}}, route::Heard::usable}};
  return state;
}

TEST(StateFile, ComesBackAsItWas) {
  const auto state = parse_state(to_text(some_state(), kPorts), kPorts);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->routes, some_state().routes);
  EXPECT_EQ(state->addresses, some_state().addresses);
  ASSERT_EQ(state->neighbours.size(), 1u);
  EXPECT_EQ(state->neighbours[0].mac, some_state().neighbours[0].mac);
}

TEST(StateFile, CutOffAnywhereItCountsAsNone) {
  const std::string text = to_text(some_state(), kPorts);
  for (size_t length = 0; length + 1 < text.size(); ++length) {
    EXPECT_FALSE(parse_state(text.substr(0, length), kPorts)) << length;
  }
}

TEST(StateFile, NonsenseCountsAsNone) {
  for (const char* line :
       {"route 10.0.0.0/33 back - 1", "route 10.0.0.0/24 back x 1", "route 10.0.0.0/24 back - 0",
        "route 10.0.0.0/24 back -", "address front 192.0.2", "neighbour back 10.0.0.11 02:00",
        "something else here", "neighbour back", "route-of 70000 10.0.0.0/24 back - 1",
        "route-of red 10.0.0.0/24 back - 1"}) {
    EXPECT_FALSE(parse_state(std::string("nezu-routes 1\n") + line + "\nend\n", kPorts)) << line;
  }
}

TEST(StateFile, PortsThatAreGoneTakeTheirFactsWithThem) {
  const auto state = parse_state(to_text(some_state(), kPorts), {"back"});
  ASSERT_TRUE(state);
  ASSERT_EQ(state->routes.size(), 4u);
  EXPECT_EQ(state->routes[0].ways, (std::vector<route::Way>{{0, {}, 1}}));
  EXPECT_EQ(state->routes[1].ways, (std::vector<route::Way>{{0, address("fe80::1"), 1}}));
  const auto none = parse_state(to_text(some_state(), kPorts), {"other"});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->routes.size(), 1u) << "only the refusal concerns no port";
  EXPECT_TRUE(none->addresses.empty());
  EXPECT_TRUE(none->neighbours.empty());
}

TEST(StateFile, IsReplacedAsAWhole) {
  const std::string path = testing::TempDir() + "/nezu-state-file-test";
  ASSERT_TRUE(save_state(path, some_state(), kPorts));
  ASSERT_TRUE(save_state(path, {}, kPorts));
  const auto state = load_state(path, kPorts);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->routes.empty());
  EXPECT_FALSE(load_state(path + "-not-there", kPorts));
  EXPECT_FALSE(save_state("/proc/nowhere/file", {}, kPorts));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace nezu::dataplane
