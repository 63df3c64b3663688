// Built once for each NEZU_MUTANT: a build of the sources that is wrong on purpose must be caught.
// A mutant that nothing catches fails its test.

#include <gtest/gtest.h>

#include <atomic>

#include "tests/unit/tables/scenario.h"

#if defined(__SANITIZE_THREAD__)
namespace {
std::atomic<int> races{0};
}
extern "C" void __tsan_on_report(void*) { ++races; }
// A race that was found is what these tests want.
extern "C" const char* __tsan_default_options() { return "exitcode=0:report_bugs=1"; }
#endif

namespace nezu::tables {
namespace {

#if NEZU_MUTANT == 1
TEST(Mutant, BlocksReusedOneGenerationTooEarly) {
  EXPECT_TRUE(hold_a_view().starts_with("held: ")) << hold_a_view();
}
#elif NEZU_MUTANT == 2
TEST(Mutant, SlotsReusedWhileFlowsCountOnThem) {
  EXPECT_EQ(keep_a_slot_with_flows(), "given again while a flow counts on it");
}
#elif NEZU_MUTANT == 4
TEST(Mutant, RootStoredBeforeWhatItShows) { EXPECT_EQ(look_between_stores(), "the root's layout"); }
#elif defined(__SANITIZE_THREAD__)
// Same instructions on this processor, so that only ThreadSanitizer can tell.
#if NEZU_MUTANT == 3
TEST(Mutant, RootStoredRelaxed) {
#elif NEZU_MUTANT == 5
TEST(Mutant, WriterReadsReportsRelaxed) {
#elif NEZU_MUTANT == 6
TEST(Mutant, ReaderReportsRelaxed) {
#endif
  for (int i = 0; i < 20 && races == 0; ++i) read_while_writing(100);
  EXPECT_GT(races, 0);
}
#endif

}  // namespace
}  // namespace nezu::tables
