// Reads a pcap or pcapng file of Ethernet frames, packet by packet, by libpcap.
//
// One thread at a time. What is wrong with the file is told as a sentence without its name: with
// the first packets of a file that is damaged further on, everything before the damage can be used.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

struct pcap;

namespace nezu::captures {

struct Recorded {
  uint64_t when = 0;               ///< ns since 1970
  uint32_t length = 0;             ///< of the frame, which may be longer than what was kept of it
  std::span<const uint8_t> bytes;  ///< until the next packet is read
};

class CaptureFile {
 public:
  /// "-" is the standard input. Check `error()` before anything else.
  static CaptureFile open(const std::string& path);
  /// Takes the stream over.
  static CaptureFile open(std::FILE* stream);

  /// False: there is no further packet, because the file ends or because it is damaged (`error`).
  bool next(Recorded& packet);
  /// Empty as long as nothing was wrong.
  const std::string& error() const { return error_; }
  uint64_t packets() const { return packets_; }

 private:
  explicit CaptureFile(std::string error) : error_(std::move(error)) {}
  explicit CaptureFile(pcap* file);
  struct Close {
    void operator()(pcap* file) const;
  };
  std::unique_ptr<pcap, Close> file_;
  std::string error_;
  uint64_t packets_ = 0;
};

}  // namespace nezu::captures
