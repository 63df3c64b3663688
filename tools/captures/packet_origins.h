// Where each packet of a pcapng file was seen: the name of the interface and the direction, which
// libpcap does not tell. Read beside a CaptureFile of the same contents.
//
// One thread at a time. Any bytes: what is no pcapng, or is damaged, tells nothing.
#pragma once

#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/captures/pcapng.h"

namespace nezu::captures {

struct Origin {
  std::string interface;  ///< empty: it has no name
  Direction direction = Direction::unknown;
};

class PacketOrigins {
 public:
  explicit PacketOrigins(std::unique_ptr<std::istream> stream) : stream_(std::move(stream)) {}

  /// Of the next packet; nothing: it is not known, nor is any behind it.
  std::optional<Origin> next();

 private:
  struct Block {
    uint32_t type = 0;
    std::string body;
  };
  bool read(Block& block);
  bool begin_section(Block& block, uint32_t length_as_read);
  std::optional<Origin> origin(uint32_t interface, Direction direction) const;
  uint32_t word(const std::string& body, size_t at) const;
  uint16_t half(const std::string& body, size_t at) const;
  /// Of the options from `at` on, the one with that code; nothing: it is not there.
  std::optional<std::string> option(const std::string& body, size_t at, uint16_t code) const;

  std::unique_ptr<std::istream> stream_;
  bool is_open_ = true;
  bool swapped_ = false;  ///< written by a machine of the other byte order
  bool in_section_ = false;
  std::vector<std::string> interfaces_;  ///< of the section
};

}  // namespace nezu::captures
