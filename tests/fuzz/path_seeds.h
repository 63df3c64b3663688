// How seeds of the targets `path` and `replay` are written.
#pragma once

#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/dsl/dsl.h"

namespace nezu::fuzz {

inline constexpr uint8_t kServers = 1, kOther = 2, kLater = 4, kSame = 8, kBridged = 16;

struct Step {
  uint8_t flags;
  dsl::Frame frame;
};

/// The same as a classic pcap: an odd microsecond says the servers' port.
inline void write_pcap(const std::filesystem::path& file, const std::vector<Step>& steps) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  const auto put = [&stream](uint32_t value) {
    stream.write(reinterpret_cast<const char*>(&value), sizeof value);
  };
  for (const uint32_t word : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) put(word);
  uint32_t seconds = 1'700'000'000;
  for (const auto& [flags, frame] : steps) {
    if ((flags & kLater) != 0) ++seconds;
    const auto size = static_cast<uint32_t>(frame.size());
    for (const uint32_t word : {seconds, uint32_t{(flags & kServers) != 0}, size, size}) put(word);
    stream.write(reinterpret_cast<const char*>(frame.bytes().data()), size);
  }
}

inline void write(const std::filesystem::path& file, const std::vector<Step>& steps) {
  constexpr size_t kMostInCapture = 40;
  const bool bridged = !steps.empty() && (steps[0].flags & kBridged) != 0;
  if (steps.size() <= kMostInCapture && !bridged) {
    write_pcap(file.parent_path().parent_path() / "replay" / (file.filename().string() + ".pcap"),
               steps);
  }
  std::filesystem::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  for (const auto& [flags, frame] : steps) {
    const auto size = frame.size();
    const char head[] = {static_cast<char>(flags), static_cast<char>(size >> 8),
                         static_cast<char>(size)};
    stream.write(head, sizeof head);
    stream.write(reinterpret_cast<const char*>(frame.bytes().data()),
                 static_cast<std::streamsize>(size));
  }
}

inline const auto kTo = dsl::ipv4("198.51.100.7", "203.0.113.10");
inline const auto kFrom = dsl::ipv4("10.0.1.5", "198.51.100.7");
inline const auto kTo6 = dsl::ipv6("2001:db8:c::7", "2001:db8::10");
inline const auto kFrom6 = dsl::ipv6("fd00:1::5", "2001:db8:c::7");

/// cookie_seeds.cc
void write_cookie_seeds(const std::filesystem::path& corpus);
/// bridge_seeds.cc
void write_bridge_seeds(const std::filesystem::path& corpus);

}  // namespace nezu::fuzz
