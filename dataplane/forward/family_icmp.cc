// ICMP errors that change family, with the packet that they quote (RFC 7915 4.2, 4.3, 5.2, 5.3).
//
// They are rare and short: made anew in a buffer of their own.
#include <algorithm>
#include <cstring>
#include <optional>

#include "dataplane/forward/family.h"
#include "dataplane/forward/family_header.h"

namespace nezu::forward {

using namespace net;

namespace {

/// An IPv6 error is never longer (RFC 4443 2.4 c); an IPv4 one comes out below that by itself.
constexpr uint32_t kLongest = 1280;
/// RFC 4884 4: what is quoted in front of extensions.
constexpr uint32_t kLeastQuote = 128;

bool end(Packet& p, Reason reason) {
  p.drop(reason);
  return false;
}

/// Type, code and the four bytes behind the checksum.
struct Said {
  uint8_t type, code;
  uint32_t rest = 0;
};

/// RFC 7915 figures 3 and 6: by octet of the header; kNowhere: a field that the other has not.
constexpr uint8_t kNowhere = 255;
uint8_t pointer_in_ipv6(uint32_t at) {
  switch (at) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
    case 3:
      return offsetof(Ipv6, payload_length);
    case 8:
      return offsetof(Ipv6, hop_limit);
    case 9:
      return offsetof(Ipv6, next);
    default:
      if (at < 12 || at >= sizeof(Ipv4)) return kNowhere;
      return at < 16 ? offsetof(Ipv6, source) : offsetof(Ipv6, destination);
  }
}
uint8_t pointer_in_ipv4(uint32_t at) {
  switch (at) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 4:
    case 5:
      return offsetof(Ipv4, total_length);
    case 6:
      return offsetof(Ipv4, protocol);
    case 7:
      return offsetof(Ipv4, ttl);
    default:
      if (at < 8 || at >= sizeof(Ipv6)) return kNowhere;
      return at < 24 ? offsetof(Ipv4, source) : offsetof(Ipv4, destination);
  }
}

/// RFC 1191 7.1, for routers that do not say: the next common MTU below the packet's length.
uint32_t plateau_below(uint32_t total_length) {
  for (const uint32_t mtu : {32000u, 17914u, 8166u, 4352u, 2002u, 1492u}) {
    if (mtu < total_length) return mtu;
  }
  return kLongest;
}

uint32_t mtu_in_ipv6(const Icmp& icmp, const Ipv4& quoted, HopMtus mtus) {
  const uint32_t said = icmp.too_big.mtu;
  const uint32_t path = said != 0 ? said + kFamilyGrowth : plateau_below(quoted.total_length);
  return std::max(kLongest, std::min({path, uint32_t{mtus.ipv6}, mtus.ipv4 + kFamilyGrowth}));
}

std::optional<Said> unreachable_in_ipv6(const Icmp& icmp, const Ipv4& quoted, HopMtus mtus) {
  constexpr uint8_t kNoRoute = 0, kProhibited = 1;
  switch (icmp.code) {
    case 0:  // network, host, source route, isolated or unknown, for this type of service
    case 1:
    case 5:
    case 6:
    case 7:
    case 8:
    case 11:
    case 12:
      return Said{icmpv6::kUnreachable, kNoRoute};
    case 2:  // protocol
      return Said{icmpv6::kParameterProblem, 1, offsetof(Ipv6, next)};
    case icmp::kCodePort:
      return Said{icmpv6::kUnreachable, icmpv6::kCodePort};
    case icmp::kCodeTooBig:
      return Said{icmpv6::kTooBig, 0, mtu_in_ipv6(icmp, quoted, mtus)};
    case 9:  // prohibited in all ways
    case 10:
    case icmp::kCodeFiltered:
    case 15:
      return Said{icmpv6::kUnreachable, kProhibited};
    default:
      return std::nullopt;
  }
}

std::optional<Said> said_in_ipv6(const Icmp& icmp, const Ipv4& quoted, HopMtus mtus) {
  switch (icmp.type) {
    case icmp::kUnreachable:
      return unreachable_in_ipv6(icmp, quoted, mtus);
    case icmp::kTimeExceeded:
      return Said{icmpv6::kTimeExceeded, icmp.code};
    case icmp::kParameterProblem: {
      const uint8_t at = pointer_in_ipv6(icmp.rest >> 24);
      if ((icmp.code != 0 && icmp.code != 2) || at == kNowhere) return std::nullopt;
      return Said{icmpv6::kParameterProblem, 0, at};
    }
    default:
      return std::nullopt;
  }
}

