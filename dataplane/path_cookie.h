// Within the path: connections whose handshake SYN cookies have taken over (path_cookie.cc).
#pragma once

#include "dataplane/path_turn.h"

namespace nezu::path {

namespace cookie {
/// flow::Splice::state of such a connection.
inline constexpr uint8_t kTaken = 0x40,  ///< it is one
    kAwaits = 0x80;                      ///< its server has not answered yet
}  // namespace cookie

/// A SYN to `service` that a cookie answers: the packet has ended. False: it opens a flow.
template <typename Tuple>
bool answer_by_cookie(Turn& turn, net::Packet& packet, const Tuple& tuple,
                      const tables::Service& service);

/// Why a segment of no flow that is no SYN opens no flow of `service`; none: it brings a cookie.
template <typename Tuple>
net::Reason why_no_cookie(const Turn& turn, const net::Packet& packet, const Tuple& tuple,
                          const tables::Service& service);

/// A packet that opens a flow without being a SYN.
inline bool brings_cookie(const net::Packet& packet) {
  return packet.protocol == net::Protocol::tcp && (packet.tcp_flags & net::kTcpSyn) == 0;
}
/// How long its server may take before it is asked again.
inline constexpr uint32_t kFirstWait = net::kTicksPerSecond;
/// What `packet` brought is kept until the server answers.
void begin_handshake(const Turn& turn, const net::Packet& packet, const tables::Service& service,
                     flow::Splice& splice);

/// A server's segment of these flags and that acknowledgement (the client's number) is about the
/// SYN that it was sent; others are not its connection's.
bool answers_handshake(const flow::Splice& splice, uint8_t flags, uint32_t acknowledgement);
/// Of an earlier process: nothing in it leads astray.
bool is_sound_handshake(const flow::Splice& splice);
/// While the server has not answered: what a segment is to it. False: the packet has ended.
bool await_server(Turn& turn, net::Packet& packet, flow::FlowId id, flow::Splice& splice);
/// What differs from then on beside sequence numbers. `is_scaled`: its window is.
void follow_handshake(net::Packet& packet, flow::Direction direction, const flow::Splice& splice,
                      bool is_scaled);

/// For `expire`: a flow whose server has not answered asks it again, or its client is told. False:
/// it is none, or it ends.
bool asks_again(Path::State& state, const route::Routes& routes, flow::FlowId id, net::Tick now);

}  // namespace nezu::path
