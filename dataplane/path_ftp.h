// Within the path: FTP control connections, and what FTP and TFTP announce.
#pragma once

#include <string_view>

#include "dataplane/alg/ftp.h"
#include "dataplane/path_turn.h"

namespace nezu::path {

namespace ftp {
/// Where servers outside listen for control connections, and what they come from (RFC 959 8).
inline constexpr uint16_t kPort = 21, kDataPort = 20;
}  // namespace ftp

/// What a control connection has to do about a line.
struct FtpVerdict {
  bool waits = false;  ///< `reason`: not now
  net::Reason reason = net::Reason::none;
  bool changes = false;
  uint32_t begin = 0, end = 0;  ///< of the line: what is replaced
  alg::FtpForm form = alg::FtpForm::numbers;
  char delimiter = '|';
  uint16_t port = 0;
};
/// Reads a line, announces what it announces (path_announce.cc).
FtpVerdict judge_line(Turn& turn, flow::FlowId id, flow::Splice& splice, std::string_view line);
/// The address that stands in lines of that direction.
net::Address address_said(const Turn& turn, flow::FlowId id, uint16_t port);

}  // namespace nezu::path