std::optional<Said> said_in_ipv4(const Icmp& icmp, HopMtus mtus) {
  constexpr uint8_t kHost = 1, kProtocol = 2, kHostProhibited = 10;
  switch (icmp.type) {
    case icmpv6::kUnreachable:
      if (icmp.code == 0 || icmp.code == 2 || icmp.code == 3)
        return Said{icmp::kUnreachable, kHost};
      if (icmp.code == 1) return Said{icmp::kUnreachable, kHostProhibited};
      if (icmp.code == icmpv6::kCodePort) return Said{icmp::kUnreachable, icmp::kCodePort};
      return std::nullopt;
    case icmpv6::kTooBig: {
      const uint32_t said = std::max<uint32_t>(icmp.rest, sizeof(Ipv6));
      const uint32_t mtu = std::min({said - kFamilyGrowth, uint32_t{mtus.ipv4},
                                     uint32_t{mtus.ipv6} - kFamilyGrowth, uint32_t{0xffff}});
      return Said{icmp::kUnreachable, icmp::kCodeTooBig, mtu};
    }
    case icmpv6::kTimeExceeded:
      return Said{icmp::kTimeExceeded, icmp.code};
    case icmpv6::kParameterProblem: {
      if (icmp.code == 1) return Said{icmp::kUnreachable, kProtocol};
      const uint32_t pointer = icmp.rest;
      const uint8_t at = pointer_in_ipv4(pointer);
      if (icmp.code != 0 || at == kNowhere) return std::nullopt;
      return Said{icmp::kParameterProblem, 0, uint32_t{at} << 24};
    }
    default:
      return std::nullopt;
  }
}

/// An error being made: bytes of its IP packet, in order.
struct Draft {
  std::array<uint8_t, kLongest> bytes;  // NOLINT: filled up to `length`
  uint32_t length = 0;

  uint8_t* reserve(uint32_t size) {
    uint8_t* at = bytes.data() + length;
    length += size;
    return at;
  }
  /// As much as there is room for.
  void copy(const uint8_t* from, uint32_t size) {
    size = std::min(size, kLongest - length);
    std::memcpy(reserve(size), from, size);
  }
  void zeros(uint32_t size) {
    size = std::min(size, kLongest - length);
    std::memset(reserve(size), 0, size);
  }
};

/// What an error holds: the beginning of a packet, then extensions (RFC 4884), where there are any.
struct Body {
  const uint8_t* quote;
  uint32_t quoted;  ///< bytes
  const uint8_t* extensions;
  uint32_t extended;  ///< bytes; 0: none
};
/// `words` of `unit` bytes are the quote, if they hold all headers and anything follows them.
Body body_of(const Packet& p, uint32_t words, uint32_t unit) {
  const uint8_t* quote = p.head + p.inner_l3;
  const uint32_t all = p.l3 + p.ip_length - p.inner_l3;
  const uint32_t length = words * unit;
  if (length < kLeastQuote || length >= all || length < p.inner_l4 - p.inner_l3 + 8u) {
    return {quote, all, nullptr, 0};
  }
  return {quote, length, quote + length, all - length};
}
/// Behind the quote, from `begin` on: padding and extensions. Answers the quote's length.
uint32_t append(Draft& draft, uint32_t begin, const Body& body, uint32_t unit) {
  const uint32_t quoted = draft.length - begin;
  const uint32_t padded = (std::max(quoted, kLeastQuote) + unit - 1) / unit * unit;
  draft.zeros(padded - quoted);
  draft.copy(body.extensions, body.extended);
  return padded;
}

/// The quoted transport header as packets the other way have it: `l4` of `length` bytes, already in
/// its new place. `pseudo`: how the inner pseudo-header changes.
void translate_quoted(uint8_t* l4, uint32_t length, Protocol protocol, uint16_t source,
                      uint16_t destination, Change pseudo) {
  const Change change = change32(load<uint32_t>(l4), source | uint32_t{destination} << 16) + pseudo;
  store(l4, source | uint32_t{destination} << 16);
  const bool udp = protocol == Protocol::udp;
  const size_t at = udp ? offsetof(Udp, checksum) : offsetof(Tcp, checksum);
  if (at + 2 > length) return;  // RFC 792's eight bytes only
  const auto sum = load<uint16_t>(l4 + at);
  store(l4 + at, udp ? updated_udp(sum, change) : updated(sum, change));
}

