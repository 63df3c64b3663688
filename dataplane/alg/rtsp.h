// What is said on an RTSP connection, as far as it matters to others: RFC 2326 (and RFC 7826 where
// it says the same): where a message and its body end, and the transports of SETUP.
//
// Pure functions on text. A line is what stands before a line feed, a carriage return at its end
// not counted. Both sides may be as hostile as they like.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/alg/text.h"
#include "dataplane/net/address.h"

namespace nezu::alg {

inline constexpr uint32_t kMostRtspLine = 512;       ///< bytes of a line that is read
inline constexpr uint32_t kMostRtspBody = 16 << 20;  ///< bytes that nobody's body exceeds

/// "SETUP rtsp://host/a RTSP/1.0" or "RTSP/1.0 200 OK".
bool is_rtsp_start(std::string_view line);

struct RtspHeader {
  enum class Kind : uint8_t { other, length, transport };
  Kind kind = Kind::other;
  bool is_broken = false;  ///< no number, or one above kMostRtspBody
  uint32_t length = 0;     ///< Content-Length
  uint32_t value = 0;      ///< where what it says begins
};
RtspHeader read_rtsp_header(std::string_view line);
/// A line that has not ended yet may become one of those that matter.
bool may_be_rtsp_header(std::string_view begun);

/// One thing that a transport says about the way of its datagrams.
struct RtspPlace {
  enum class Kind : uint8_t { client_port, server_port, source, destination };
  Kind kind = Kind::client_port;
  uint8_t transport = 0;         ///< which of the line's
  bool is_bracketed = false;     ///< the address: "[fd00::1]"
  uint16_t begin = 0, end = 0;   ///< of the line: what stands for it
  uint16_t first = 0, last = 0;  ///< ports, in any order; one alone: `last` is the next, if it is
  bool is_pair = false;          ///< both were said
  bool is_literal = false;       ///< `address` is one, no name
  net::Address address;
};
/// The transports of a line that go by datagrams to one receiver, in their order.
struct RtspTransports {
  static constexpr uint32_t kMost = 24;
  uint32_t count = 0;
  /// Something was left out: ports that make no sense, or more than kMost places.
  bool is_broken = false;
  std::array<RtspPlace, kMost> places;
};
/// `line`: of a Transport header, at most kMostRtspLine; from `value` on.
RtspTransports read_rtsp_transports(std::string_view line, uint32_t value);

/// Ports as `Transport` has them; `pair`: both are said.
void write_rtsp_ports(Writer& to, uint16_t first, uint16_t last, bool pair);

/// Connection data of SDP ("c=") for clients of IPv6 whose server has IPv4: the address within
/// `line` as "IP4 0.0.0.0", from `begin` to `end`; false: another line, or a group's address.
bool read_sdp_connection4(std::string_view line, uint32_t& begin, uint32_t& end);
/// A line that has not ended yet may become one.
bool may_be_sdp_connection4(std::string_view begun);
/// "IP6 " and an unspecified address, `length` bytes in all, as long as an "IP4 " and its address.
void write_sdp_unspecified6(Writer& to, uint32_t length);

}  // namespace nezu::alg
