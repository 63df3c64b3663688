// SIP messages as datagrams: RFC 3261 (and 3581: received, rport), with the SDP that they carry:
// RFC 8866, RFC 3605 (where RTCP is waited for).
//
// Pure functions on text: a message is read, whoever knows the network decides what each place is
// called on the other side, and it is written anew. What is not understood comes out as it went in.
// Messages may be as hostile as they like.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/net/address.h"

namespace nezu::alg {

inline constexpr uint32_t kMostSipText = 9216;  ///< bytes of a message, before and after
inline constexpr uint16_t kSipPort = 5060;      ///< of a place that names none
inline constexpr size_t kMostSipMedia = 8;

/// Datagrams that only keep a way open: line ends or zeros (RFC 5626 3.5.1 and what is in use).
bool is_keep_alive(std::string_view datagram);

/// One stream of the SDP, as its receiver waits for it.
struct SipMedia {
  net::Address address;
  uint16_t port = 0;          ///< RTP; 0: it is refused, or of no datagrams
  uint16_t control_port = 0;  ///< RTCP: the one it names, or the next
  /// To be set: the ports on the other side; 0: as they are.
  uint16_t told_port = 0, told_control_port = 0;
};

struct SipMessage {
  enum class State : uint8_t {
    good,
    broken,    ///< no message, cut off, or it contradicts itself
    too_long,  ///< or more streams than kMostSipMedia
  };
  State state = State::broken;
  bool is_request = false;
  bool is_within_dialogue = false;  ///< To has a tag
  bool has_sdp = false;
  std::string_view call_id;
  uint32_t body = 0, body_length = 0;  ///< where, and by Content-Length where it is there
  uint32_t media_count = 0;
  std::array<SipMedia, kMostSipMedia> media;
};
SipMessage read_sip(std::string_view text);

/// A place that has another name on the other side.
struct SipSwap {
  net::Address from, to;
  uint16_t from_port = 0, to_port = 0;
};
struct SipNames {
  std::array<SipSwap, 2> swaps;
  /// The sender as it names itself in SDP, and what the receiver reaches it by.
  net::Address own, told;
};
/// Writes `message`, which is good and of `text`: request line, Via, Contact, Record-Route, Route,
/// Path, Service-Route, Content-Length and SDP say what `names` and the media say. Its length; 0:
/// `to` is too short.
uint32_t write_sip(std::string_view text, const SipMessage& message, const SipNames& names,
                   std::span<char> to);

}  // namespace nezu::alg