/// The draft takes the packet's place behind its Ethernet header.
bool replace(Packet& p, const Draft& draft, uint16_t type, Family family) {
  // Most of what it grows by is in front; both ends have room.
  const bool grows = draft.length > p.ip_length;
  const int32_t shift = grows ? -static_cast<int32_t>(kFamilyHeadroom - 8) : 0;
  const uint32_t length = p.l3 + draft.length;
  if (length > p.room - static_cast<uint32_t>(shift)) return end(p, Reason::family_untranslatable);
  std::memmove(p.head + shift, p.head, p.l3);
  p.head += shift;
  p.room -= static_cast<uint32_t>(shift);
  store(p.head + p.l3 - 2, swap16(type));
  std::memcpy(p.head + p.l3, draft.bytes.data(), draft.length);
  p.head_length = p.length = length;
  p.ip_length = static_cast<uint16_t>(draft.length);
  p.family = family;
  return true;
}

/// All of the error is at hand, and about something that flows carry.
template <typename Edit>
bool can_translate(Packet& p, Protocol inner) {
  if (p.inner_l4 == 0 || (inner != Protocol::tcp && inner != Protocol::udp)) {
    return end(p, Reason::icmp_unmatched);
  }
  if (p.l3 + p.ip_length > p.head_length) return end(p, Reason::family_untranslatable);
  return may_hop<Edit>(p);
}

/// The sum of an error without its own field.
Sum sum_of(const uint8_t* message, uint32_t length) {
  return add(load<uint16_t>(message), message + 4, length - 4);
}
/// What was wrong with the error stays wrong.
uint16_t checksum_from(const Icmp& old, Sum before, Sum after) {
  return updated(old.checksum.raw(), Change{fold(after)} - Change{fold(before)});
}

}  // namespace

bool icmp_error_to_ipv6(Packet& p, const Translation6& to, const std::array<uint8_t, 16>& from,
                        HopMtus mtus) {
  const Protocol protocol = p.tuple4.protocol;
  if (!can_translate<Edit4>(p, protocol)) return false;
  const Ipv4 outer = *p.at<Ipv4>(p.l3), inner = *p.at<Ipv4>(p.inner_l3);
  const Icmp old = *p.at<Icmp>(p.l4);
  const auto said = said_in_ipv6(old, inner, mtus);
  if (!said) return end(p, Reason::family_untranslatable);
  const uint32_t old_length = p.l3 + p.ip_length - p.l4;
  const Sum before = sum_of(p.head + p.l4, old_length);
  const Body body = body_of(p, p.head[p.l4 + 5], 4);
  const uint32_t header = p.inner_l4 - p.inner_l3;

  Draft draft;
  auto& ip = *reinterpret_cast<Ipv6*>(draft.reserve(sizeof(Ipv6)));
  auto& icmp = *reinterpret_cast<Icmp*>(draft.reserve(sizeof(Icmp)));
  const uint32_t begin = draft.length;
  auto& quoted = *reinterpret_cast<Ipv6*>(draft.reserve(sizeof(Ipv6)));
  const bool fragment = (inner.fragment & (Ipv4::kMoreFragments | Ipv4::kOffset)) != 0;
  if (fragment) {
    *reinterpret_cast<Ipv6Fragment*>(draft.reserve(sizeof(Ipv6Fragment))) =
        fragment_header(inner, inner.protocol);
  }
  const uint32_t carried = std::max<uint32_t>(inner.total_length, header) - header;
  write(quoted,
        {inner.service, inner.ttl, fragment ? kNextFragment : inner.protocol,
         static_cast<uint16_t>(carried + (fragment ? sizeof(Ipv6Fragment) : 0))},
        to.destination.address, to.source.address);
  uint8_t* l4 = draft.bytes.data() + draft.length;
  draft.copy(p.head + p.inner_l4, body.quoted - header);
  translate_quoted(l4, body.quoted - header, protocol, to.destination.port, to.source.port,
                   static_cast<Change>(sum_of(to) - add(0, &inner.source, 8)));

  const bool extends = said->type == icmpv6::kUnreachable || said->type == icmpv6::kTimeExceeded;
  uint32_t rest = said->rest;
  if (body.extended != 0 && extends) rest = append(draft, begin, body, 8) / 8 << 24;
  const uint32_t length = draft.length - static_cast<uint32_t>(sizeof(Ipv6));
  write(ip,
        {outer.service, static_cast<uint8_t>(outer.ttl - 1), static_cast<uint8_t>(Protocol::icmpv6),
         static_cast<uint16_t>(length)},
        from, to.destination.address);
  icmp.type = said->type;
  icmp.code = said->code;
  icmp.rest = rest;
  const Sum pseudo = pseudo_header(&ip.source, 32, static_cast<uint8_t>(Protocol::icmpv6), length);
  icmp.checksum.set_raw(
      checksum_from(old, before, pseudo + sum_of(draft.bytes.data() + sizeof(Ipv6), length)));
  if (!replace(p, draft, kEtherIpv6, Family::ipv6)) return false;
  p.l4 = static_cast<uint16_t>(p.l3 + sizeof(Ipv6));
  p.protocol = Protocol::icmpv6;
  return true;
}

