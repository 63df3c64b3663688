#include "bench/generator/segment.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::generator {

using namespace net;

namespace {

constexpr uint32_t kLeastFrame = 60, kMark = 0x4e7a5443;  // "NzTC"
constexpr uint16_t kWindow = 65535;

void write_payload(uint8_t* to, const Segment& segment) {
  uint32_t at = 0;
  if (segment.is_first && segment.payload >= kWordsBytes) {
    store(to, kMark);
    store(to + 4, segment.words.connection);
    store(to + 8, segment.words.turn);
    store(to + 12, segment.words.server);
    at = kWordsBytes;
  }
  if (at < segment.payload) std::memcpy(to + at, filler().data(), segment.payload - at);
}

}  // namespace

uint32_t write_segment(uint8_t* to, uint32_t room, const Segment& segment, const Link& link) {
  // Ethernet and IP are a UDP flow's; what differs is written anew.
  const Headers headers = make_headers(segment.flow, link);
  const uint32_t end = headers.l4 + static_cast<uint32_t>(sizeof(Tcp)) + segment.payload;
  if (std::max(end, kLeastFrame) > room) return 0;
  std::memcpy(to, headers.bytes.data(), headers.l4);
  Tcp tcp{};
  tcp.source = segment.flow.source_port;
  tcp.destination = segment.flow.destination_port;
  tcp.sequence = segment.sequence;
  tcp.acknowledgement = segment.acknowledgement;
  tcp.offset = sizeof(Tcp) / 4 << 4;
  tcp.flags = segment.flags;
  tcp.window = kWindow;
  std::memcpy(to + headers.l4, &tcp, sizeof tcp);
  write_payload(to + headers.l4 + sizeof tcp, segment);
  size_t addresses = headers.l3 + offsetof(Ipv6, source);
  if (headers.is_v4) {
    Ipv4& ip = *reinterpret_cast<Ipv4*>(to + headers.l3);
    ip.protocol = static_cast<uint8_t>(Protocol::tcp);
    ip.total_length = static_cast<uint16_t>(end - headers.l3);
    ip.checksum.set_raw(checksum_of(add(0, &ip, sizeof ip)));
    addresses = headers.l3 + offsetof(Ipv4, source);
  } else {
    Ipv6& ip = *reinterpret_cast<Ipv6*>(to + headers.l3);
    ip.next = static_cast<uint8_t>(Protocol::tcp);
    ip.payload_length = static_cast<uint16_t>(end - headers.l4);
  }
  const Sum sum = pseudo_header(to + addresses, headers.is_v4 ? 8 : 32,
                                static_cast<uint8_t>(Protocol::tcp), end - headers.l4) +
                  add(0, to + headers.l4, end - headers.l4);
  reinterpret_cast<Tcp*>(to + headers.l4)->checksum.set_raw(checksum_of(sum));
  if (end >= kLeastFrame) return end;
  std::memset(to + end, 0, kLeastFrame - end);
  return kLeastFrame;
}

SeenSegment read_segment(std::span<const uint8_t> frame, const Reading& reading) {
  SeenSegment seen;
  Segment& segment = seen.segment;
  const auto& tcp = *reinterpret_cast<const Tcp*>(&frame[reading.l4]);
  segment.flow = tuple_of(frame, reading);
  segment.sequence = tcp.sequence;
  segment.acknowledgement = tcp.acknowledgement;
  segment.flags = tcp.flags;
  const uint32_t from = reading.l4 + std::max<uint32_t>(tcp.header_length(), sizeof(Tcp));
  if (from >= reading.end) return seen;
  segment.payload = static_cast<uint16_t>(reading.end - from);
  const uint8_t* payload = &frame[from];
  if (segment.payload < kWordsBytes || load<uint32_t>(payload) != kMark) return seen;
  seen.has_words = true;
  segment.words = {load<uint32_t>(payload + 4), load<uint32_t>(payload + 8),
                   load<uint32_t>(payload + 12)};
  return seen;
}

}  // namespace nezu::generator
