// The ICMP probe: does the address answer an echo request (RFC 792, RFC 4443 4)?
//
// Engine thread only. One socket per family and interface serves all probes: a ping socket
// (SOCK_DGRAM, needs net.ipv4.ping_group_range), else a raw one (needs CAP_NET_RAW). An answer is
// recognised by its sequence number, its sender and a random cookie in its payload.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>

#include "controlplane/health/loop.h"
#include "controlplane/health/probe.h"

namespace nezu::health {

class PingProber final : public Prober {
 public:
  PingProber(Loop& loop, Finish finish, uint64_t seed);
  ~PingProber() override;
  void start(Ticket ticket, const Check& check) override;
  Outcome abandon(Ticket ticket) override;

 private:
  struct Channel {
    Descriptor fd;
    bool raw = false;
    bool ipv6 = false;
  };
  using Way = std::pair<std::string, bool>;  // interface, is IPv6
  struct Waiting {
    Ticket ticket{};
    net::Address peer;
    uint64_t cookie = 0;
  };
  /// Opens the socket when it is not open; why that cannot be done, else nothing.
  std::string open(Channel& channel, const Way& way);
  void close(Channel& channel);
  void on_ready(Channel& channel);
  void on_answer(const Channel& channel, const uint8_t* bytes, size_t size,
                 const net::Address& sender);

  Loop& loop_;
  Finish finish_;
  std::mt19937_64 random_;
  uint16_t identifier_;
  uint16_t next_sequence_;
  std::map<Way, Channel> channels_;
  std::unordered_map<uint16_t, Waiting> waiting_;  // by sequence number
  std::unordered_map<Ticket, uint16_t> sequence_of_;
};

}  // namespace nezu::health
