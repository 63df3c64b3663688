// Who takes new flows, and with what weight.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "controlplane/compile/compile.h"

namespace nezu::compile {
namespace {

using std::chrono::milliseconds;

v1::Pool pool(const std::string& text) {
  v1::Pool parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed));
  return parsed;
}

tables::ServerIdentity web(uint32_t last) {
  return {net::Address::v4(0x0a000100 + last), net::Instance::standard, 80, net::Protocol::tcp, {}};
}

/// "1:3 2:0 3:failed": who, and weight or state.
std::string text_of(const PoolImage& image) {
  std::string text;
  for (const MemberImage& member : image.members) {
    const uint32_t last = member.identity.address.bytes[member.identity.address.bytes.size() - 1];
    text += (text.empty() ? "" : " ") + std::to_string(last) + ":" +
            (member.state == tables::ServerState::ready    ? std::to_string(member.weight)
             : member.state == tables::ServerState::failed ? "failed"
                                                           : "away");
  }
  return text;
}

constexpr char kFour[] = R"(
  name: "web" protocol: PROTOCOL_TCP
  servers { address: "10.0.1.1" port: 80 weight: 3 }
  servers { address: "10.0.1.2" port: 80 weight: 3 }
  servers { address: "10.0.1.3" port: 80 weight: 3 state: ADMIN_STATE_DISABLED }
  servers { address: "10.0.1.4" port: 80 weight: 3 backup: true }
)";

TEST(Members, BackupsWaitUntilNobodyElseIsReady) {
  EXPECT_EQ(text_of(compile_pool(pool(kFour), {})), "1:3 2:3 3:away 4:0");
  EXPECT_EQ(text_of(compile_pool(pool(kFour), {{{web(1), false}}, {}})), "1:failed 2:3 3:away 4:0");
  const PoolImage image = compile_pool(pool(kFour), {{{web(1), false}, {web(2), false}}, {}});
  EXPECT_EQ(text_of(image), "1:failed 2:failed 3:away 4:3");
  EXPECT_EQ(image.ready_count, 1u);
}

TEST(Members, APanicBelievesNoCheckButTheOperator) {
  v1::Pool four = pool(kFour);
  four.mutable_servers(3)->set_backup(false);
  four.set_panic_percent(50);
  const Verdicts one_failed{{web(1), false}};
  EXPECT_EQ(text_of(compile_pool(four, {one_failed, {}})), "1:failed 2:3 3:away 4:3");
  const Verdicts two_failed{{web(1), false}, {web(2), false}};
  const PoolImage image = compile_pool(four, {two_failed, {}});
  EXPECT_TRUE(image.panics);
  EXPECT_EQ(text_of(image), "1:3 2:3 3:away 4:3");
  four.set_panic_percent(33);
  EXPECT_EQ(text_of(compile_pool(four, {two_failed, {}})), "1:failed 2:failed 3:away 4:3");
}

TEST(Members, AReadyBackupIsBetterThanPanic) {
  v1::Pool four = pool(kFour);
  four.set_panic_percent(100);
  const Verdicts all_failed{{web(1), false}, {web(2), false}};
  EXPECT_EQ(text_of(compile_pool(four, {all_failed, {}})), "1:failed 2:failed 3:away 4:3");
  const Verdicts even_that{{web(1), false}, {web(2), false}, {web(4), false}};
  EXPECT_EQ(text_of(compile_pool(four, {even_that, {}})), "1:3 2:3 3:away 4:failed");
}

TEST(Members, ASlowStartGrowsToTheWholeWeight) {
  v1::Pool two = pool(kFour);
  two.mutable_servers()->DeleteSubrange(2, 2);
  two.set_slow_start_s(64);
  const auto after = [&](int seconds) {
    return text_of(compile_pool(two, {{}, {{web(2), milliseconds(1000 * seconds)}}}));
  };
  EXPECT_EQ(after(0), "1:192 2:3");
  EXPECT_EQ(after(16), "1:192 2:48");
  EXPECT_EQ(after(63), "1:192 2:189");
  EXPECT_EQ(after(64), "1:3 2:3");
  EXPECT_EQ(text_of(compile_pool(two, {})), "1:3 2:3");
}

TEST(Members, ASlowStartMakesOrdersLookAtWeights) {
  v1::Pool two = pool(kFour);
  two.mutable_servers()->DeleteSubrange(2, 2);
  two.set_slow_start_s(64);
  two.set_scheduler(v1::SCHEDULER_RR);
  const PoolImage image = compile_pool(two, {{}, {{web(2), milliseconds(32000)}}});
  EXPECT_EQ(image.scheduler, tables::Scheduler::wrr);
  EXPECT_EQ(text_of(image), "1:64 2:32");  // the configured weights are not asked by rr
  two.set_scheduler(v1::SCHEDULER_LC);
  EXPECT_EQ(compile_pool(two, {{}, {{web(2), milliseconds(32000)}}}).scheduler,
            tables::Scheduler::wlc);
  EXPECT_EQ(compile_pool(two, {}).scheduler, tables::Scheduler::lc);
}

TEST(Members, ThresholdsHaveALowerOne) {
  v1::Pool four = pool(kFour);
  four.mutable_servers(0)->set_max_flows(100);
  four.mutable_servers(1)->set_max_flows(1);
  four.mutable_servers(3)->set_max_flows(10);
  four.mutable_servers(3)->set_resume_flows(9);
  const PoolImage image = compile_pool(four, {});
  EXPECT_EQ(image.members[0].resume_flows, 75u);
  EXPECT_EQ(image.members[1].resume_flows, 1u);
  EXPECT_EQ(image.members[2].max_flows, 0u);
  EXPECT_EQ(image.members[3].resume_flows, 9u);
}

TEST(Members, DestinationHashIsSourceHashOfTheOtherEnd) {
  v1::Pool four = pool(kFour);
  four.set_scheduler(v1::SCHEDULER_DH);
  const PoolImage image = compile_pool(four, {});
  EXPECT_EQ(image.scheduler, tables::Scheduler::sh);
  EXPECT_TRUE(image.hash_destination);
  EXPECT_TRUE(image.has_ring);
}

}  // namespace
}  // namespace nezu::compile
