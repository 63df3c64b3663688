// Rules for SNAT ports: which ones, and when they come and go. A recorder stands where rte_flow
// would be, as no device of the machines that run this has rules; that one refuses is tried for
// real.
#include "dataplane/device/port_rules.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "dataplane/steer/steering.h"
#include "dataplane/tables/writer.h"

namespace nezu::device {
namespace {

TEST(PortRules, EachPortOfASliceHasOneRuleAndThatLeadsToItsOwner) {
  for (const uint16_t workers : {2, 3, 4, 6, 8, 32}) {
    for (const uint16_t number : {0, 1}) {
      const steer::Steering steering(workers, 7);
      const std::vector<PortRule> rules = rules_for(number, workers);
      EXPECT_LE(rules.size(), 512u);
      for (uint32_t port = tables::kSnatFirstPort; port < 65536; port += 7) {
        for (const net::Protocol protocol : {net::Protocol::tcp, net::Protocol::udp}) {
          uint32_t found = 0;
          for (const PortRule& rule : rules) {
            if (rule.protocol != protocol || (port & rule.mask) != rule.port) continue;
            ++found;
            const auto shard =
                static_cast<uint8_t>(tables::shard_of_snat_port(static_cast<uint16_t>(port)));
            ASSERT_EQ(receiver_of(number, rule.queue, workers), steering.owner(shard));
          }
          ASSERT_EQ(found, 1u) << "port " << port << ", " << workers << " workers";
        }
      }
    }
  }
  EXPECT_EQ(rules_for(0, 4).size(), 8u) << "two protocols, one rule for each worker";
}

/// Two ports of four workers: the first takes rules, up to `room`.
class PortRulesTest : public testing::Test {
 protected:
  PortRulesTest() : region_(tables::Region::in_memory({}).region) {
    std::string error;
    writer_ = tables::Writer::attach(*region_, &error);
    ports_[0].number = 0;
    ports_[0].device = 40;
    ports_[0].plan.takes_port_rules = true;
    ports_[1].number = 1;
    ports_[1].device = 41;
  }
  PortRules::Calls calls() {
    return {[this](uint16_t device, const net::Address&, const PortRule&) -> rte_flow* {
              EXPECT_EQ(device, 40);
              if (standing_.size() == room_) return nullptr;
              auto* rule = reinterpret_cast<rte_flow*>(++made_);
              standing_.insert(rule);
              return rule;
            },
            [this](uint16_t, rte_flow* rule) { EXPECT_EQ(standing_.erase(rule), 1u); }};
  }
  void put(uint32_t slot, const char* address, tables::AddressKind kind) {
    tables::LocalAddress local;
    local.id = tables::AddressId{slot};
    local.address = *net::parse_address(address);
    local.kind = kind;
    tables::Transaction change(*writer_);
    change.put(local);
    ASSERT_EQ(change.commit(++revision_), tables::Commit::published);
  }
  void remove(uint32_t slot) {
    tables::Transaction change(*writer_);
    change.remove(tables::AddressId{slot});
    ASSERT_EQ(change.commit(++revision_), tables::Commit::published);
  }
  /// Two seconds later.
  void follow(PortRules& rules) {
    now_ = net::after(now_, 2 * net::kNanosecondsPerSecond);
    for (int turn = 0; turn < 8; ++turn) rules.follow(writer_->view(), now_);
  }

  std::unique_ptr<tables::Region> region_;
  std::unique_ptr<tables::Writer> writer_;
  std::array<Port, 2> ports_;
  std::set<rte_flow*> standing_;
  size_t room_ = 1000;
  uintptr_t made_ = 0;
  uint64_t revision_ = 0;
  net::Instant now_;
};

TEST_F(PortRulesTest, SnatAddressesHaveThemWhileTheyAreThere) {
  put(0, "192.0.2.1", tables::AddressKind::vip);
  put(1, "192.0.2.2", tables::AddressKind::snat);
  put(2, "2001:db8::2", tables::AddressKind::snat);
  {
    PortRules rules(ports_, 4, calls());
    follow(rules);
    EXPECT_EQ(rules.count(0), 16u) << "two addresses, two protocols, four workers";
    EXPECT_EQ(rules.count(1), 0u) << "takes none";
    remove(1);
    follow(rules);
    EXPECT_EQ(rules.count(0), 8u);
    const uintptr_t made = made_;
    put(3, "192.0.2.3", tables::AddressKind::vip);
    follow(rules);
    EXPECT_EQ(made_, made) << "what stands is not made again";
  }
  EXPECT_TRUE(standing_.empty()) << "they end with the workers that they lead to";
}

TEST_F(PortRulesTest, MakingThemIsSpreadOverTurns) {
  put(0, "192.0.2.2", tables::AddressKind::snat);
  PortRules rules(ports_, 3, calls());
  rules.follow(writer_->view(), net::Instant{net::kNanosecondsPerSecond});
  EXPECT_GT(rules.count(0), 0u);
  EXPECT_LT(rules.count(0), 64u);
  for (int turn = 0; turn < 40; ++turn) {
    rules.follow(writer_->view(), net::Instant{net::kNanosecondsPerSecond});
  }
  EXPECT_EQ(rules.count(0), 512u);
}

TEST_F(PortRulesTest, AFullDeviceKeepsWhatItHasAndIsAskedAgainWhenAddressesChange) {
  room_ = 10;
  put(0, "192.0.2.2", tables::AddressKind::snat);
  put(1, "192.0.2.3", tables::AddressKind::snat);
  PortRules rules(ports_, 4, calls());
  follow(rules);
  EXPECT_TRUE(rules.is_refused(0));
  EXPECT_EQ(rules.count(0), 10u);
  remove(0);
  follow(rules);
  EXPECT_FALSE(rules.is_refused(0));
  EXPECT_EQ(rules.count(0), 8u);
}

}  // namespace
}  // namespace nezu::device
