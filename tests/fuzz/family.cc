// Any frame that the parser lets through into the other IP version, and back: nothing out of
// bounds, what comes out is a packet that the parser takes, and each sum is as right, or as wrong
// by the same amount, as it was before.
//
// Input: as of `forward`: 36 bytes of translation (two endpoints of 16 + 2), one byte (how much of
// the frame lies beyond its first segment), then the frame.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "dataplane/forward/family.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/text.h"
#include "dataplane/parse/parse.h"
#include "tests/fuzz/parsed.h"

namespace {

using namespace nezu;
using namespace nezu::net;

/// A frame with the room in front that a port gives, and 16 bytes behind.
struct Buffer {
  std::vector<uint8_t> bytes;
  Packet packet;

  Buffer(const uint8_t* frame, size_t length, size_t beyond)
      : bytes(forward::kFamilyHeadroom + length + 16) {
    uint8_t* at = bytes.data() + forward::kFamilyHeadroom;
    if (length != 0) std::memcpy(at, frame, length);
    fuzz::repair_ipv4_sum({at, length});
    packet.arrive(at, nullptr, static_cast<uint32_t>(length - beyond),
                  static_cast<uint32_t>(length), static_cast<uint32_t>(length - beyond + 16), 0);
    parse::parse(packet);
  }
};

void require(bool good, const char* what, const Packet& packet) {
  if (good) return;
  std::fprintf(stderr, "%s\n%s\n", what,
               describe({packet.head, packet.head + packet.head_length}).c_str());
  std::abort();
}

bool is_whole(const Packet& p) { return p.l3 + p.ip_length <= p.head_length; }

/// 0 where the transport checksum is right; -0 and 0 are one number.
uint32_t fault_of(const Packet& p) {
  uint32_t length = p.ip_length - (p.l4 - p.l3);
  if (p.protocol == Protocol::udp) {
    if (p.at<Udp>(p.l4)->checksum.raw() == 0) return 0;
    if (!p.first_fragment) length = p.at<Udp>(p.l4)->length;  // options lie behind it
  }
  const bool v4 = p.family == Family::ipv4;
  const size_t at = v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source);
  Sum pseudo = 0;
  if (p.protocol != Protocol::icmp) {
    pseudo =
        pseudo_header(p.head + p.l3 + at, v4 ? 8 : 32, static_cast<uint8_t>(p.protocol), length);
  }
  return fold(add(pseudo, p.head + p.l4, length)) % 0xffff;
}

bool translate(Packet& p, const forward::Translation6& to) {
  const bool error = p.shape == Shape::icmp_error;
  const forward::HopMtus mtus{to.source.port, to.destination.port};
  if (p.family == Family::ipv4) {
    return error ? forward::icmp_error_to_ipv6(p, to, to.source.address, mtus)
                 : forward::to_ipv6(p, to);
  }
  const auto endpoint = [](const Endpoint6& from) {
    return Endpoint4{load<uint32_t>(from.address.data()), from.port};
  };
  const forward::Translation4 narrow{endpoint(to.source), endpoint(to.destination)};
  return error ? forward::icmp_error_to_ipv4(p, narrow, narrow.source.address, mtus, 7)
               : forward::to_ipv4(p, narrow, 7);
}

void check(Packet& p, const forward::Translation6& to) {
  const bool summed = is_whole(p) && p.shape != Shape::fragment;
  const uint32_t fault = summed ? fault_of(p) : 0;
  // An inner checksum of which one byte is quoted cannot follow.
  const bool half = p.shape == Shape::icmp_error;
  const Shape shape = p.shape;
  const Family family = p.family;
  if (!translate(p, to)) {
    require(p.verdict == Verdict::drop && p.reason != Reason::none, "no reason", p);
    require(p.family == family, "changed and dropped", p);
    return;
  }
  require(p.family != family && p.head_length <= p.length, "not the other family", p);
  if (summed && !p.sum_l4) require(fault_of(p) == fault, "a transport sum", p);
  const Packet said = p;
  parse::parse(p);
  require(p.verdict == Verdict::undecided, "the parser does not take it", p);
  require(p.shape == shape && p.l3 == said.l3 && p.l4 == said.l4 && p.protocol == said.protocol &&
              p.ip_length == said.ip_length && p.family == said.family &&
              (half || p.fragment_header == said.fragment_header),
          "the parser sees it otherwise", p);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr size_t kParameters = 37;
  if (size < kParameters) return 0;
  forward::Translation6 to;
  std::memcpy(to.source.address.data(), bytes, 16);
  std::memcpy(to.destination.address.data(), bytes + 18, 16);
  // Addresses and ports that a flow may have, of either family.
  to.source.address[0] = 0x20 | (to.source.address[0] & 0x1f);
  to.destination.address[0] = 0x20 | (to.destination.address[0] & 0x1f);
  to.source.port = static_cast<uint16_t>(load<uint16_t>(bytes + 16) | 0x0600);
  to.destination.port = static_cast<uint16_t>(load<uint16_t>(bytes + 34) | 0x0600);
  const size_t length = std::min<size_t>(size - kParameters, 0xfff0);
  // Less than 128 contiguous bytes never come from a port.
  const size_t beyond = length > 128 ? std::min<size_t>(bytes[36], length - 128) : 0;

  Buffer buffer(bytes + kParameters, length, beyond);
  Packet& p = buffer.packet;
  if (p.verdict != Verdict::undecided) return 0;
  if (p.shape != Shape::transport && p.shape != Shape::fragment && p.shape != Shape::icmp_error) {
    return 0;
  }
  check(p, to);
  // Back: what has grown has used the room in front, so that it moves to where it was.
  if (p.verdict != Verdict::undecided) return 0;
  const std::vector<uint8_t> frame(p.head, p.head + p.head_length);
  Buffer back(frame.data(), frame.size(), 0);
  if (back.packet.verdict != Verdict::undecided) return 0;  // it went on in another segment
  check(back.packet, to);
  return 0;
}
