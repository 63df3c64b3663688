// Files of packets: what is written can be read, by us and by tcpdump; what is wrong is told.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/captures/capture_file.h"
#include "tools/captures/packet_origins.h"
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

std::string origins_of(const std::string& contents) {
  PacketOrigins origins(std::make_unique<std::istringstream>(contents));
  std::string all;
  while (const auto origin = origins.next()) {
    all += origin->interface + " " + std::to_string(static_cast<int>(origin->direction)) + ";";
  }
  return all;
}

/// As a machine of the other byte order would have written it.
std::string swapped(std::string contents) {
  const auto swap = [&contents](size_t at, size_t size) {
    std::reverse(contents.begin() + static_cast<ptrdiff_t>(at),
                 contents.begin() + static_cast<ptrdiff_t>(at + size));
  };
  for (size_t at = 0; at < contents.size();) {
    uint32_t type = 0, length = 0;
    std::memcpy(&type, &contents[at], 4);
    std::memcpy(&length, &contents[at + 4], 4);
    size_t options = at + 16;  // of an interface
    if (type == 0x0A0D0D0A) {
      swap(at + 8, 4);
      swap(at + 12, 2);
      swap(at + 14, 2);
      options = at + 24;
    } else if (type == 6) {
      uint32_t captured = 0;
      std::memcpy(&captured, &contents[at + 20], 4);
      options = at + 28 + (captured + 3) / 4 * 4;
      for (size_t i = 8; i < 28; i += 4) swap(at + i, 4);
    } else {
      swap(at + 8, 2);
      swap(at + 12, 4);
    }
    while (options < at + length - 4) {
      uint16_t code = 0, size = 0;
      std::memcpy(&code, &contents[options], 2);
      std::memcpy(&size, &contents[options + 2], 2);
      if (type == 6 && code == 2) swap(options + 4, 4);
      swap(options, 2);
      swap(options + 2, 2);
      options += 4 + (size + 3u) / 4 * 4;
    }
    swap(at, 4);
    swap(at + 4, 4);
    swap(at + length - 4, 4);
    at += length;
  }
  return contents;
}

TEST(Captures, WhereAPacketWasSeenIsTold) {
  const std::string contents = two_packets();
  EXPECT_EQ(origins_of(contents), "back 2;front 0;");
  EXPECT_EQ(origins_of(contents + contents), "back 2;front 0;back 2;front 0;") << "sections";
  std::string other = swapped(contents);
  EXPECT_EQ(origins_of(other), "back 2;front 0;");
  EXPECT_EQ(origins_of(other + contents), "back 2;front 0;back 2;front 0;");
  CaptureFile file = read(other);
  Recorded packet;
  EXPECT_TRUE(file.next(packet) && packet.when == kWhen) << "the test's own swapping is right";
}

TEST(Captures, WhereAPacketWasSeenIsNotKnownOfOthersAndBehindDamage) {
  const std::string contents = two_packets();
  EXPECT_EQ(origins_of(""), "");
  EXPECT_EQ(origins_of("This is a letter, not packets. It is longer than a head."), "");
  EXPECT_EQ(origins_of(contents.substr(8)), "");
  EXPECT_EQ(origins_of(contents.substr(0, contents.size() - 10)), "back 2;");
  for (size_t length = 0; length < contents.size(); ++length) {
    const std::string told = origins_of(contents.substr(0, length));
    EXPECT_TRUE(std::string("back 2;front 0;").starts_with(told)) << length;
  }
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
