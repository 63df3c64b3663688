#include "dataplane/tables/region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dataplane/tables/reader.h"
#include "tests/unit/tables/script.h"

namespace nezu::tables {
namespace {

class RegionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = "/dev/shm/nezu-region-XXXXXX";
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    directory_ = made;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string ours() const { return directory_ + "/" + region_name(layout_hash()); }

  std::string directory_;
};

TEST_F(RegionTest, IsMadeOnceAndFoundAgainWithItsSizes) {
  Sizes sizes = script_sizes();
  uint64_t id = 0;
  {
    const auto made = Region::open_writer(directory_, sizes);
    ASSERT_NE(made.region, nullptr) << made.error;
    EXPECT_TRUE(made.created);
    EXPECT_EQ(made.region->path(), ours());
    EXPECT_EQ(static_cast<RegionState>(made.region->header().state.load()), RegionState::not_ready);
    id = made.region->header().region_id;
    ASSERT_EQ(step(*Writer::attach(*made.region, nullptr), 1), Commit::published);
  }
  sizes.services *= 2;
  const auto again = Region::open_writer(directory_, sizes);
  ASSERT_NE(again.region, nullptr) << again.error;
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.region->header().region_id, id);
  EXPECT_EQ(again.region->header().sizes.services, script_sizes().services);
  const auto reader = Region::open_reader(directory_);
  ASSERT_NE(reader.region, nullptr) << reader.error;
  const auto line = Reader::attach(*reader.region, "worker 0");
  EXPECT_EQ(line->latest().generation(), 1u);
  EXPECT_EQ(fault_of(line->latest()), "");
}

TEST_F(RegionTest, HasOneWriterAtATime) {
  const auto first = Region::open_writer(directory_, script_sizes());
  ASSERT_NE(first.region, nullptr) << first.error;
  const auto second = Region::open_writer(directory_, script_sizes());
  EXPECT_EQ(second.region, nullptr);
  EXPECT_NE(second.error.find("another control plane"), std::string::npos) << second.error;
}

TEST_F(RegionTest, OfAnotherLayoutIsNamedAndRefused) {
  const std::string other = directory_ + "/region-0123456789abcdef";
  std::ofstream(other) << "something";
  const auto opened = Region::open_reader(directory_);
  EXPECT_EQ(opened.region, nullptr);
  EXPECT_NE(opened.error.find(ours()), std::string::npos) << opened.error;
  EXPECT_NE(opened.error.find(other), std::string::npos) << opened.error;
  EXPECT_NE(opened.error.find("same version"), std::string::npos) << opened.error;
  // A writer makes its own beside it.
  const auto made = Region::open_writer(directory_, script_sizes());
  ASSERT_NE(made.region, nullptr) << made.error;
  EXPECT_EQ(find_regions(directory_).size(), 2u);
  // The name alone is not believed.
  const uint64_t hash = made.region->header().layout;
  made.region->header().layout = 1;
  EXPECT_NE(Region::open_reader(directory_).error.find("0000000000000001"), std::string::npos);
  made.region->header().layout = hash;
}

TEST_F(RegionTest, DamagedFilesAreRefusedWithWhatToDo) {
  std::ofstream(ours()) << "short";
  EXPECT_NE(Region::open_reader(directory_).error.find("too short"), std::string::npos);
  std::filesystem::resize_file(ours(), 1 << 20);
  EXPECT_NE(Region::open_reader(directory_).error.find("not a region"), std::string::npos);
  std::filesystem::remove(ours());
  { ASSERT_NE(Region::open_writer(directory_, script_sizes()).region, nullptr); }
  std::filesystem::resize_file(ours(), std::filesystem::file_size(ours()) + 4096);
  EXPECT_NE(Region::open_reader(directory_).error.find("not as long"), std::string::npos);
}

TEST_F(RegionTest, FromBeforeTheLastBootIsMadeAnew) {
  uint64_t id = 0;
  {
    const auto made = Region::open_writer(directory_, script_sizes());
    ASSERT_NE(made.region, nullptr) << made.error;
    id = made.region->header().region_id;
    made.region->header().boot_id[0] ^= 1;
  }
  EXPECT_NE(Region::open_reader(directory_).error.find("last boot"), std::string::npos);
  const auto again = Region::open_writer(directory_, script_sizes());
  ASSERT_NE(again.region, nullptr) << again.error;
  EXPECT_TRUE(again.created);
  EXPECT_NE(again.region->header().region_id, id);
}

