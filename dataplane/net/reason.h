// Every way in which a packet ends here instead of being forwarded, by name.
//
// One list feeds the counters, the command line, the metrics and the documentation: whoever drops
// a packet names one of these. New reasons go to the end, so that counters keep their place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nezu::net {

// X(name, what it means to an operator)
#define NEZU_REASONS(X)                                                                         \
  X(none, "not dropped")                                                                        \
  X(ethernet_truncated, "the frame is shorter than its Ethernet and VLAN headers")              \
  X(vlan_unknown, "a VLAN tag that no port of ours carries")                                    \
  X(ipv4_truncated, "the IPv4 header or its total length goes beyond the frame")                \
  X(ipv4_header_invalid, "IPv4 version or header length is impossible")                         \
  X(ipv4_checksum, "the IPv4 header's checksum is wrong")                                       \
  X(ipv6_truncated, "the IPv6 header or its payload length goes beyond the frame")              \
  X(ipv6_header_invalid, "the IPv6 version field is not 6")                                     \
  X(ipv6_extensions_limit, "more IPv6 extension headers than the parser follows")               \
  X(ipv6_extension_truncated, "an IPv6 extension header goes beyond the packet")                \
  X(address_invalid, "a source or destination address that may not appear there")               \
  X(transport_truncated, "the TCP, UDP or ICMP header goes beyond the packet")                  \
  X(tcp_header_invalid, "the TCP data offset is impossible")                                    \
  X(udp_length_invalid, "the UDP length does not fit the packet")                               \
  X(port_zero, "a TCP or UDP port is 0")                                                        \
  X(tcp_flags_invalid, "a combination of TCP flags that no stack sends")                        \
  X(fragment_unsupported, "a fragment of a ping of an address of ours, or of a SYN")            \
  X(icmp_unmatched, "an ICMP error about a packet of no flow")                                  \
  X(ttl_exceeded, "the TTL or hop limit ends here")                                             \
  X(transit_refused, "for no address of ours, and transit is off")                              \
  X(service_unknown, "for a VIP, but no service for this protocol, port, client and interface") \
  X(service_disabled, "the service is switched off")                                            \
  X(no_server, "no server of the pool takes new flows")                                         \
  X(tcp_without_flow, "a TCP segment of no flow that does not open one")                        \
  X(flow_table_full, "the flow table is full of live flows")                                    \
  X(flow_bucket_full, "no place in the flow table's buckets for this key")                      \
  X(embryonic_limit, "the share of the table for flows that are not answered yet is used up")   \
  X(snat_ports_exhausted, "no SNAT port is free towards this server")                           \
  X(snat_missing, "the service has no SNAT address of the server's family")                     \
  X(snat_unmatched, "for an SNAT address, but of no flow")                                      \
  X(handover_full, "the ring to the flow's owner is full")                                      \
  X(handover_again, "handed over once already and still not at home")                           \
  X(no_route, "no route to the destination")                                                    \
  X(neighbour_unresolved, "the next hop did not answer ARP or NDP")                             \
  X(neighbour_queue_full, "too many packets wait for the next hop's address")                   \
  X(too_big, "longer than the way out allows")                                                  \
  X(transmit_full, "the port's transmit queue is full")                                         \
  X(port_down, "the way out has no link")                                                       \
  X(twin_full, "the queue to the twin is full")                                                 \
  X(not_ready, "the data plane has no configuration yet")                                       \
  X(buffer_missing, "no packet buffer was free")                                                \
  X(answered, "answered by the data plane itself (ARP, NDP, echo)")                             \
  X(vlan_stacked, "a second VLAN tag behind the first")                                         \
  X(ipv6_extension_order, "an IPv6 extension header where none may stand")                      \
  X(ipv6_routing_header, "an IPv6 routing header that asks to be sent on")                      \
  X(fragment_invalid, "a fragment whose offset or length is impossible")                        \
  X(icmp_inner_invalid, "an ICMP error whose inner packet is cut off before its ports")         \
  X(mac_other, "for another host's MAC address")                                                \
  X(hairpin_refused, "a client in its server's own subnet, and the service has no SNAT set")    \
  X(transport_checksum, "the port found the TCP or UDP checksum wrong")                         \
  X(ipv4_source_route, "an IPv4 source route, which has no form in IPv6")                       \
  X(udp_checksum_missing, "no UDP checksum where the other IP version needs one")               \
  X(family_untranslatable, "nothing in the other IP version says the same (RFC 7915)")          \
  X(client_prefix_refused, "a client whose address may not stand in the well-known prefix")     \
  X(fragment_timeout, "the first fragment did not come in time")                                \
  X(fragment_table_full, "too many fragments wait for their first one")                         \
  X(fragment_unmatched, "a later fragment of a packet that found no flow")                      \
  X(server_off_link, "mode route, and the server is no neighbour on a link of ours")            \
  X(tunnel_source_missing, "no address of ours of the server's family to send a tunnel from")   \
  X(tunnel_error, "an ICMP error about a tunnel packet of ours: the way to a server is broken") \
  X(payload_fragment, "a fragment of what carries the client's address, or of a line we read")  \
  X(splice_table_full, "no record is free for a flow whose lengths change")                     \
  X(ftp_out_of_order, "a segment of an FTP control connection before its turn")                 \
  X(ftp_line_waits, "an FTP line, until the one before it is acknowledged")                     \
  X(ftp_address_refused, "an FTP command named another host, which was taken out of it")        \
  X(announcement_full, "no place for a connection that FTP, TFTP, SIP or RTSP announces")       \
  X(sctp_without_flow, "an SCTP packet of no association that does not open one")               \
  X(sctp_fragment, "a fragment of an SCTP packet whose ports change, and with them its sum")    \
  X(relays_full, "too many different hosts send to services in mode redirect")                  \
  X(address_claimed, "another host says that an address of ours is its own")                    \
  X(sip_message_broken, "no SIP message, one that is cut off, or that contradicts itself")      \
  X(sip_too_long, "a SIP message longer than we read, or than its packet can become")           \
  X(sip_keep_alive, "a SIP client's keep-alive, which ends here")                               \
  X(sip_media_elsewhere, "SDP named another host than its sender, which was left as it is")     \
  X(servers_full, "every server that takes new flows has as many as it may")                    \
  X(access_denied, "the service's access list denies the client")                               \
  X(access_denied_here, "the network instance's access list denies the client")                 \
  X(bridge_closed, "for another host, and the bridge stands by, listens or has lost a link")    \
  X(rtsp_out_of_order, "a segment of an RTSP connection before its turn")                       \
  X(rtsp_line_waits, "an RTSP line, until the one before it is acknowledged")                   \
  X(rtsp_line_too_long, "an RTSP line longer than we read, which was left as it is")            \
  X(rtsp_transport_left, "an RTSP transport of no sense or of another host, left as it is")     \
  X(rtsp_unreadable, "what is no RTSP on such a connection, of which no more is read")          \
  X(limit_flow_rate, "more new flows a second than the service may have")                       \
  X(limit_flows, "the service has as many flows as it may have")                                \
  X(client_limit_flow_rate, "more new flows a second than a client of the service may have")    \
  X(client_limit_flows, "a client has as many flows of the service as it may have")             \
  X(cookie_sent, "a SYN that a SYN cookie has answered")                                        \
  X(cookie_invalid, "a TCP segment of no flow that brings no SYN cookie of ours")               \
  X(cookie_no_timestamps, "a server without timestamps, whose client was promised them")        \
  X(limit_packet_rate, "more packets a second than the service may have")                       \
  X(limit_bit_rate, "more bits a second than the service may have")                             \
  X(client_limit_packet_rate, "more packets a second than a client of the service may have")    \
  X(client_limit_bit_rate, "more bits a second than a client of the service may have")          \
  X(answers_ambiguous, "a client's port that has a flow of another VIP to the same server")

enum class Reason : uint8_t {
#define NEZU_REASON_ENUM(name, text) name,
  NEZU_REASONS(NEZU_REASON_ENUM)
#undef NEZU_REASON_ENUM
};

inline constexpr auto kReasonNames = std::to_array<std::string_view>({
#define NEZU_REASON_NAME(name, text) #name,
    NEZU_REASONS(NEZU_REASON_NAME)
#undef NEZU_REASON_NAME
});
inline constexpr auto kReasonTexts = std::to_array<std::string_view>({
#define NEZU_REASON_TEXT(name, text) text,
    NEZU_REASONS(NEZU_REASON_TEXT)
#undef NEZU_REASON_TEXT
});
inline constexpr size_t kReasonCount = kReasonNames.size();
/// Room for reasons that later versions add; part of the region's layout.
inline constexpr size_t kReasonCapacity = 128;
static_assert(kReasonCount <= kReasonCapacity);

constexpr std::string_view to_string(Reason reason) {
  return kReasonNames[static_cast<size_t>(reason)];
}

}  // namespace nezu::net
