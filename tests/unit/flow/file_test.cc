// The named files: what is used in place, what is set aside, what is removed, and two crashes.
#include "dataplane/flow/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace nezu::flow {
namespace {

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nezu-files-XXXXXX").string();
    options_.directory = ::mkdtemp(name.data());
    options_.capacity = {64, 16};
    options_.workers = 2;
    options_.region_id = 7;
  }
  ~FilesTest() override { std::filesystem::remove_all(options_.directory); }

  size_t files() const {
    using Iterator = std::filesystem::directory_iterator;
    return static_cast<size_t>(std::distance(Iterator(options_.directory), Iterator()));
  }
  void mark(Files& files, uint16_t worker) { files.memory(worker)[100] = std::byte{42}; }
  bool is_marked(Files& files, uint16_t worker) {
    return files.memory(worker)[100] == std::byte{42};
  }
  Files::Options options_;
};

TEST_F(FilesTest, SameStartUsesThemInPlace) {
  {
    Files files;
    ASSERT_TRUE(files.open(options_)) << files.error();
    mark(files, 1);
    files.settle();
  }
  Files files;
  ASSERT_TRUE(files.open(options_));
  EXPECT_TRUE(is_marked(files, 1));
  EXPECT_TRUE(files.leftovers().empty());
}

TEST_F(FilesTest, OtherWorkersOrCapacitySetThemAsideUntilMoved) {
  for (const bool capacity : {false, true}) {
    {
      Files files;
      ASSERT_TRUE(files.open(options_));
      files.finish();
      files.settle();
    }
    if (capacity) {
      options_.capacity.narrow += 64;
    } else {
      options_.workers = 3;
    }
    {
      Files files;
      ASSERT_TRUE(files.open(options_));
      EXPECT_EQ(files.leftovers().size(), capacity ? 3u : 2u);
      files.settle();
    }  // killed before all had moved
    Files files;
    ASSERT_TRUE(files.open(options_));
    EXPECT_EQ(files.leftovers().size(), capacity ? 3u : 2u);
    files.finish();
    files.settle();
    EXPECT_EQ(this->files(), options_.workers);
  }
}

TEST_F(FilesTest, OtherBootOrLayoutOrRubbishIsRemoved) {
  {
    Files files;
    ASSERT_TRUE(files.open(options_));
    mark(files, 0);
  }
  std::ofstream(options_.directory + "/flows-9") << "rubbish";
  options_.boot_id[3] = 1;
  Files files;
  ASSERT_TRUE(files.open(options_));
  EXPECT_EQ(files.removed_files(), 3u);
  EXPECT_FALSE(is_marked(files, 0));
}

TEST_F(FilesTest, TwoCrashesSoonAfterTheStartLeaveTheFlowsOut) {
  for (int start = 0; start < 3; ++start) {
    Files files;
    ASSERT_TRUE(files.open(options_));
    EXPECT_EQ(files.started_empty(), start == 2);
    EXPECT_EQ(is_marked(files, 0), start == 1);
    mark(files, 0);
  }
}

TEST_F(FilesTest, CrashesAfterSettlingDoNotCount) {
  for (int start = 0; start < 5; ++start) {
    Files files;
    ASSERT_TRUE(files.open(options_));
    EXPECT_FALSE(files.started_empty());
    files.settle();
  }
}

TEST_F(FilesTest, NoRoomIsASentence) {
  options_.directory = "/proc/nezu";
  Files files;
  EXPECT_FALSE(files.open(options_));
  EXPECT_NE(files.error().find("/proc/nezu"), std::string::npos);
}

}  // namespace
}  // namespace nezu::flow
