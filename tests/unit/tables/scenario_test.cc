#include "tests/unit/tables/scenario.h"

#include <gtest/gtest.h>

namespace nezu::tables {
namespace {

TEST(Scenario, AHeldViewStaysWholeTheLaggardIsNamedAndAllComesFreeAfterIt) {
  EXPECT_EQ(hold_a_view(), "");
}
TEST(Scenario, ASlotIsGivenAgainOnlyWithoutFlowsReadersAndPackets) {
  EXPECT_EQ(keep_a_slot_with_flows(), "");
}
TEST(Scenario, ReadersNeverSeeATornGeneration) { EXPECT_EQ(read_while_writing(3000), ""); }

}  // namespace
}  // namespace nezu::tables