bool icmp_error_to_ipv4(Packet& p, const Translation4& to, uint32_t from, HopMtus mtus,
                        uint16_t id) {
  const Protocol protocol = p.tuple6.protocol;
  if (!can_translate<Edit6>(p, protocol)) return false;
  const Ipv6 outer = *p.at<Ipv6>(p.l3), inner = *p.at<Ipv6>(p.inner_l3);
  const Icmp old = *p.at<Icmp>(p.l4);
  const auto said = said_in_ipv4(old, mtus);
  const uint32_t header = p.inner_l4 - p.inner_l3;
  if (!said || has_authentication(p.head, p.inner_l3 + sizeof(Ipv6), inner.next, p.inner_l4)) {
    return end(p, Reason::family_untranslatable);
  }
  const uint32_t old_length = p.l3 + p.ip_length - p.l4;
  const Sum before =
      pseudo_header(&outer.source, 32, static_cast<uint8_t>(Protocol::icmpv6), old_length) +
      sum_of(p.head + p.l4, old_length);
  const bool extends = old.type == icmpv6::kUnreachable || old.type == icmpv6::kTimeExceeded;
  const Body body = body_of(p, extends ? p.head[p.l4 + 4] : 0, 8);

  Draft draft;
  auto& ip = *reinterpret_cast<Ipv4*>(draft.reserve(sizeof(Ipv4)));
  auto& icmp = *reinterpret_cast<Icmp*>(draft.reserve(sizeof(Icmp)));
  const uint32_t begin = draft.length;
  auto& quoted = *reinterpret_cast<Ipv4*>(draft.reserve(sizeof(Ipv4)));
  const uint32_t packet = inner.payload_length + uint32_t{sizeof(Ipv6)};
  const uint32_t carried = std::max(packet, header) - header;
  Ipv4Header made{static_cast<uint8_t>(inner.version_class_label >> 20),
                  inner.hop_limit,
                  static_cast<uint8_t>(protocol),
                  static_cast<uint16_t>(std::min<uint32_t>(carried + sizeof(Ipv4), 0xffff)),
                  0,
                  Ipv4::kDontFragment};
  if (const uint32_t at =
          quoted_fragment(p.head, p.inner_l3 + sizeof(Ipv6), inner.next, p.inner_l4);
      at != 0) {
    fragment_of(*p.at<Ipv6Fragment>(at), made);
  }
  write(quoted, made, to.destination.address, to.source.address);
  uint8_t* l4 = draft.bytes.data() + draft.length;
  draft.copy(p.head + p.inner_l4, body.quoted - header);
  const Sum after = Sum{to.source.address} + to.destination.address;
  translate_quoted(l4, body.quoted - header, protocol, to.destination.port, to.source.port,
                   static_cast<Change>(after) - static_cast<Change>(add(0, &inner.source, 32)));

  uint32_t rest = said->rest;
  if (body.extended != 0) rest = append(draft, begin, body, 4) / 4 << 16;
  const uint32_t length = draft.length - static_cast<uint32_t>(sizeof(Ipv4));
  const Ipv4Header around{static_cast<uint8_t>(outer.version_class_label >> 20),
                          static_cast<uint8_t>(outer.hop_limit - 1),
                          static_cast<uint8_t>(Protocol::icmp),
                          static_cast<uint16_t>(draft.length),
                          id,
                          draft.length > kNoFragmentsUpTo ? Ipv4::kDontFragment : uint16_t{0}};
  write(ip, around, from, to.destination.address);
  icmp.type = said->type;
  icmp.code = said->code;
  icmp.rest = rest;
  icmp.checksum.set_raw(
      checksum_from(old, before, sum_of(draft.bytes.data() + sizeof(Ipv4), length)));
  if (!replace(p, draft, kEtherIpv4, Family::ipv4)) return false;
  p.l4 = static_cast<uint16_t>(p.l3 + sizeof(Ipv4));
  p.protocol = Protocol::icmp;
  return true;
}

}  // namespace nezu::forward
