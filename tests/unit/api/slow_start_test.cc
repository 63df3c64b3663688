// Whom slow start concerns, and for how long.
#include "controlplane/api/slow_start.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"

namespace nezu::api {
namespace {

using std::chrono::seconds;

constexpr char kPool[] = R"(
  pools { name: "web" slow_start_s: 30
          servers { address: "10.0.1.1" port: 80 }
          servers { address: "10.0.1.2" port: 80 state: ADMIN_STATE_DISABLED } })";

class SlowStartTest : public testing::Test {
 protected:
  void apply(v1::Configuration wanted) {
    config::normalise(wanted);
    config::Problems problems;
    const store::Edit edit = config::edit_to(model_, wanted, problems);
    slow_.note_change(edit, model_.apply(edit), now_);
  }
  static v1::Configuration configuration() {
    v1::Configuration parsed;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kPool, &parsed));
    return parsed;
  }
  static tables::ServerIdentity web(uint32_t last) {
    return {
        net::Address::v4(0x0a000100 + last), net::Instance::standard, 80, net::Protocol::tcp, {}};
  }
  /// Touched pools.
  size_t step() {
    compile::Touched touched;
    slow_.step(model_, now_, touched);
    return touched.pools.size();
  }

  config::Model model_;
  SlowStart slow_;
  SlowStart::Time now_{seconds(1000)};
};

TEST_F(SlowStartTest, ANewPoolBeginsAtOnce) {
  apply(configuration());
  EXPECT_TRUE(slow_.ages(now_).empty());
  EXPECT_EQ(step(), 0u);
}

TEST_F(SlowStartTest, AServerThatIsMadeReadyOrAddedHasAnAge) {
  apply(configuration());
  v1::Configuration next = configuration();
  next.mutable_pools(0)->mutable_servers(1)->set_state(v1::ADMIN_STATE_READY);
  v1::RealServer& third = *next.mutable_pools(0)->add_servers();
  third.set_address("10.0.1.3");
  third.set_port(80);
  apply(next);
  now_ += seconds(10);
  const compile::Ages ages = slow_.ages(now_);
  EXPECT_EQ(ages.size(), 2u);
  EXPECT_EQ(ages.at(web(2)), seconds(10));
  EXPECT_EQ(ages.at(web(3)), seconds(10));
}

TEST_F(SlowStartTest, AChangeOfSomethingElseIsNoBeginning) {
  apply(configuration());
  v1::Configuration next = configuration();
  next.mutable_pools(0)->mutable_servers(0)->set_weight(7);
  apply(next);
  EXPECT_TRUE(slow_.ages(now_).empty());
}

TEST_F(SlowStartTest, ARecoveryIsOneAndEndsByItself) {
  apply(configuration());
  slow_.note_recovery(model_, web(1), now_);
  slow_.note_recovery(model_, web(9), now_);  // in no pool
  EXPECT_EQ(slow_.ages(now_).size(), 1u);
  now_ += seconds(29);
  EXPECT_EQ(step(), 1u);
  EXPECT_EQ(slow_.ages(now_).size(), 1u);
  now_ += seconds(1);
  EXPECT_EQ(step(), 1u);  // the whole weight is a step, too
  EXPECT_TRUE(slow_.ages(now_).empty());
  EXPECT_EQ(step(), 0u);
}

}  // namespace
}  // namespace nezu::api
