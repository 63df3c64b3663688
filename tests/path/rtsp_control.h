// An RTSP connection over wires, and the datagrams that it announces.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "tests/path/read_service.h"
#include "tests/path/wire.h"

namespace nezu::lab {

inline world::ServiceSpec rtsp(tables::Mode mode, bool client6 = false, bool server6 = false) {
  return read_service(tables::Application::rtsp, 554, 8554, mode, client6, server6);
}

inline std::string setup(const std::string& transport, int number = 1) {
  return "SETUP rtsp://203.0.113.10/a/track" + std::to_string(number) +
         " RTSP/1.0\r\nCSeq: " + std::to_string(number) + "\r\nTransport: " + transport +
         "\r\nUser-Agent: test\r\n\r\n";
}
inline std::string answer(const std::string& transport, const std::string& more = "") {
  return "RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: " + transport + "\r\nSession: 4711\r\n" + more +
         "\r\n";
}
inline std::string with_body(const std::string& body) {
  return "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string frame(const std::string& bytes, char channel = 0) {
  return std::string{'$', channel, static_cast<char>(bytes.size() >> 8),
                     static_cast<char>(bytes.size())} +
         bytes;
}
/// "...client_port=5000-5001..." -> 5000, 5001.
inline std::pair<uint16_t, uint16_t> ports_in(const std::string& text, const std::string& name) {
  const size_t at = text.find(name + "=");
  if (at == std::string::npos) return {0, 0};
  const std::string said = text.substr(at + name.size() + 1);
  const auto first = static_cast<uint16_t>(std::stoi(said));
  const size_t dash = said.find_first_not_of("0123456789");
  if (dash == std::string::npos || said[dash] != '-') return {first, 0};
  return {first, static_cast<uint16_t>(std::stoi(said.substr(dash + 1)))};
}

/// One connection, and the datagrams that it announces.
class RtspSession {
 public:
  RtspSession(Lab& lab, const world::ServiceSpec& spec, Wires wires = {}, uint32_t seed = 1,
              uint16_t port = 40000, uint16_t size = 1400)
      : lab_(lab),
        client_(spec.vip == kVip ? kClient : kClient6),
        vip_(spec.vip),
        talk_(lab, wires, seed,
              {world::address(client_), world::address(spec.vip), port, spec.port},
              TcpEnd(true, seed * 7919, "", size), TcpEnd(false, seed * 104729, "", size)) {
    open_ = talk_.run([&] { return talk_.client().is_open() && talk_.server().is_open(); });
  }
  bool is_open() const { return open_; }
  Dialogue& talk() { return talk_; }
  std::string ask(std::string_view text) { return pass(talk_.client(), talk_.server(), text); }
  std::string reply(std::string_view text) { return pass(talk_.server(), talk_.client(), text); }
  std::string server() const { return net::to_string(talk_.at_server().destination); }
  std::string seen() const { return net::to_string(talk_.at_server().source); }

  /// A datagram of the client to that port of the VIP: how the server gets it, or why not.
  std::string up(uint16_t from, uint16_t to, uint16_t worker = 0) {
    return fate(datagram(client_, vip_, from, to), worker, 0);
  }
  /// Likewise of the server, to what it was told.
  std::string down(uint16_t from, uint16_t to, uint16_t worker = 0) {
    return fate(datagram(server(), seen(), from, to), worker, 1);
  }

 private:
  static dsl::Frame datagram(const std::string& source, const std::string& to, uint16_t from,
                             uint16_t port) {
    using namespace dsl;
    if (net::parse_address(source)->is_v4())
      return eth() / ipv4(source, to) / udp(from, port) / "v";
    return eth() / ipv6(source, to) / udp(from, port) / "v";
  }
  std::string fate(const dsl::Frame& frame, uint16_t worker, uint16_t port) {
    const Fate fate = lab_.send(frame, static_cast<uint16_t>(worker % lab_.workers()), port);
    if (fate.verdict != net::Verdict::forward) return std::string(net::to_string(fate.reason));
    const Ends ends = ends_of(fate.frame);
    return net::to_string(ends.source, ends.source_port) + " > " +
           net::to_string(ends.destination, ends.destination_port);
  }
  std::string pass(TcpEnd& from, TcpEnd& to, std::string_view text) {
    const size_t before = to.heard().size();
    from.say(text);
    if (!talk_.run([&] { return from.is_quiet(); })) return "it is stuck: " + talk_.last_drop_;
    EXPECT_EQ(talk_.complaint(), "");
    return to.heard().substr(before);
  }

  Lab& lab_;
  std::string client_, vip_;
  Dialogue talk_;
  bool open_ = false;
};

inline std::string at(const std::string& address, uint16_t port) {
  return net::to_string(world::address(address), port);
}

}  // namespace nezu::lab
