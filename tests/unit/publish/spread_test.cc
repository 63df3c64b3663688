// What the control plane publishes and workers schedule by, together: shares of 100,000 flows, and
// rings that are the same on every node.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"
#include "controlplane/publish/region_publisher.h"
#include "dataplane/admit/scheduling.h"

namespace nezu::publish {
namespace {

constexpr uint32_t kFlows = 100'000;

/// A control plane's region and one worker's view of it.
class Node {
 public:
  explicit Node(const char* name)
      : directory_(std::filesystem::temp_directory_path() /
                   ("nezu-spread-" + std::to_string(getpid()) + name)) {
    std::filesystem::create_directories(directory_);
    Options options;
    options.region_dir = directory_;
    options.sizes.services = options.sizes.pools = options.sizes.servers = options.sizes.addresses =
        64;
    options.sizes.workers = 2;
    options.sizes.heap_bytes = 16 << 20;
    publisher_ = open_region(options);
    region_ = tables::Region::open_reader(directory_).region;
  }
  ~Node() {
    publisher_.reset();
    std::filesystem::remove_all(directory_);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void publish(const std::string& text) {
    v1::Configuration wanted;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &wanted)) << text;
    config::normalise(wanted);
    config::Problems problems;
    const store::Edit edit = config::edit_to(model_, wanted, problems);
    ASSERT_TRUE(problems.empty());
    const store::Edit undo = model_.apply(edit);
    compile::Touched touched;
    touched.add_everything(model_);
    touched.add_change(model_, edit, undo);
    ASSERT_EQ(publisher_->publish(model_, touched, {{}, {}}, ++revision_).outcome,
              Outcome::published);
  }
  tables::View view() const {
    return {region_->base(), region_->root(), region_->header().hash_seed};
  }
  const tables::Region& region() const { return *region_; }
  const tables::Service& service() const {
    const tables::Service* found = nullptr;
    view().each(view().root()->services, [&](const tables::Service& service) { found = &service; });
    return *found;
  }
  const tables::Pool& pool() const { return *view().pool(service().pool); }

 private:
  std::filesystem::path directory_;
  config::Model model_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<tables::Region> region_;
  uint64_t revision_ = 0;
};

std::string shop(const std::string& scheduler, const std::map<int, int>& weights,
                 const std::string& more = "") {
  std::string text =
      "services { name: 'shop' address: '203.0.113.10' port: 80 pool: 'web' }"
      "pools { name: 'web' scheduler: SCHEDULER_" +
      scheduler + " " + more;
  for (const auto& [last, weight] : weights) {
    text += " servers { address: '10.0.1." + std::to_string(last) +
            "' port: 8080 weight: " + std::to_string(weight) + " }";
  }
  return text + " }";
}

/// By weight, how many of kFlows flows that all stay go to each server, chosen by two workers in
/// turn.
std::map<uint32_t, uint32_t> spread(const Node& node) {
  const tables::Region& region = node.region();
  std::vector<std::unique_ptr<admit::Scheduling>> workers;
  for (uint16_t worker = 0; worker < 2; ++worker) {
    workers.push_back(std::make_unique<admit::Scheduling>(
        region.header().sizes, worker, 2,
        std::vector<const tables::ServerCounters*>{region.servers_of(worker)}));
  }
  std::mt19937 random(7);
  std::map<uint32_t, uint32_t> flows;
  for (uint32_t i = 0; i < kFlows; ++i) {
    const auto worker = static_cast<uint16_t>(i % 2);
    const admit::Client client{net::Address::v4(static_cast<uint32_t>(random())),
                               static_cast<uint16_t>(random())};
    const tables::Member* member =
        workers[worker]->pick(node.view(), node.service(), node.pool(), client);
    if (member == nullptr) {
      ADD_FAILURE() << "nobody";
      break;
    }
    region.servers_of(worker)[index(member->server)].flows_active.add(1);
    workers[worker]->load_changed(member->server);
    ++flows[member->weight];
  }
  return flows;
}

const std::map<int, int> kWeights = {{5, 1}, {6, 2}, {7, 3}, {8, 7}, {9, 12}};
constexpr double kSum = 25;

/// Turns and loads: each server within 1 % of its exact share.
class ExactSpread : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Schedulers, ExactSpread, testing::Values("WRR", "WLC", "SED", "NQ"));

TEST_P(ExactSpread, IsWithinOnePercent) {
  Node node("a");
  node.publish(shop(GetParam(), kWeights));
  for (const auto& [weight, count] : spread(node)) {
    const double exact = kFlows * weight / kSum;
    EXPECT_NEAR(count, exact, exact * 0.01) << weight;
  }
}

/// Hashes and chance: within 1 % of all flows. (Of 100,000 throws, a share of 12 in 25 lies within
/// 0.5 % in 999 of 1,000 cases.)
class DrawnSpread : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Schedulers, DrawnSpread, testing::Values("MH", "SH", "RANDOM", "TWOS"));

TEST_P(DrawnSpread, IsWithinOnePercentOfAll) {
  Node node("a");
  const bool has_ring = GetParam() == std::string("MH");
  node.publish(shop(GetParam(), kWeights, has_ring ? "hash_with_port: true ring_size: 65537" : ""));
  for (const auto& [weight, count] : spread(node)) {
    EXPECT_NEAR(count, kFlows * weight / kSum, kFlows * 0.01) << weight;
  }
}

/// Another history, other slots: the same ring, byte by byte, of the same servers.
TEST(TwoNodes, HaveTheSameRings) {
  Node one("a"), other("b");
  one.publish(shop("MH", kWeights));
  other.publish(shop("WLC", {{40, 1}, {9, 12}, {41, 5}}));
  other.publish(shop("MH", {{40, 1}, {9, 12}, {8, 7}, {41, 9}}));
  other.publish(shop("MH", kWeights));
  const tables::Ring* left = one.view().ring(one.pool().ring);
  const tables::Ring* right = other.view().ring(other.pool().ring);
  ASSERT_NE(left, nullptr);
  ASSERT_NE(right, nullptr);
  ASSERT_EQ(left->size, right->size);
  EXPECT_EQ(std::memcmp(left->entries(), right->entries(), left->size * sizeof(uint16_t)), 0);
  ASSERT_EQ(one.pool().member_count, other.pool().member_count);
  bool other_slots = false;
  for (uint32_t i = 0; i < one.pool().member_count; ++i) {
    const tables::Member& here = one.pool().members()[i];
    const tables::Member& there = other.pool().members()[i];
    EXPECT_EQ(here.address, there.address);
    EXPECT_EQ(here.weight, there.weight);
    other_slots |= here.server != there.server;
  }
  EXPECT_TRUE(other_slots);
}

/// And so they send each client to the same server.
TEST(TwoNodes, AgreeOnEveryClient) {
  Node one("a"), other("b");
  one.publish(shop("SH", kWeights));
  other.publish(shop("SH", {{40, 1}, {9, 12}}));
  other.publish(shop("SH", kWeights));
  admit::Scheduling here(one.region().header().sizes, 0, 1, {one.region().servers_of(0)});
  admit::Scheduling there(other.region().header().sizes, 1, 2, {other.region().servers_of(1)});
  std::mt19937 random(7);
  for (int i = 0; i < 10000; ++i) {
    const admit::Client client{net::Address::v4(static_cast<uint32_t>(random())), 80};
    EXPECT_EQ(here.pick(one.view(), one.service(), one.pool(), client)->address,
              there.pick(other.view(), other.service(), other.pool(), client)->address);
  }
}

}  // namespace
}  // namespace nezu::publish
