// Kills a writer before each of its stores into the region, takes over, and audits.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "dataplane/tables/reader.h"
#include "dataplane/tables/shared_store.h"
#include "tests/unit/tables/scenario.h"
#include "tests/unit/tables/script.h"

namespace nezu::tables {
namespace {

constexpr int kKilled = 77, kDone = 0, kRefused = 1;
uint64_t stores_left;

void die_at_last() {
  if (stores_left-- == 0) _exit(kKilled);
}

/// A process that attaches as the writer, carries out one step, and dies before the store of that
/// number, counted from its first.
int run_writer(const Region& region, uint64_t revision, uint64_t fatal_store) {
  const pid_t child = fork();
  if (child == 0) {
    stores_left = fatal_store;
    store_hook = die_at_last;
    const auto writer = Writer::attach(region, nullptr);
    _exit(writer && step(*writer, revision) == Commit::published ? kDone : kRefused);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class Memory {
 public:
  explicit Memory(const Region& region)
      : region_(region), bytes_(region.base(), region.base() + region.bytes()) {}
  void put_back() const { std::memcpy(region_.base(), bytes_.data(), bytes_.size()); }

 private:
  const Region& region_;
  std::vector<uint8_t> bytes_;
};

class CrashTest : public testing::Test {
 protected:
  void SetUp() override {
    region_ = Region::in_memory(script_sizes()).region;
    ASSERT_NE(region_, nullptr);
  }
  View live() const { return View(region_->base(), region_->root(), region_->header().hash_seed); }

  void do_steps(uint64_t first, uint64_t last) {
    const auto writer = Writer::attach(*region_, nullptr);
    ASSERT_NE(writer, nullptr);
    for (uint64_t revision = first; revision <= last; ++revision) {
      ASSERT_EQ(step(*writer, revision), Commit::published) << revision;
    }
  }

  /// What must hold after a writer died in step `revision`; `held` is a view from before it.
  void audit(uint64_t revision, Reader& reader, const View& held) {
    ASSERT_EQ(fault_of(live()), "");
    const uint64_t reached = live().is_ready() ? live().root()->revision : 0;
    ASSERT_TRUE(reached == revision - 1 || reached == revision) << reached;
    ASSERT_EQ(fault_of(held), "");
    std::string error;
    const auto writer = Writer::attach(*region_, &error);
    ASSERT_NE(writer, nullptr) << error;
    ASSERT_EQ(leak_of(*writer), "");
    for (uint64_t next = reached + 1; next <= revision + 2; ++next) {
      ASSERT_EQ(step(*writer, next), Commit::published);
      ASSERT_EQ(fault_of(live()), "");
    }
    ASSERT_EQ(fault_of(held), "");  // nothing that it reaches was reused
    reader.latest();
    writer->reclaim();
    ASSERT_EQ(writer->heap().retired_bytes(), 0u);
    ASSERT_EQ(leak_of(*writer), "");
  }

  std::unique_ptr<Region> region_;
};

TEST_F(CrashTest, AWriterKilledBeforeAnyStoreLeavesTheOldOrTheNewGenerationAndNoLeak) {
  uint64_t points = 0;
  // The first step, one that removes, one that moves keys, and those around them.
  for (const uint64_t revision : {1, 2, 14, 27, 28}) {
    SetUp();
    if (revision > 1) do_steps(1, revision - 1);
    const Memory before(*region_);
    int ended = kKilled;
    for (uint64_t fatal = 0; ended == kKilled; ++fatal) {
      before.put_back();
      const auto reader = Reader::attach(*region_, "worker 0");
      const View held = reader->latest();
      ended = run_writer(*region_, revision, fatal);
      ASSERT_TRUE(ended == kKilled || ended == kDone) << ended;
      ASSERT_NO_FATAL_FAILURE(audit(revision, *reader, held))
          << "step " << revision << ", store " << fatal;
      ++points;
    }
  }
  RecordProperty("points", std::to_string(points));
  EXPECT_GT(points, 500u);
}

TEST_F(CrashTest, AWriterKilledWhileItTakesOverLeavesWorkToTheNext) {
  do_steps(1, 20);
  ASSERT_EQ(run_writer(*region_, 21, 150), kKilled);
  const Memory before(*region_);
  int ended = kKilled;
  for (uint64_t fatal = 0; ended == kKilled && fatal < 20; ++fatal) {
    before.put_back();
    ended = run_writer(*region_, 21, fatal);
    ended = run_writer(*region_, 21, 1000'000);
    ASSERT_EQ(ended, kDone);
    ASSERT_EQ(fault_of(live()), "");
    ASSERT_EQ(leak_of(*Writer::attach(*region_, nullptr)), "");
    ended = kKilled;
  }
}

TEST_F(CrashTest, BetweenAnyTwoStoresTheLiveGenerationIsWhole) {
  EXPECT_EQ(look_between_stores(), "");
}

}  // namespace
}  // namespace nezu::tables
