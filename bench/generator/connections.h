// TCP connections through the device, both ends in one process.
//
// One thread; pure: segments in, segments out, time as an argument. The clients' end holds the
// state of each connection, asks, checks the answer, and retransmits. The servers' end holds none:
// the number that it begins with is a keyed hash of the flow as it sees it, so that each segment
// tells how far its connection is, and a client's retransmission makes it say its part again. So
// the number of connections is bounded by 40 bytes each, and a server never times out before its
// client.
//
//   closed -> opening -> asking -> held -> asking ... -> closing -> closed
//             SYN        request           FIN           FIN and its ACK
//
// An answer must carry the connection's number and turn, and come from the server that answered
// before. RFC 9293.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "bench/generator/pacer.h"
#include "bench/generator/segment.h"
#include "dataplane/net/range.h"

namespace nezu::generator {

struct ConnectionOptions {
  net::Range clients;
  net::PortRange client_ports;
  std::vector<net::Address> targets;  ///< clients take them in turn
  uint16_t target_port = 80;
  uint32_t request = 64, response = 1024;  ///< bytes of payload, 16 at least
  uint16_t most_payload = 1400;            ///< of a segment
  double hz = 1;                           ///< of the clock
  double retransmit_seconds = 1;
  uint32_t retransmissions = 3;
  uint64_t most = 1 << 20;  ///< connections, at once; 0: servers' ends alone
  /// Whence a device checks the servers that are played.
  std::optional<net::Address> checker;
  uint64_t seed = 1;
};

struct ConnectionCounts {
  uint64_t attempted = 0, established = 0, completed = 0, closed = 0;
  uint64_t failed = 0;                ///< given up, or answered wrongly
  uint64_t resets = 0;                ///< RSTs that came to either end; nobody here sends any
  uint64_t retransmitted = 0;         ///< segments
  uint64_t accepted = 0, served = 0;  ///< by the servers' end
  uint64_t skipped = 0;               ///< not opened in time: a pause, or no free port
  uint64_t moved = 0;                 ///< of `failed`: another server answered
  uint64_t checks = 0;                ///< connections that a device began to check a server
};

class Connections {
 public:
  explicit Connections(const ConnectionOptions& options);

  /// Opens so many a second from now on, `count` in all; each asks once and then is closed, or
  /// held.
  void open(double rate, uint64_t count, bool closes, uint64_t now);
  /// Asks, or closes, each one that is held, once.
  void ask_all(double rate, uint64_t now);
  void close_all(double rate, uint64_t now);
  /// What goes on is finished, but nothing is begun any more.
  void stop() { job_ = nullptr; }

  void receive(const SeenSegment& seen, uint64_t now);
  /// What is due; then `take` until it says no. To the right go the clients' segments.
  void turn(uint64_t now);
  bool take(Way way, Segment& out);

  /// Nothing is to be begun, sent or waited for.
  bool settled() const {
    return job_ == nullptr && busy_ == 0 && out_[0].empty() && out_[1].empty();
  }
  uint64_t held() const { return held_; }
  /// Of these: by this server.
  uint64_t held_by(const net::Address& server) const;
  /// In a life at all: opening, asking, held or closing.
  uint64_t alive() const { return held_ + busy_; }
  const ConnectionCounts& counts() const { return counts_; }

 private:
  enum class State : uint8_t { closed, opening, asking, held, closing };
  struct Connection {
    State state = State::closed;
    uint8_t tries = 0;
    bool closes = false;
    bool has_server = false;
    uint32_t sequence = 0;  ///< the next byte to be sent, and acknowledged before asking again
    uint32_t expected = 0;  ///< the next byte of the server's
    uint32_t answered = 0;  ///< bytes of the present answer
    uint32_t turn = 0;
    uint32_t server = 0;
    uint64_t deadline = 0;
  };
  enum class Work : uint8_t { open, ask, close };
  struct Job {
    Work work;
    Pacer pacer;
    uint64_t left;
    uint32_t at;
    bool closes;
  };
  struct Waiting {
    uint32_t number;
    uint64_t deadline;
  };

  uint64_t number_of(const Tuple& answer) const;
  Tuple flow_of(uint32_t number) const;
  void begin(uint32_t number, bool closes, uint64_t now);
  void begin_asking(uint32_t number, uint64_t now);
  void begin_closing(uint32_t number, uint64_t now);
  void speak(uint32_t number, uint64_t now);
  void acknowledge(uint32_t number);
  void end(uint32_t number, bool failed);
  void to_client(const SeenSegment& seen, uint32_t number, uint64_t now);
  void to_server(const SeenSegment& seen);
  void answered(uint32_t number, uint64_t now);
  uint32_t first_of_server(const Tuple& flow) const;
  bool do_one(Job& job, uint64_t now);

  ConnectionOptions options_;
  std::vector<net::Address> addresses_;
  uint32_t ports_;
  std::vector<Connection> connections_;
  std::deque<uint32_t> free_;  ///< in the order in which they ended
  std::deque<Waiting> waiting_;
  std::deque<Segment> out_[2];  ///< by Way
  std::unique_ptr<Job> job_;
  uint64_t held_ = 0, busy_ = 0;
  uint64_t interval_;
  ConnectionCounts counts_;
};

}  // namespace nezu::generator
