#include "dataplane/flow/sctp_track.h"

#include "dataplane/net/headers.h"

namespace nezu::flow {
namespace {

using tables::Timeout;
namespace chunk = net::sctp;

constexpr uint32_t kMostChunks = 32;  // of one packet that are looked at

constexpr uint32_t bit(uint8_t type) { return 1u << type; }
constexpr uint8_t seen_flag(Direction way) {
  return way == Direction::to_server ? flag::kSeenToServer : flag::kSeenToClient;
}

void learn(Sctp& sctp, Direction way, uint32_t tag) {
  sctp.end[index(way)] = tag;
  sctp.flags |= seen_flag(way);
}

/// RFC 9260 8.5.1: whoever does not know the tag may not end the association.
bool tag_fits(const Sctp& sctp, const SctpPacket& packet) {
  const Direction way = packet.is_reflected ? opposite(packet.direction) : packet.direction;
  return (sctp.flags & seen_flag(way)) == 0 || sctp.end[index(way)] == packet.tag;
}

bool has_opened(Timeout state) {
  return state == Timeout::established || state == Timeout::fin_wait ||
         state == Timeout::close_wait;
}

}  // namespace

SctpPacket read_sctp(const uint8_t* header, uint32_t length, Direction direction) {
  SctpPacket packet;
  packet.direction = direction;
  packet.tag = reinterpret_cast<const net::Sctp*>(header)->tag;
  uint32_t at = sizeof(net::Sctp);
  for (uint32_t i = 0; i < kMostChunks && at + sizeof(net::SctpChunk) <= length; ++i) {
    const auto& one = *reinterpret_cast<const net::SctpChunk*>(header + at);
    if (one.type < 32) packet.chunks |= bit(one.type);
    const bool initiates = one.type == chunk::kInit || one.type == chunk::kInitAck;
    if (initiates && at + sizeof(net::SctpChunk) + 4 <= length) {
      packet.initiated = net::swap32(net::load<uint32_t>(header + at + sizeof(net::SctpChunk)));
    }
    if (one.type == chunk::kAbort || one.type == chunk::kShutdownComplete) {
      packet.is_reflected = (one.flags & chunk::kReflected) != 0;
    }
    const uint32_t size = one.length;
    if (size < sizeof(net::SctpChunk)) break;
    at += (size + 3) & ~3u;
  }
  return packet;
}

bool opens_sctp(const uint8_t* header, uint32_t length) {
  return length >= sizeof(net::Sctp) + sizeof(net::SctpChunk) &&
         header[sizeof(net::Sctp)] == chunk::kInit;
}

Sctp advance(Sctp sctp, const SctpPacket& packet, bool one_way) {
  const bool by_client = packet.direction == Direction::to_server;
  if ((packet.chunks & bit(chunk::kInit)) != 0) {
    // One that lives takes a second INIT for a restart, whose tags its answer will tell.
    if (by_client && !has_opened(sctp.state)) {
      sctp.state = Timeout::syn_sent;
      sctp.flags = static_cast<uint8_t>(sctp.flags & ~(flag::kSeenToServer | flag::kSeenToClient));
    }
    if (by_client) learn(sctp, Direction::to_client, packet.initiated);
    return sctp;
  }
  if ((packet.chunks & bit(chunk::kInitAck)) != 0) {
    if (!by_client) learn(sctp, Direction::to_server, packet.initiated);
    if (!by_client && sctp.state == Timeout::syn_sent) sctp.state = Timeout::syn_received;
    return sctp;
  }
  // The server's tag is not told where its INIT ACK passes by: who is first to use it knows it.
  const bool is_told = (sctp.flags & seen_flag(Direction::to_server)) != 0;
  if (one_way && by_client && !is_told && !packet.is_reflected) {
    learn(sctp, Direction::to_server, packet.tag);
  }
  if (!tag_fits(sctp, packet)) return sctp;
  if ((packet.chunks & bit(chunk::kAbort)) != 0) {
    sctp.state = Timeout::closed;
    return sctp;
  }
  const bool answered = sctp.state == Timeout::syn_received || one_way;
  if (by_client && answered && sctp.state <= Timeout::syn_received) {
    sctp.state = Timeout::established;
  }
  if (!has_opened(sctp.state)) return sctp;
  if ((packet.chunks & bit(chunk::kShutdown)) != 0) sctp.state = Timeout::fin_wait;
  if ((packet.chunks & bit(chunk::kShutdownAck)) != 0) sctp.state = Timeout::close_wait;
  if ((packet.chunks & bit(chunk::kShutdownComplete)) != 0) sctp.state = Timeout::time_wait;
  return sctp;
}

}  // namespace nezu::flow
