// What is said on an FTP control connection, as far as it announces data connections: RFC 959
// (PORT, PASV, 227), RFC 2428 (EPRT, EPSV, 229), RFC 6384 between IPv4 and IPv6.
//
// Pure functions on text. A line is what stands before a line feed, a carriage return at its end
// not counted. Commands are read in any case, and as hostile as they may be; replies are a
// server's.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/net/address.h"

namespace nezu::alg {

/// What a line announces or asks for.
struct FtpLine {
  enum class Kind : uint8_t {
    other,
    broken,      ///< one of those below with an argument that makes no sense
    active,      ///< PORT, EPRT: the client waits at `address` and `port`
    passive,     ///< PASV
    extended,    ///< EPSV, with a family or without
    all,         ///< EPSV ALL
    waits,       ///< 227: the server waits at `address` and `port`
    waits_here,  ///< 229: the server waits at `port`
    secured,     ///< 234: nothing that follows can be read
  };
  Kind kind = Kind::other;
  bool is_extended = false;  ///< EPRT rather than PORT
  net::Address address;
  uint16_t port = 0;
  /// What stands for address and port in it; `delimiter`: of EPRT and 229.
  uint16_t begin = 0, end = 0;
  char delimiter = '|';
};

FtpLine read_ftp_command(std::string_view line);
FtpLine read_ftp_reply(std::string_view line);
/// A line that has not ended yet may become one that matters.
bool may_matter(std::string_view begun, bool is_command);

/// How something is said in place of what was read.
enum class FtpForm : uint8_t {
  numbers,          ///< 192,0,2,7,156,64           of PORT and 227
  triple,           ///< |1|192.0.2.7|40000|        of EPRT
  port,             ///< 40000                      of 229
  port_line,        ///< PORT 192,0,2,7,156,64
  eprt_line,        ///< EPRT |2|2001:db8::7|40000|
  pasv_line,        ///< PASV
  epsv_line,        ///< EPSV
  noop_line,        ///< NOOP
  waits_line,       ///< 227 Entering Passive Mode (192,0,2,10,156,64).
  waits_here_line,  ///< 229 Entering Extended Passive Mode (|||40000|)
};
inline constexpr uint32_t kMostFtpText = 72;
/// Writes it; its length, at most kMostFtpText.
uint32_t write_ftp(FtpForm form, char delimiter, const net::Address& address, uint16_t port,
                   char* to);

}  // namespace nezu::alg
