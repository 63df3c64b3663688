// TCP flows in which bytes are put in or changed: numbers both ways, and the bytes themselves.
//
// PROXY protocol. The header is the first thing that the server reads, and needs no timer of ours:
//
//   client          us                     server
//   SYN      ---->  SYN             ---->
//            <----  SYN-ACK, MSS less <--
//   ACK      ---->  ACK + header    ---->          lost: the server, which has seen no ACK, sends
//   its
//                                                  SYN-ACK again, and so does the client its ACK
//   data     ---->  header + data   ---->          until the header is acknowledged it goes in
//   front
//            <----  ACK of data     <----          of all that begins where the client's data begin
//
// What begins further behind is renumbered alone: the client sends again what the server did not
// get, from the begin on. The header's acknowledgement is none of any byte of the client.
#include "dataplane/forward/family.h"
#include "dataplane/forward/gap.h"
#include "dataplane/forward/numbers.h"
#include "dataplane/forward/translation.h"
#include "dataplane/path_cookie.h"
#include "dataplane/path_lines.h"

namespace nezu::path {
namespace {

using flow::Change;
using flow::Direction;
using flow::FlowId;

/// What is left of the way out once the packet is of the other side's family.
uint32_t room_of(const Turn& turn, const net::Packet& packet, FlowId id) {
  const uint32_t mtu = turn.hops[static_cast<size_t>(&packet - turn.part.data())]->mtu;
  const int32_t growth = is_mixed(turn, id) ? forward::family_growth(packet) : 0;
  return static_cast<uint32_t>(static_cast<int32_t>(mtu) - growth);
}

/// A SYN tells where its stream begins. The header comes there, so that data which ride on a SYN
/// (RFC 7413) must come again behind it.
void see_syn(net::Packet& packet, Change& own, const Change& theirs) {
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  if (own.kind == Change::Kind::proxy_header && own.is_pending()) {
    own.at = tcp.sequence + 1;
    if (forward::transport_length(packet) > tcp.header_length()) {
      forward::cut_payload(packet);
      forward::sum_tcp(packet);
    }
  }
  if (theirs.kind == Change::Kind::proxy_header) {
    forward::lower_segment_size_by(packet, theirs.put);
  }
}

bool is_first(const net::Packet& packet, const Change& own, uint32_t sequence) {
  return own.kind == Change::Kind::proxy_header && own.is_pending() && sequence == own.at &&
         (packet.tcp_flags & (net::kTcpSyn | net::kTcpRst)) == 0;
}

/// False: the packet has ended.
bool renumber_segment(Turn& turn, net::Packet& packet, FlowId id, flow::Splice& splice) {
  Change& own = splice.of(id.direction());
  Change& theirs = splice.of(opposite(id.direction()));
  const net::Tcp& tcp = *packet.at<net::Tcp>(packet.l4);
  const bool awaits = (splice.state & cookie::kAwaits) != 0;
  if (awaits && !await_server(turn, packet, id, splice)) return false;
  if ((packet.tcp_flags & net::kTcpSyn) != 0) see_syn(packet, own, theirs);
  const bool reads = (splice.state & lines::kReads) != 0;
  if ((packet.tcp_flags & net::kTcpAck) != 0 && theirs.hear(tcp.acknowledgement) && reads) {
    turn.state.held.drop_whole(id.towards(opposite(id.direction())));
  }
  if (reads && !follow_lines(turn, packet, id, splice)) return false;
  const uint32_t sequence = tcp.sequence;
  own.pass(sequence);
  forward::renumber(packet, own.sequence(sequence),
                    [&theirs](uint32_t number) { return theirs.acknowledgement(number); });
  if ((splice.state & cookie::kTaken) != 0)
    follow_handshake(packet, id.direction(), splice, !awaits);
  if (is_first(packet, own, sequence)) {
    forward::put_before_stream(packet, caller_of(turn, id), room_of(turn, packet, id));
  }
  return true;
}

}  // namespace

void translate_spliced(Turn& turn, net::Packet& packet) {
  if (!forward::may_hop(packet)) return;  // told with what came in
  const FlowId id(packet.flow);
  flow::Splice* splice = turn.state.splices.find(id);
  if (splice == nullptr || packet.shape == net::Shape::fragment || packet.first_fragment) {
    return packet.drop(net::Reason::payload_fragment);
  }
  if (packet.shape == net::Shape::icmp_error) {
    const Change& quoted = splice->of(opposite(id.direction()));
    forward::renumber_quoted(packet,
                             [&quoted](uint32_t number) { return quoted.acknowledgement(number); });
  } else if (!renumber_segment(turn, packet, id, *splice)) {
    return;
  }
  translate_flow(turn, packet);
}

}  // namespace nezu::path
