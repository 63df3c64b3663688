// Any frame that the parser lets through into every rewrite and reply: nothing out of bounds, and
// each sum that a rewrite touches is as right, or as wrong by the same amount, as it was before.
//
// Input: 36 bytes of translation (two endpoints of 16 + 2), one byte of room behind the frame, then
// the frame.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "dataplane/forward/full_nat.h"
#include "dataplane/forward/icmp_error.h"
#include "dataplane/forward/nat.h"
#include "dataplane/forward/reply.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/text.h"
#include "dataplane/parse/parse.h"
#include "tests/fuzz/parsed.h"

namespace {

using namespace nezu;
using namespace nezu::net;

/// A frame in a buffer of exactly its size and room.
struct Buffer {
  std::vector<uint8_t> bytes;
  Packet packet;

  Buffer(const uint8_t* frame, size_t length, size_t room) : bytes(length + room) {
    if (length != 0) std::memcpy(bytes.data(), frame, length);
    fuzz::repair_ipv4_sum({bytes.data(), length});
    packet.arrive(bytes.data(), nullptr, static_cast<uint32_t>(length),
                  static_cast<uint32_t>(length), static_cast<uint32_t>(bytes.size()), 0);
    parse::parse(packet);
  }
};

/// The sums of a packet, complete: 0xffff where right. -0 and 0 are one number.
struct Sums {
  uint32_t header = 0, transport = 0, inner_header = 0;
  bool operator==(const Sums&) const = default;
};
uint32_t number(Sum sum) { return fold(sum) % 0xffff; }

uint32_t transport_sum(Packet& p) {
  const uint32_t length = p.ip_length - (p.l4 - p.l3);
  if (p.protocol == Protocol::udp && p.at<Udp>(p.l4)->checksum.raw() == 0) return 0;
  Sum pseudo = 0;
  if (p.family == Family::ipv6) {
    pseudo = pseudo_header(p.head + p.l3 + offsetof(Ipv6, source), 32,
                           static_cast<uint8_t>(p.protocol), length);
  } else if (p.protocol != Protocol::icmp) {
    pseudo = pseudo_header(p.head + p.l3 + offsetof(Ipv4, source), 8,
                           static_cast<uint8_t>(p.protocol), length);
  }
  return number(add(pseudo, p.head + p.l4, length));
}

Sums sums_of(Packet& p) {
  Sums sums;
  if (p.family == Family::ipv4)
    sums.header = number(add(0, p.head + p.l3, p.at<Ipv4>(p.l3)->header_length()));
  if (p.shape == Shape::transport || p.shape == Shape::icmp_error)
    sums.transport = transport_sum(p);
  if (p.shape == Shape::icmp_error && p.family == Family::ipv4) {
    sums.inner_header =
        number(add(0, p.head + p.inner_l3, p.at<Ipv4>(p.inner_l3)->header_length()));
  }
  return sums;
}

void require(bool good, const char* what, const Buffer& before, const Buffer& after) {
  if (good) return;
  std::fprintf(stderr, "%s\nbefore %s\nafter  %s\n", what, describe(before.bytes).c_str(),
               describe(after.bytes).c_str());
  std::abort();
}

forward::Translation4 narrow(const forward::Translation6& wide) {
  const auto endpoint = [](const Endpoint6& from) {
    return Endpoint4{load<uint32_t>(from.address.data()), from.port};
  };
  return {endpoint(wide.source), endpoint(wide.destination)};
}

using Rewrite = bool (*)(Packet&, const forward::Translation6&);
constexpr Rewrite kRewrites[] = {
    [](Packet& p, const forward::Translation6& to) {
      return p.family == Family::ipv4 ? forward::full_nat(p, narrow(to)) : forward::full_nat(p, to);
    },
    [](Packet& p, const forward::Translation6& to) {
      return p.family == Family::ipv4 ? forward::nat_to_server(p, narrow(to).destination)
                                      : forward::nat_to_server(p, to.destination);
    },
    [](Packet& p, const forward::Translation6& to) {
      return p.family == Family::ipv4 ? forward::nat_to_client(p, narrow(to).source)
                                      : forward::nat_to_client(p, to.source);
    },
};

using Reply = bool (*)(Packet&, const Address&);
constexpr Reply kReplies[] = {
    [](Packet& p, const Address&) { return forward::reply_reset(p); },
    [](Packet& p, const Address&) { return forward::reply_echo(p); },
    [](Packet& p, const Address&) { return forward::reply_unreachable(p); },
    [](Packet& p, const Address&) { return forward::reply_prohibited(p); },
    [](Packet& p, const Address& us) { return forward::reply_time_exceeded(p, us); },
    [](Packet& p, const Address& us) { return forward::reply_too_big(p, us, 1280); },
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr size_t kParameters = 37;
  if (size < kParameters) return 0;
  forward::Translation6 to;
  std::memcpy(to.source.address.data(), bytes, 16);
  to.source.port = load<uint16_t>(bytes + 16);
  std::memcpy(to.destination.address.data(), bytes + 18, 16);
  to.destination.port = load<uint16_t>(bytes + 34);
  const size_t room = bytes[36];
  const uint8_t* frame = bytes + kParameters;
  const size_t length = std::min<size_t>(size - kParameters, 0xffff);

  const Buffer plain(frame, length, room);
  if (plain.packet.verdict != Verdict::undecided) return 0;
  const Shape shape = plain.packet.shape;

  if (shape == Shape::icmp_error) {
    Buffer edited(frame, length, room);
    const Sums before = sums_of(edited.packet);
    const bool passed = edited.packet.family == Family::ipv4
                            ? forward::icmp_error(edited.packet, narrow(to))
                            : forward::icmp_error(edited.packet, to);
    require(!passed || sums_of(edited.packet) == before, "an ICMP error's sums", plain, edited);
  }
  if (shape == Shape::transport || shape == Shape::fragment) {
    for (const Rewrite rewrite : kRewrites) {
      Buffer edited(frame, length, room);
      const Sums before = sums_of(edited.packet);
      const bool passed = rewrite(edited.packet, to);
      // Ports and addresses may now be such that the parser would refuse them; sums must hold.
      require(!passed || sums_of(edited.packet) == before, "a rewrite's sums", plain, edited);
    }
  }
  if (shape == Shape::other) return 0;
  const Address us = plain.packet.family == Family::ipv4
                         ? Address::v4_raw(narrow(to).source.address)
                         : Address{to.source.address};
  for (const Reply reply : kReplies) {
    Buffer answer(frame, length, room);
    if (!reply(answer.packet, us)) {
      require(answer.bytes == plain.bytes, "a reply that was refused changed something", plain,
              answer);
      continue;
    }
    Packet& p = answer.packet;
    require(
        p.verdict == Verdict::reply && p.length == p.head_length && p.length <= answer.bytes.size(),
        "a reply's length", plain, answer);
    const bool echo = reply == kReplies[1];
    const Sums sums = sums_of(p);
    require(echo || (sums.header == 0 && sums.transport == 0), "a reply's sums", plain, answer);
  }
  return 0;
}
