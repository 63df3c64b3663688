#include "dataplane/conversations.h"

#include "dataplane/net/headers.h"
#include "dataplane/parse/parse.h"

namespace nezu::dataplane {
namespace {

using net::Packet;

bool is_v4(const Packet& packet) { return packet.family == net::Family::ipv4; }

/// Said to somebody whom the kernel knows, or wants to.
bool tells(const Packet& packet) {
  if (packet.verdict == net::Verdict::drop || packet.shape != net::Shape::transport) return false;
  if (packet.protocol == net::Protocol::tcp) {
    constexpr uint8_t kAnswer = net::kTcpSyn | net::kTcpAck;
    return (packet.tcp_flags & net::kTcpRst) == 0 && (packet.tcp_flags & kAnswer) != kAnswer;
  }
  if (!net::is_icmp(packet.protocol)) return true;
  const uint8_t type = packet.at<net::Icmp>(packet.l4)->type;
  return type == (is_v4(packet) ? net::icmp::kEchoRequest : net::icmpv6::kEchoRequest);
}

}  // namespace

Conversations::Conversations(uint64_t seed)
    : hash_(seed), sets_(std::make_unique<Set[]>(size_t{2} * kSets)) {}

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

/// The one that has been silent for longest makes room.
void Conversations::note(std::span<uint8_t> frame, net::Tick now) {
  const auto length = static_cast<uint32_t>(frame.size());
  Packet packet;
  packet.arrive(frame.data(), nullptr, length, length, length, 0);
  parse::parse(packet);
  if (!tells(packet)) return;
  const Key at = key(packet, true);
  Word* found = nullptr;
  uint32_t longest = 0;
  for (Word& word : sets_[at.set].words) {
    const uint64_t held = word.load(std::memory_order_relaxed);
    const auto tag = static_cast<uint32_t>(held >> 32);
    const uint32_t silent = tag == 0 ? UINT32_MAX : now - static_cast<uint32_t>(held);
    if (tag != at.tag && found != nullptr && silent <= longest) continue;
    found = &word;
    longest = silent;
    if (tag == at.tag) break;
  }
  found->store(uint64_t{at.tag} << 32 | now, std::memory_order_relaxed);
}

bool Conversations::have(const Packet& packet) const {
  if (packet.shape != net::Shape::transport) return false;
  const Key at = key(packet, false);
  for (const Word& word : sets_[at.set].words) {
    if (word.load(std::memory_order_relaxed) >> 32 == at.tag) return true;
  }
  return false;
}

}  // namespace nezu::dataplane
