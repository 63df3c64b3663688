#include "dataplane/conversations.h"

#include "dataplane/link/answers.h"
#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"

namespace nezu::dataplane {
namespace {

using net::Packet;

bool is_v4(const Packet& packet) { return packet.family == net::Family::ipv4; }

bool is_tcp(const Packet& packet) { return packet.protocol == net::Protocol::tcp; }

/// Said to somebody whom the kernel knows, or wants to.
bool tells(const Packet& packet) {
  if (is_tcp(packet)) {
    constexpr uint8_t kAnswer = net::kTcpSyn | net::kTcpAck;
    return (packet.tcp_flags & kAnswer) != kAnswer;
  }
  if (!net::is_icmp(packet.protocol)) return true;
  const uint8_t type = packet.at<net::Icmp>(packet.l4)->type;
  return type == (is_v4(packet) ? net::icmp::kEchoRequest : net::icmpv6::kEchoRequest);
}

}  // namespace

Conversations::Conversations(uint64_t seed)
    : hash_(seed), sets_(std::make_unique<Set[]>(size_t{2} * kSets + kAskedSets)) {}

Conversations::Key Conversations::key(const Packet& packet, bool mirrored) const {
  uint64_t hash;
  if (is_v4(packet)) {
    net::Tuple4 tuple = mirrored ? packet.tuple4.mirrored() : packet.tuple4;
    tuple.instance = net::Instance::standard;
    hash = hash_(tuple);
  } else {
    net::Tuple6 tuple = mirrored ? packet.tuple6.mirrored() : packet.tuple6;
    tuple.instance = net::Instance::standard;
    hash = hash_(tuple);
  }
  const auto set = static_cast<uint32_t>(hash % kSets);
  const bool datagram = packet.protocol == net::Protocol::udp;
  return {set + (datagram ? 0 : kSets), static_cast<uint32_t>(hash >> 32) | 1};
}

Conversations::Key Conversations::key(const net::Address& asked) const {
  net::Tuple6 tuple;
  tuple.source = asked.bytes;
  const uint64_t hash = hash_(tuple);
  return {2 * kSets + static_cast<uint32_t>(hash % kAskedSets),
          static_cast<uint32_t>(hash >> 32) | 1};
}

void Conversations::note(std::span<uint8_t> frame, net::Tick now) {
  const auto length = static_cast<uint32_t>(frame.size());
  Packet packet;
  packet.arrive(frame.data(), nullptr, length, length, length, 0);
  parse::parse(packet);
  if (packet.verdict == net::Verdict::drop) return;
  if (packet.shape == net::Shape::other || packet.shape == net::Shape::control) {
    if (const auto asked = link::asked_address(packet)) note(key(*asked), Phase::standing, now);
    return;
  }
  if (packet.shape != net::Shape::transport || !tells(packet)) return;
  const Key at = key(packet, true);
  if (!is_tcp(packet)) return note(at, Phase::standing, now);
  if ((packet.tcp_flags & net::kTcpRst) != 0) return end(at);
  note(at,
       (packet.tcp_flags & net::kTcpSyn) != 0   ? Phase::opening
       : (packet.tcp_flags & net::kTcpFin) != 0 ? Phase::ended
                                                : Phase::standing,
       now);
}

/// What stands gives way last; of each kind the one that has been silent for longest.
void Conversations::note(const Key& at, Phase phase, net::Tick now) {
  constexpr uint32_t kPhase = 3, kFree = UINT32_MAX, kGivesWay = 1u << 31;
  Word* found = nullptr;
  uint32_t best = 0;
  for (Word& word : sets_[at.set].words) {
    const uint64_t held = word.load(std::memory_order_relaxed);
    const auto tag = static_cast<uint32_t>(held >> 32), said = static_cast<uint32_t>(held);
    const auto was = static_cast<Phase>(said & kPhase);
    if (tag == at.tag) {
      found = &word;
      // The last acknowledgement of a connection that is closed opens it no more.
      if (was == Phase::ended && phase == Phase::standing) phase = was;
      break;
    }
    const uint32_t silent = (now - said) >> 1;
    const uint32_t value = tag == 0 ? kFree : was == Phase::standing ? silent : silent | kGivesWay;
    if (found != nullptr && value <= best) continue;
    found = &word;
    best = value;
  }
  found->store(uint64_t{at.tag} << 32 | (now & ~kPhase) | static_cast<uint32_t>(phase),
               std::memory_order_relaxed);
}

void Conversations::end(const Key& at) {
  for (Word& word : sets_[at.set].words) {
    const uint64_t held = word.load(std::memory_order_relaxed);
    if (held >> 32 != at.tag) continue;
    word.store((held & ~uint64_t{3}) | static_cast<uint64_t>(Phase::ended),
               std::memory_order_relaxed);
  }
}

bool Conversations::have(const Packet& packet) const {
  Key at;
  if (packet.shape == net::Shape::transport) {
    at = key(packet, false);
  } else if (packet.shape == net::Shape::other || packet.shape == net::Shape::control) {
    const auto claim = link::claim_of(packet);
    if (!claim) return false;
    at = key(claim->address);
  } else {
    return false;
  }
  for (const Word& word : sets_[at.set].words) {
    if (word.load(std::memory_order_relaxed) >> 32 == at.tag) return true;
  }
  return false;
}

}  // namespace nezu::dataplane