TEST_F(RegionTest, ThatDoesNotFitIsRefusedAtOnceAndLeavesNothing) {
  Sizes sizes = script_sizes();
  sizes.heap_bytes = uint64_t{1} << 45;
  const auto opened = Region::open_writer(directory_, sizes);
  EXPECT_EQ(opened.region, nullptr);
  EXPECT_NE(opened.error.find("cannot reserve"), std::string::npos) << opened.error;
  EXPECT_TRUE(find_regions(directory_).empty());
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    files += entry.path().extension() != ".lock";
  }
  EXPECT_EQ(files, 0u);
}

TEST_F(RegionTest, AHalfMadeFileIsNoRegion) {
  std::ofstream(ours() + ".making") << "half";
  const auto opened = Region::open_writer(directory_, script_sizes());
  ASSERT_NE(opened.region, nullptr) << opened.error;
  EXPECT_FALSE(std::filesystem::exists(ours() + ".making"));
}

TEST_F(RegionTest, ADeadReaderHoldsNothingBackAndItsLineIsGivenAgain) {
  const auto opened = Region::open_writer(directory_, script_sizes());
  ASSERT_NE(opened.region, nullptr) << opened.error;
  const Region& region = *opened.region;
  const auto writer = Writer::attach(region, nullptr);
  ASSERT_EQ(step(*writer, 1), Commit::published);
  const pid_t child = fork();
  if (child == 0) {
    auto reader = Reader::attach(region, "worker 7");
    _exit(reader.release()->latest().is_ready() ? 0 : 1);  // without leaving
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(reader_positions(region).size(), 1u);
  EXPECT_EQ(reader_positions(region)[0].name, "worker 7");
  EXPECT_FALSE(reader_positions(region)[0].alive);
  ASSERT_EQ(step(*writer, 2), Commit::published);
  writer->reclaim();
  EXPECT_EQ(writer->heap().retired_bytes(), 0u);
  EXPECT_TRUE(reader_positions(region).empty());
}

TEST_F(RegionTest, AnotherProcessWithTheSamePidIsNotTheReader) {
  const uint64_t mine = process_mark(static_cast<uint32_t>(getpid()));
  EXPECT_TRUE(process_lives(mine));
  EXPECT_EQ(pid_of(mine), static_cast<uint32_t>(getpid()));
  EXPECT_FALSE(process_lives(mine + (uint64_t{1} << 24)));
  EXPECT_FALSE(process_lives(0));
}

TEST_F(RegionTest, AProcessThatNobodyHasWaitedForIsDead) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);  // stays defunct
  EXPECT_EQ(process_mark(static_cast<uint32_t>(child)), 0u);
  waitpid(child, nullptr, 0);
}

TEST_F(RegionTest, LinesRunOutAndComeBack) {
  const auto opened = Region::in_memory(script_sizes());
  std::vector<std::unique_ptr<Reader>> readers;
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    readers.push_back(Reader::attach(*opened.region, "worker"));
    ASSERT_NE(readers.back(), nullptr);
  }
  EXPECT_EQ(Reader::attach(*opened.region, "one too many"), nullptr);
  readers.pop_back();
  EXPECT_NE(Reader::attach(*opened.region, "the last"), nullptr);
}

TEST(HugePages, AreReservedWhenTheRegionIsMade) {
  const std::string mount = "/dev/hugepages";
  const std::string directory = mount + "/nezu-unit-" + std::to_string(getpid());
  std::error_code error;
  std::filesystem::create_directory(directory, error);
  Sizes sizes = script_sizes();
  sizes.heap_bytes = uint64_t{1} << 45;
  // Without hugetlbfs there the folder is ordinary or cannot be made: refused just the same.
  const auto opened = Region::open_writer(directory, sizes);
  EXPECT_EQ(opened.region, nullptr);
  EXPECT_NE(opened.error.find("cannot"), std::string::npos) << opened.error;
  std::filesystem::remove_all(directory, error);
}

}  // namespace
}  // namespace nezu::tables
