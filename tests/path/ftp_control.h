// An FTP control connection over wires, and a data connection that its server opens.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/path/wire.h"

namespace nezu::lab {

class FtpControl {
 public:
  bool is_open() const { return open_; }
  Dialogue& talk() { return talk_; }
  /// What the other side reads of it.
  std::string ask(std::string_view text) { return pass(talk_.client(), talk_.server(), text); }
  std::string reply(std::string_view text) { return pass(talk_.server(), talk_.client(), text); }

 protected:
  FtpControl(Lab& lab, Wires wires, uint32_t seed, Ends client, uint16_t size, bool outward)
      : lab_(lab),
        talk_(lab, wires, seed, client, TcpEnd(true, seed * 7919, "", size),
              TcpEnd(false, seed * 104729, "", size)) {
    if (outward) talk_.turn_outward();
    open_ = talk_.run([&] { return talk_.client().is_open() && talk_.server().is_open(); });
  }

  /// The server's SYN, sent from its port `from` to `called`, has come out as `there`: where it
  /// arrived and as whom, once the client's answer (by `port_of_client`) has come to the server as
  /// from what it called; or why not.
  std::string answered(const Fate& there, const Ends& called, uint16_t worker,
                       uint16_t port_of_client) {
    if (there.verdict != net::Verdict::forward) return std::string(net::to_string(there.reason));
    const Ends ends = ends_of(there.frame);
    TcpSegment answer;
    answer.syn = answer.ack = true;
    answer.sequence = 70;
    answer.acknowledgement = 901;
    const Fate back = lab_.send(
        frame_of(answer, {ends.destination, ends.source, ends.destination_port, ends.source_port}),
        static_cast<uint16_t>((worker + 1) % lab_.workers()), port_of_client);
    if (back.verdict != net::Verdict::forward) return std::string(net::to_string(back.reason));
    const Ends seen = ends_of(back.frame);
    if (seen.source != called.destination || seen.source_port != called.destination_port ||
        seen.destination_port != called.source_port) {
      return "another server";
    }
    return net::to_string(ends.destination, ends.destination_port) + " from " +
           net::to_string(ends.source, ends.source_port);
  }

  Lab& lab_;
  Dialogue talk_;

 private:
  std::string pass(TcpEnd& from, TcpEnd& to, std::string_view text) {
    const size_t before = to.heard().size();
    from.say(text);
    if (!talk_.run([&] { return from.is_quiet(); })) return "it is stuck: " + talk_.last_drop_;
    EXPECT_EQ(talk_.complaint(), "");
    return to.heard().substr(before);
  }
  bool open_ = false;
};

/// "PORT 10,0,0,1,4,0\r\n" -> 1024.
inline uint16_t port_in(const std::string& line) {
  const size_t low = line.rfind(','), high = line.rfind(',', low - 1);
  return static_cast<uint16_t>(std::stoi(line.substr(high + 1)) * 256 +
                               std::stoi(line.substr(low + 1)));
}

}  // namespace nezu::lab
