// Any frame that the parser lets through gets the client's address put in, and other numbers:
// nothing out of bounds, what the parser made of it still holds, each sum is as right, or as wrong
// by the same amount, as it was before, and everything else is what it was.
//
// Input: 36 bytes of the caller's addresses, the numbers' changes and the MTU, one more, then the
// frame.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "dataplane/flow/splice.h"
#include "dataplane/forward/client_address.h"
#include "dataplane/forward/gap.h"
#include "dataplane/forward/numbers.h"
#include "dataplane/net/text.h"
#include "tests/fuzz/parsed.h"

namespace {

using namespace nezu;
using namespace nezu::net;

constexpr size_t kHeadroom = 64, kParameters = 37;

struct Buffer {
  std::vector<uint8_t> bytes;
  Packet packet;

  Buffer(const uint8_t* frame, size_t length) : bytes(kHeadroom + length) {
    if (length != 0) std::memcpy(bytes.data() + kHeadroom, frame, length);
    const std::span<uint8_t> all(bytes.data() + kHeadroom, length);
    fuzz::repair_ipv4_sum(all);
    packet.arrive(all.data(), nullptr, static_cast<uint32_t>(length), static_cast<uint32_t>(length),
                  static_cast<uint32_t>(length), 0);
    parse::parse(packet);
  }
};

uint32_t number(Sum sum) { return fold(sum) % 0xffff; }

/// Of the transport with its pseudo-header, complete: 0 where right.
uint32_t transport_sum(const Packet& p) {
  const uint32_t length = p.protocol == Protocol::udp ? uint32_t{p.at<Udp>(p.l4)->length}
                                                      : forward::transport_length(p);
  if (p.protocol == Protocol::udp && p.at<Udp>(p.l4)->checksum.raw() == 0) return 0;
  const bool v4 = p.family == Family::ipv4;
  const Sum pseudo =
      pseudo_header(p.head + p.l3 + (v4 ? offsetof(Ipv4, source) : offsetof(Ipv6, source)),
                    v4 ? 8 : 32, static_cast<uint8_t>(p.protocol), length);
  return number(add(pseudo, p.head + p.l4, length));
}

void require(bool good, const char* what, const Buffer& before, const Packet& after) {
  if (good) return;
  std::fprintf(stderr, "%s\nbefore %s\nafter  %s\n", what,
               describe(std::span(before.packet.head, before.packet.length)).c_str(),
               describe(std::span(after.head, after.length)).c_str());
  std::abort();
}

/// What leaves is what the parser would take, and no other.
void require_whole(const Buffer& before, Packet& after, uint32_t sum) {
  require(transport_sum(after) == sum, "a sum", before, after);
  Packet again;
  again.arrive(after.head, nullptr, after.head_length, after.length, after.room, 0);
  parse::parse(again);
  require(again.verdict == Verdict::undecided && again.shape == Shape::transport &&
              again.l3 == after.l3 && again.l4 == after.l4 && again.ip_length == after.ip_length,
          "what it was taken for", before, after);
}

/// The bytes behind the transport header.
std::span<const uint8_t> said(const Packet& p) {
  const uint32_t header =
      p.protocol == Protocol::tcp ? p.at<Tcp>(p.l4)->header_length() : uint32_t{sizeof(Udp)};
  return {p.head + p.l4 + header, p.head + p.l3 + p.ip_length};
}

bool ends_with(std::span<const uint8_t> all, std::span<const uint8_t> end, size_t more) {
  return all.size() == end.size() + more && std::equal(end.begin(), end.end(), all.begin() + more);
}

void option(const Buffer& plain, const uint8_t* frame, size_t length, const forward::Caller& caller,
            uint32_t mtu) {
  Buffer edited(frame, length);
  const bool put = forward::put_option(edited.packet, caller, mtu);
  if (put) require(edited.packet.ip_length <= mtu, "too long", plain, edited.packet);
  require_whole(plain, edited.packet, transport_sum(plain.packet));
  require(ends_with(said(edited.packet), said(plain.packet), 0), "what was said", plain,
          edited.packet);
}

void header(const Buffer& plain, const uint8_t* frame, size_t length, const forward::Caller& caller,
            uint32_t mtu) {
  Buffer edited(frame, length);
  const uint32_t bytes = forward::proxy_bytes(caller.family);
  if (plain.packet.protocol == Protocol::udp) {
    if (plain.packet.ip_length + bytes > 0xffff) return;
    forward::put_in_front(edited.packet, caller);
    require_whole(plain, edited.packet, transport_sum(plain.packet));
    return require(ends_with(said(edited.packet), said(plain.packet), bytes), "what was said",
                   plain, edited.packet);
  }
  forward::put_before_stream(edited.packet, caller, mtu);
  const bool cut = plain.packet.ip_length + bytes > mtu;
  require_whole(plain, edited.packet, cut ? 0 : transport_sum(plain.packet));
  require(cut ? said(edited.packet).size() == bytes
              : ends_with(said(edited.packet), said(plain.packet), bytes),
          "what was said", plain, edited.packet);
}

void numbers(const Buffer& plain, const uint8_t* frame, size_t length, const uint8_t* parameters) {
  Buffer edited(frame, length);
  flow::Change change;
  change.after = load<int16_t>(parameters);
  change.begin(flow::Change::Kind::text, load<uint32_t>(parameters + 2), parameters[6],
               parameters[7]);
  change.acknowledged = parameters[8] & 1;
  forward::renumber(edited.packet, change.sequence(plain.packet.at<Tcp>(plain.packet.l4)->sequence),
                    [&change](uint32_t n) { return change.acknowledgement(n); });
  require_whole(plain, edited.packet, transport_sum(plain.packet));
  require(ends_with(said(edited.packet), said(plain.packet), 0), "what was said", plain,
          edited.packet);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < kParameters) return 0;
  const uint8_t* frame = bytes + kParameters;
  const size_t length = std::min<size_t>(size - kParameters, 0xff00);
  const Buffer plain(frame, length);
  const Packet& p = plain.packet;
  if (p.verdict != Verdict::undecided) return 0;
  const uint32_t mtu = 68 + load<uint16_t>(bytes + 34) % 9000;
  if (p.shape == Shape::icmp_error) {
    Buffer edited(frame, length);
    forward::lower_told_mtu(edited.packet, 28);
    if (p.family == Family::ipv4 ? p.tuple4.protocol == Protocol::tcp
                                 : p.tuple6.protocol == Protocol::tcp) {
      forward::renumber_quoted(edited.packet, [](uint32_t n) { return n + 99; });
    }
    return 0;
  }
  const bool stream = p.protocol == Protocol::tcp;
  if (p.shape != Shape::transport || p.first_fragment || (!stream && p.protocol != Protocol::udp)) {
    return 0;
  }
  forward::Caller caller{p.family, p.protocol, {}, {}, 0, 0};
  std::memcpy(caller.client.data(), bytes, 16);
  std::memcpy(caller.service.data(), bytes + 16, 16);
  caller.client_port = load<uint16_t>(bytes + 32);
  if (stream) option(plain, frame, length, caller, mtu);
  header(plain, frame, length, caller, mtu);
  if (stream) numbers(plain, frame, length, bytes);
  return 0;
}
