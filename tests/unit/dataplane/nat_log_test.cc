// The NAT log: lines, bounds, and a disk that does not take them.
#include "dataplane/nat_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "dataplane/tables/region.h"

namespace nezu::dataplane {
namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}
size_t lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

class NatLogTest : public testing::Test {
 protected:
  NatLogTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nezu-natlog-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    options_.file = directory_ / "nat.log";
    record_.when = tables::boot_time().nanoseconds;
    record_.inside = *net::parse_address("10.0.1.5");
    record_.snat = *net::parse_address("203.0.113.1");
    record_.outside = *net::parse_address("2001:db8::7");
    record_.inside_port = 5353;
    record_.snat_port = 5001;
    record_.outside_port = 53;
    record_.protocol = net::Protocol::udp;
  }
  ~NatLogTest() override { std::filesystem::remove_all(directory_); }
  void push(NatLog& log, uint32_t count = 1) {
    for (uint32_t i = 0; i < count; ++i) EXPECT_TRUE(log.ring(0)->push(record_));
    log.ring(0)->publish();
  }

  std::filesystem::path directory_;
  NatLog::Options options_;
  tables::Header header_;
  path::NatRecord record_;
};

TEST_F(NatLogTest, OneLineForEachRecord) {
  {
    NatLog log(options_, 2, header_);
    log.keep(record_);
    log.start();
    push(log);
    record_.kind = path::NatRecord::Kind::close;
    push(log);
  }
  std::stringstream text(content(options_.file));
  std::string line;
  std::vector<std::string> all;
  while (std::getline(text, line)) all.push_back(line);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].substr(27), " start");
  const std::string flow = " udp 10.0.1.5:5353 203.0.113.1:5001 [2001:db8::7]:53";
  EXPECT_EQ(all[1].substr(27), " kept" + flow);
  EXPECT_EQ(all[2].substr(27), " open" + flow);
  EXPECT_EQ(all[3].substr(27), " close" + flow);
  EXPECT_EQ(all[2][4], '-');
  EXPECT_EQ(all[2][10], 'T');
  EXPECT_EQ(all[2][19], '.');
  EXPECT_EQ(all[2][26], 'Z');
  EXPECT_EQ(header_.nat_log_written.read(), 4u);
  EXPECT_EQ(header_.nat_log_lost.read(), 0u);
}

TEST_F(NatLogTest, ANewRunGoesOnBehindTheLast) {
  for (int i = 0; i < 3; ++i) NatLog(options_, 1, header_).start();
  EXPECT_EQ(lines(content(options_.file)), 3u);
}

TEST_F(NatLogTest, FilesAreBoundedInSizeAndNumber) {
  options_.bytes = 1000;
  options_.files = 3;
  {
    NatLog log(options_, 1, header_);
    for (int i = 0; i < 40; ++i) {
      push(log, 5);
      log.turn();
    }
    log.start();
  }
  size_t files = 0, all = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    ++files;
    EXPECT_LE(entry.file_size(), 1000u) << entry.path();
    all += lines(content(entry.path()));
  }
  EXPECT_EQ(files, 3u);
  EXPECT_GT(all, 20u);
  EXPECT_TRUE(std::filesystem::exists(directory_ / "nat.log.2"));
  EXPECT_EQ(header_.nat_log_written.read(), 201u);
}

TEST_F(NatLogTest, AFullDiskLosesRecordsAndSaysSo) {
  // A link to a device that takes nothing; then it is an ordinary file again.
  std::filesystem::create_symlink("/dev/full", options_.file);
  NatLog log(options_, 1, header_);
  push(log, 7);
  log.turn();
  EXPECT_EQ(header_.nat_log_written.read(), 0u);
  EXPECT_EQ(header_.nat_log_lost.read(), 8u);  // with the start
  std::filesystem::remove(options_.file);
  const timespec a_second{1, 100'000'000};
  nanosleep(&a_second, nullptr);
  push(log);
  log.turn();
  const std::string text = content(options_.file);
  EXPECT_EQ(lines(text), 2u) << text;
  EXPECT_NE(text.find(" lost 8\n"), std::string::npos) << text;
  EXPECT_EQ(header_.nat_log_lost.read(), 8u);
}

TEST_F(NatLogTest, NoFolderIsNoReasonToStop) {
  options_.file = directory_ / "missing" / "nat.log";
  NatLog log(options_, 1, header_);
  push(log, 3);
  EXPECT_TRUE(log.turn());
  EXPECT_FALSE(log.turn());
  EXPECT_EQ(header_.nat_log_lost.read(), 4u);
}

}  // namespace
}  // namespace nezu::dataplane
