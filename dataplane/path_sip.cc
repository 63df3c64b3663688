// SIP over UDP: every message is read; its places and media are named as the other side reaches
// them, and its Call-ID says which server it goes to.
//
// A client's datagrams find no flow by themselves: one port may hold many calls, each at a server
// of its own. A flow is filed for each server that the client talks to (path_lanes.h), and `admit`
// looks for the one that the message belongs to:
//
//   Call-ID known, its server serves   -> that server
//   unknown, but within a dialogue     -> the server of one of the client's flows (after a restart)
//   else                               -> as the pool's scheduler says
//
// What a server says finds its flow like everything else. Either way the call is remembered from
// its last message on.
#include <cstring>

#include "dataplane/alg/sip.h"
#include "dataplane/forward/family.h"
#include "dataplane/forward/gap.h"
#include "dataplane/forward/translation.h"
#include "dataplane/path_control.h"
#include "dataplane/path_lanes.h"
#include "dataplane/path_open.h"
#include "dataplane/steer/calls.h"

namespace nezu::path {
namespace {

using alg::SipMessage;
using flow::Direction;
using flow::FlowId;
using net::Reason;

/// Ringing may take its time; the answer says the other end (RFC 3261 13.3.1.1: three minutes).
constexpr net::Tick kMediaLife = 200 * net::kTicksPerSecond;

bool is_whole(const net::Packet& packet) {
  return packet.l3 + packet.ip_length <= packet.head_length;
}
std::string_view datagram_of(const net::Packet& packet) {
  const uint32_t from = packet.l4 + sizeof(net::Udp);
  return {reinterpret_cast<const char*>(packet.head) + from, packet.l3 + packet.ip_length - from};
}

/// Why the message cannot be read; none: it can.
Reason judge(const net::Packet& packet, SipMessage& message) {
  if (packet.first_fragment) return Reason::payload_fragment;
  if (!is_whole(packet)) return Reason::sip_too_long;
  // Something follows it within the packet.
  if (packet.at<net::Udp>(packet.l4)->length != forward::transport_length(packet)) {
    return Reason::sip_message_broken;
  }
  message = alg::read_sip(datagram_of(packet));
  switch (message.state) {
    case SipMessage::State::good:
      return Reason::none;
    case SipMessage::State::too_long:
      return Reason::sip_too_long;
    case SipMessage::State::broken:
      break;
  }
  return Reason::sip_message_broken;
}

// --- which server --------------------------------------------------------------------------------

constexpr uint32_t kLanes = 4;  ///< places that a server's flow may have

bool serves(const tables::Member& member) {
  return member.state == tables::ServerState::ready ||
         member.state == tables::ServerState::draining;
}

const tables::Member* member_of(const tables::Pool& pool, uint16_t server) {
  for (uint32_t i = 0; i < pool.member_count; ++i) {
    if (index(pool.members()[i].server) == server) return &pool.members()[i];
  }
  return nullptr;
}

template <typename Tuple>
const tables::Member* member_for(Turn& turn, const tables::Service& service,
                                 const tables::Pool& pool, const Tuple& tuple,
                                 const SipMessage& message) {
  const tables::Member* found = nullptr;
  const auto is_good = [&](uint16_t server) {
    found = member_of(pool, server);
    return found != nullptr && serves(*found);
  };
  if (const steer::Calls* calls = turn.state.setup.calls) {
    const uint64_t hash =
        steer::Calls::hash(static_cast<uint16_t>(index(service.id)), message.call_id);
    if (calls->find(hash, turn.tick, is_good)) return found;
  }
  if (message.is_within_dialogue) {
    for (uint32_t i = 0; i < pool.member_count; ++i) {
      const tables::Member& member = pool.members()[i];
      const auto server = static_cast<uint16_t>(index(member.server));
      if (serves(member) && lanes::flow_to(turn, tuple, server, kLanes).exists()) return &member;
    }
  }
  return nullptr;
}

void remember(Turn& turn, uint16_t service, uint16_t server, std::string_view call_id) {
  steer::Calls* calls = turn.state.setup.calls;
  const tables::Service* block = turn.view.service(tables::ServiceId{service});
  if (calls == nullptr || block == nullptr) return;
  if (!calls->put(turn.state.setup.worker, steer::Calls::hash(service, call_id), server, turn.tick,
                  block->call_timeout_s)) {
    turn.state.line.calls_forgotten.add(1);
  }
}

}  // namespace

template <typename F>
void admit_message(Turn& turn, Opening& opening, net::Packet& packet,
                   const typename F::Tuple& tuple, const tables::Service& service, uint8_t shard) {
  if (packet.shape != net::Shape::transport) return packet.drop(Reason::payload_fragment);
  if (is_whole(packet) && alg::is_keep_alive(datagram_of(packet))) {
    return packet.drop(Reason::sip_keep_alive);
  }
  SipMessage message;
  if (const Reason reason = judge(packet, message); reason != Reason::none) {
    return packet.drop(reason);
  }
  if (const Reason beyond = why_not_passed(turn, packet, service, address_of(tuple.source));
      beyond != Reason::none) {
    return packet.drop(beyond);
  }
  const tables::Pool* pool = turn.view.pool(service.pool);
  if (pool == nullptr) return opening.refused(packet, service, Reason::no_server);
  opening.settle();
  const tables::Member* member = member_for(turn, service, *pool, tuple, message);
  if (member == nullptr) member = opening.pick<F>(packet, tuple, service, *pool);
  if (member == nullptr) return;
  const auto server = static_cast<uint16_t>(index(member->server));
  const FlowId id = lanes::flow_to(turn, tuple, server, kLanes);
  if (!id.exists()) {
    if (service.enabled == 0) {
      return refuse(turn, packet, Reason::service_disabled, service.refusal);
    }
    if (const Reason out =
            why_kept_out(turn, opening, service, tuple.instance, address_of(tuple.source));
        out != Reason::none) {
      return opening.refused(packet, service, out, tables::Refusal::drop);
    }
    typename F::Tuple own = tuple;
    own.lane = lanes::free_lane(turn, tuple, server, kLanes);
    if (own.lane == 0) return opening.refused(packet, service, Reason::flow_bucket_full);
    packet.hash = turn.state.flows.hash_of(own);
    opening.prepare_for<F>(packet, own, service, shard, *member);
    opening.settle();
    return;
  }
  packet.flow = id.word();
}

template void admit_message<V4>(Turn&, Opening&, net::Packet&, const net::Tuple4&,
                                const tables::Service&, uint8_t);
template void admit_message<V6>(Turn&, Opening&, net::Packet&, const net::Tuple6&,
                                const tables::Service&, uint8_t);

// --- what it says --------------------------------------------------------------------------------

namespace {

/// Announces what the sender waits for, and says where the other side reaches it.
bool tell_stream(Turn& turn, const Control& control, bool to_server, uint16_t port,
                 uint16_t& told) {
  if (port < 1024) return true;  // nobody's media
  if (to_server) {
    told = control.is_full() ? told_port(turn, control, port) : port;
    return told != 0 &&
           expect_from_server(turn, control, net::Protocol::udp, port, told, kMediaLife);
  }
  told = passive_port(turn, control, net::Protocol::udp, port);
  return told != 0 && expect_from_client(turn, control, net::Protocol::udp, port, told, kMediaLife);
}

bool tell_media(Turn& turn, const Control& control, bool to_server, SipMessage& message) {
  const net::Address& own = to_server ? control.client : control.server;
  for (uint32_t i = 0; i < message.media_count; ++i) {
    alg::SipMedia& media = message.media[i];
    if (media.port == 0) continue;
    if (media.address != own) {
      if (!media.address.is_unspecified()) {  // that one holds the line
        turn.state.line.reasons[static_cast<size_t>(Reason::sip_media_elsewhere)].add(1);
      }
      continue;
    }
    if (!tell_stream(turn, control, to_server, media.port, media.told_port) ||
        !tell_stream(turn, control, to_server, media.control_port, media.told_control_port)) {
      return false;
    }
  }
  return true;
}

alg::SipNames names_of(const Control& c, bool to_server) {
  if (to_server) {
    return {{{{c.vip, c.server, c.vip_port, c.server_port},
              {c.client, c.seen, c.client_port, c.seen_port}}},
            c.client,
            c.seen};
  }
  return {{{{c.server, c.vip, c.server_port, c.vip_port},
            {c.seen, c.client, c.seen_port, c.client_port}}},
          c.server,
          c.vip};
}

/// Why it cannot be said so; none: the packet says it.
Reason say(const Turn& turn, net::Packet& packet, FlowId id, std::string_view text) {
  const uint32_t mtu = turn.hops[static_cast<size_t>(&packet - turn.part.data())]->mtu;
  const int32_t growth = is_mixed(turn, id) ? forward::family_growth(packet) : 0;
  const uint32_t headers = packet.l4 - packet.l3 + sizeof(net::Udp);
  const auto length = static_cast<uint32_t>(text.size());
  if (static_cast<int32_t>(headers + length) + growth > static_cast<int32_t>(mtu) ||
      packet.l3 + headers + length > packet.room) {
    return Reason::too_big;
  }
  // A sum that was wrong must not come out right.
  if (!forward::udp_sums_up(packet)) return Reason::transport_checksum;
  std::memcpy(packet.head + packet.l4 + sizeof(net::Udp), text.data(), length);
  forward::set_datagram_length(packet, length);
  return Reason::none;
}

Reason rewrite(Turn& turn, net::Packet& packet, FlowId id) {
  const bool to_server = id.direction() == Direction::to_server;
  if (is_whole(packet) && alg::is_keep_alive(datagram_of(packet))) return Reason::none;
  SipMessage message;
  if (const Reason reason = judge(packet, message); reason != Reason::none) return reason;
  const Control control = control_of(turn, id);
  remember(turn, control.track->service, control.track->server, message.call_id);
  if (!tell_media(turn, control, to_server, message)) return Reason::announcement_full;
  std::array<char, alg::kMostSipText> room;  // NOLINT: filled up to `length`
  const std::string_view text = datagram_of(packet);
  const uint32_t length = alg::write_sip(text, message, names_of(control, to_server), room);
  if (length == 0) return Reason::sip_too_long;
  const std::string_view said(room.data(), length);
  return said == text ? Reason::none : say(turn, packet, id, said);
}

}  // namespace

void translate_spoken(Turn& turn, net::Packet& packet) {
  if (!forward::may_hop(packet)) return;  // told with what came in
  const FlowId id(packet.flow);
  if (packet.shape == net::Shape::fragment) return packet.drop(Reason::payload_fragment);
  if (packet.shape == net::Shape::transport) {
    if (const Reason reason = rewrite(turn, packet, id); reason != Reason::none) {
      return packet.drop(reason);
    }
  }
  translate_flow(turn, packet);
}

}  // namespace nezu::path
