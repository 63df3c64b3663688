#include "dataplane/forward/pieces.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::forward {
namespace {

constexpr uint8_t kEndOfOptions = 0, kNoOption = 1, kCopied = 0x80;

/// Calls `keep` for each option that all fragments have (RFC 791 3.1: the copied flag). The parser
/// has not looked at them: a length that makes no sense ends the list.
template <typename Keep>
void each_copied(std::span<const uint8_t> options, Keep keep) {
  for (size_t at = 0; at < options.size() && options[at] != kEndOfOptions;) {
    size_t length = 1;
    if (options[at] != kNoOption) {
      if (at + 1 >= options.size() || options[at + 1] < 2) return;
      length = options[at + 1];
      if (at + length > options.size()) return;
      if ((options[at] & kCopied) != 0) keep(options.subspan(at, length));
    }
    at += length;
  }
}

}  // namespace

Pieces::Pieces(const net::Packet& packet, uint16_t longest) : packet_(packet) {
  const net::Ipv4& ip = *packet.at<net::Ipv4>(packet.l3);
  header_length_ = ip.header_length();
  later_length_ = sizeof(net::Ipv4);
  each_copied({packet.head + packet.l3 + sizeof(net::Ipv4), header_length_ - sizeof(net::Ipv4)},
              [this](std::span<const uint8_t> option) {
                later_length_ += static_cast<uint32_t>(option.size());
              });
  later_length_ = (later_length_ + 3) & ~3u;
  payload_ = packet.ip_length - header_length_;
  if (longest < header_length_ + 8u || payload_ == 0) return;
  unit_ = (longest - header_length_) & ~7u;
  const uint32_t count = (payload_ + unit_ - 1) / unit_;
  const uint32_t end = (ip.fragment & net::Ipv4::kOffset) * 8u + payload_;
  if (count <= kMost && end <= 0xffff) count_ = count;
}

Pieces::Piece Pieces::piece(uint32_t number) {
  const uint32_t header = number == 0 ? header_length_ : later_length_;
  const uint32_t from = number * unit_;
  const bool last = number + 1 == count_;
  const uint32_t length = last ? payload_ - from : unit_;
  std::memcpy(headers_.data(), packet_.head, packet_.l3 + header_length_);
  if (number != 0) write_later_header();
  auto& ip = *reinterpret_cast<net::Ipv4*>(headers_.data() + packet_.l3);
  const uint16_t field = packet_.at<net::Ipv4>(packet_.l3)->fragment;
  const uint32_t offset = (field & net::Ipv4::kOffset) + from / 8;
  const uint16_t more = last ? field & net::Ipv4::kMoreFragments : net::Ipv4::kMoreFragments;
  ip.version_length = static_cast<uint8_t>(0x40 | header / 4);
  ip.total_length = static_cast<uint16_t>(header + length);
  ip.fragment = static_cast<uint16_t>(offset | more);
  ip.checksum = 0;
  const uint16_t sum = static_cast<uint16_t>(~net::fold(net::add(0, &ip, header)));
  net::store(headers_.data() + packet_.l3 + offsetof(net::Ipv4, checksum), sum);
  return {{headers_.data(), packet_.l3 + header}, packet_.l3 + header_length_ + from, length};
}

void Pieces::write_later_header() {
  uint8_t* to = headers_.data() + packet_.l3 + sizeof(net::Ipv4);
  std::fill_n(to, later_length_ - sizeof(net::Ipv4), kEndOfOptions);
  each_copied(
      {packet_.head + packet_.l3 + sizeof(net::Ipv4), header_length_ - sizeof(net::Ipv4)},
      [&to](std::span<const uint8_t> option) { to = std::copy(option.begin(), option.end(), to); });
}

}  // namespace nezu::forward
