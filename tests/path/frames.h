// The frames that path tests say most often.
#pragma once

#include <string>

#include "tests/path/lab.h"

namespace nezu::lab {

/// "198.18.x.y" of the n-th client.
inline std::string client(uint32_t n) {
  return "198." + std::to_string(18 + (n >> 16)) + "." + std::to_string(n >> 8 & 255) + "." +
         std::to_string(n & 255);
}
inline std::string client6(uint32_t n) {
  char text[32];
  std::snprintf(text, sizeof text, "2001:db8:c::%x", n + 1);
  return text;
}

/// Addresses and ports of a frame as they stand there.
struct Ends {
  net::Address source, destination;
  uint16_t source_port = 0, destination_port = 0;
};
inline Ends ends_of(const dsl::Frame& frame) {
  const auto bytes = frame.bytes();
  const bool v4 = bytes[12] == 8;
  const size_t at = v4 ? 26 : 22, size = v4 ? 4 : 16, ports = v4 ? 34 : 54;
  const auto address = [&](size_t from) {
    return v4 ? net::Address::v4_raw(net::load<uint32_t>(&bytes[from]))
              : net::Address::v6(&bytes[from]);
  };
  const auto port = [&](size_t from) { return net::swap16(net::load<uint16_t>(&bytes[from])); };
  return {address(at), address(at + size), port(ports), port(ports + 2)};
}

/// One client's TCP conversation through the balancer.
class Conversation {
 public:
  Conversation(Lab& lab, std::string from, uint16_t port, std::string vip = "203.0.113.10",
               uint16_t to = 80)
      : lab_(lab), from_(std::move(from)), vip_(std::move(vip)), port_(port), to_(to) {}

  /// Handshake; false when it did not come through.
  bool open() {
    const Fate fate = send(dsl::tcp(port_, to_).syn().seq(100));
    if (fate.verdict != net::Verdict::forward) return false;
    server_ = ends_of(fate.frame);
    return answer(tcp_back().syn().seq(500).ack(101)).verdict == net::Verdict::forward &&
           send(dsl::tcp(port_, to_).seq(101).ack(501)).verdict == net::Verdict::forward;
  }
  /// A question and its answer reach the same server and come back as from the VIP.
  bool works() {
    const Fate there = send(dsl::tcp(port_, to_).psh().seq(101).ack(501));
    if (there.verdict != net::Verdict::forward || !same(ends_of(there.frame))) return false;
    const Fate back = answer(tcp_back().psh().seq(501).ack(101));
    if (back.verdict != net::Verdict::forward) return false;
    const Ends ends = ends_of(back.frame);
    return ends.source == world::address(vip_) && ends.source_port == to_ &&
           ends.destination == world::address(from_) && ends.destination_port == port_;
  }
  Fate send(const dsl::Tcp& tcp) {
    return lab_.send(dsl::eth() / dsl::ipv4(from_, vip_) / tcp, worker_++ % lab_.workers(), 0);
  }
  Fate answer(const dsl::Tcp& tcp) {
    return lab_.send(
        dsl::eth() /
            dsl::ipv4(net::to_string(server_.destination), net::to_string(server_.source)) / tcp,
        worker_++ % lab_.workers(), 1);
  }
  dsl::Tcp tcp_back() const { return dsl::tcp(server_.destination_port, server_.source_port); }
  dsl::Tcp tcp_there() const { return dsl::tcp(port_, to_); }
  /// As the server saw the first packet.
  const Ends& server() const { return server_; }

 private:
  bool same(const Ends& ends) const {
    return ends.source == server_.source && ends.destination == server_.destination &&
           ends.source_port == server_.source_port &&
           ends.destination_port == server_.destination_port;
  }
  Lab& lab_;
  std::string from_, vip_;
  uint16_t port_, to_;
  uint16_t worker_ = 0;
  Ends server_;
};

inline world::ServiceSpec web(tables::Mode mode = tables::Mode::nat) {
  world::ServiceSpec spec;
  spec.mode = mode;
  spec.servers = {{"10.0.1.5", 8080}, {"10.0.1.6", 8080}, {"10.0.1.7", 8080}};
  if (mode == tables::Mode::fullnat) spec.snats = {"10.0.0.1", "10.0.0.2"};
  return spec;
}

}  // namespace nezu::lab
