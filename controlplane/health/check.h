// What to check: one probe of one server, as plain values.
//
// Any thread. A server may have several checks (one of each pool that has it, told apart by the
// pool's name) and is up when all of them are.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/tables/blocks.h"

namespace nezu::health {

using Milliseconds = std::chrono::milliseconds;

enum class Kind : uint8_t {
  icmp,   ///< echo request
  tcp,    ///< a connection is accepted
  http,   ///< GET over a new connection
  agent,  ///< a program on the server says what share of its weight it wants; beside a pool's check
};

/// Both ends included.
struct StatusRange {
  uint16_t first = 200;
  uint16_t last = 299;
  bool operator==(const StatusRange&) const = default;
};

struct Http {
  std::string path = "/";
  std::string host;                   ///< Host header; empty: the address and port
  std::vector<StatusRange> statuses;  ///< empty: 200-299
  std::string body_regex;             ///< RE2 syntax, found anywhere; empty: any body
  std::string user_agent;             ///< empty: Engine::Options::user_agent
  bool operator==(const Http&) const = default;
};

struct Check {
  tables::ServerIdentity server;
  std::string pool;  ///< whose check it is; tells several checks of one server apart
  Kind kind = Kind::tcp;
  net::Address
      address;        ///< where the probe goes: the server's address or the one that overrides it
  uint16_t port = 0;  ///< host order; not used by icmp
  Http http;          ///< kind http only
  std::string send;   ///< kind agent only
  /// Sockets are bound to it: the VRF of the server's network instance. Empty: to none.
  std::string interface;
  bool proxy_protocol = false;  ///< tcp, http: its header comes first

  Milliseconds interval{5000};   ///< from the start of one probe to the start of the next
  Milliseconds timeout{2000};    ///< for the whole probe
  uint32_t rise = 2;             ///< successes in a row that bring a server back
  uint32_t fall = 3;             ///< failures in a row that take it out
  uint32_t jitter_percent = 10;  ///< each interval is varied by up to this much, both ways
  Milliseconds hold_down{0};  ///< a recovered server must stay good for this long before it returns
  bool manual_return = false;  ///< it returns when somebody lets it (Engine::let_return), only then
  bool is_weighed = false;     ///< how long it takes is told (Engine::Callbacks::heard)

  bool operator==(const Check&) const = default;
};

/// All checks and agents of some pools; a pool without any may be named too.
using ChecksByPool = std::map<std::string, std::vector<Check>>;

}  // namespace nezu::health
