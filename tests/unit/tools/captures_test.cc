// Files of packets: what is written can be read, by us and by tcpdump; what is wrong is told.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/captures/capture_file.h"
#include "tools/captures/pcapng.h"

namespace nezu::captures {
namespace {

const std::vector<uint8_t> kFrame(60, 0x5a);
constexpr uint64_t kWhen = 1'700'000'000'123'456'789;

std::string two_packets() {
  std::ostringstream stream;
  Pcapng file(stream, "a test");
  file.add_interface("front");
  file.add_interface("back");
  file.write({1, kWhen, 0, kFrame, Direction::out, "no_route: packet 7"});
  file.write({0, kWhen + 1, 1514, kFrame, Direction::unknown, ""});
  return stream.str();
}

CaptureFile read(std::string& contents) {
  return CaptureFile::open(::fmemopen(contents.data(), contents.size(), "rb"));
}

TEST(Captures, WhatIsWrittenIsRead) {
  std::string contents = two_packets();
  EXPECT_EQ(contents.size() % 4, 0u);
  CaptureFile file = read(contents);
  ASSERT_EQ(file.error(), "");
  Recorded packet;
  ASSERT_TRUE(file.next(packet)) << file.error();
  EXPECT_EQ(packet.when, kWhen);
  EXPECT_EQ(packet.length, 60u);
  EXPECT_TRUE(std::equal(packet.bytes.begin(), packet.bytes.end(), kFrame.begin(), kFrame.end()));
  ASSERT_TRUE(file.next(packet)) << file.error();
  EXPECT_EQ(packet.when, kWhen + 1);
  EXPECT_EQ(packet.length, 1514u);
  EXPECT_EQ(packet.bytes.size(), 60u);
  EXPECT_FALSE(file.next(packet));
  EXPECT_EQ(file.error(), "");
  EXPECT_EQ(file.packets(), 2u);
}

TEST(Captures, TcpdumpReadsThem) {
  char pattern[] = "/tmp/nezu-captures-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(pattern);
  std::ofstream(folder / "two.pcapng", std::ios::binary) << two_packets();
  const std::string command = "tcpdump -nn -e -r " + (folder / "two.pcapng").string() + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string said;
  char part[512];
  while (std::fgets(part, sizeof part, pipe) != nullptr) said += part;
  EXPECT_EQ(::pclose(pipe), 0) << said;
  EXPECT_NE(said.find("5a:5a:5a:5a:5a:5a > 5a:5a:5a:5a:5a:5a"), std::string::npos) << said;
  EXPECT_NE(said.find("length 1514"), std::string::npos) << said;
  std::filesystem::remove_all(folder);
}

TEST(Captures, WhatIsNoCaptureIsTold) {
  std::string text = "This is a letter, not packets. It is longer than a head.";
  EXPECT_NE(read(text).error().find("no pcap or pcapng file"), std::string::npos);
  EXPECT_NE(CaptureFile::open("/nowhere/x.pcap").error().find("No such file"), std::string::npos);
}

TEST(Captures, APacketThatIsCutOffEndsTheFile) {
  std::string contents = two_packets();
  contents.resize(contents.size() - 10);
  CaptureFile file = read(contents);
  Recorded packet;
  EXPECT_TRUE(file.next(packet));
  EXPECT_FALSE(file.next(packet));
  EXPECT_NE(file.error().find("damaged behind packet 1"), std::string::npos) << file.error();
  EXPECT_FALSE(file.next(packet));
}

/// Classic pcap, of another link type.
TEST(Captures, OtherLinkTypesAreRefusedByName) {
  const uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 113};
  std::string contents(reinterpret_cast<const char*>(head), sizeof head);
  EXPECT_NE(read(contents).error().find("LINUX_SLL, not Ethernet"), std::string::npos);
}

TEST(Captures, SegmentsThatWereNotCutYetAreRefused) {
  const uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1, 0, 0, 14, 70000};
  std::string contents(reinterpret_cast<const char*>(head), sizeof head);
  contents += std::string(14, 'x');
  CaptureFile file = read(contents);
  Recorded packet;
  EXPECT_FALSE(file.next(packet));
  EXPECT_NE(file.error().find("packet 1 is longer than 65535 bytes"), std::string::npos);
}

}  // namespace
}  // namespace nezu::captures
