// A connection between two models of TCP through the balancer, over wires that lose, double and
// reorder (tcp_end.h).
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "tests/path/frames.h"
#include "tests/path/tcp_end.h"

namespace nezu::lab {

struct Wires {
  double lost = 0, doubled = 0, late = 0;  ///< shares of the segments, on each wire
};

/// A segment as a frame, and back.
inline dsl::Frame frame_of(const TcpSegment& segment, const Ends& ends) {
  dsl::Tcp tcp(ends.source_port, ends.destination_port);
  tcp.seq(segment.sequence).psh();
  if (segment.ack) tcp.ack(segment.acknowledgement);
  if (segment.syn) tcp.flags(segment.ack ? 0x12 : 0x02);
  if (segment.fin) tcp.fin();
  dsl::Bytes options;
  const auto put = [&options](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      options.push_back(static_cast<uint8_t>(value >> shift));
  };
  if (segment.segment_size != 0) {
    options = {2, 4, static_cast<uint8_t>(segment.segment_size >> 8),
               static_cast<uint8_t>(segment.segment_size)};
  }
  if (!segment.blocks.empty()) {
    // At an odd place, as nothing forbids.
    options = {1, 5, static_cast<uint8_t>(2 + 8 * segment.blocks.size())};
    for (const auto& [left, right] : segment.blocks) put(left), put(right);
  }
  if (!options.empty()) tcp.options(options);
  const std::string source = net::to_string(ends.source), to = net::to_string(ends.destination);
  if (ends.source.is_v4()) {
    return dsl::eth() / dsl::ipv4(source, to).dont_fragment() / tcp / segment.payload;
  }
  return dsl::eth() / dsl::ipv6(source, to) / tcp / segment.payload;
}

inline TcpSegment segment_of(const dsl::Frame& frame) {
  const auto bytes = frame.bytes();
  const bool v4 = bytes[12] == 8;
  const size_t l4 = v4 ? 34 : 54;
  const size_t end = v4 ? 14 + (bytes[16] * 256u + bytes[17]) : 54 + (bytes[18] * 256u + bytes[19]);
  const auto word = [&](size_t at) { return net::swap32(net::load<uint32_t>(&bytes[at])); };
  TcpSegment segment;
  segment.sequence = word(l4 + 4);
  segment.acknowledgement = word(l4 + 8);
  const uint8_t flags = bytes[l4 + 13];
  segment.fin = flags & 1, segment.syn = flags & 2, segment.rst = flags & 4,
  segment.ack = flags & 16;
  const size_t payload = l4 + (bytes[l4 + 12] >> 4) * 4u;
  for (size_t at = l4 + 20; at < payload && bytes[at] != 0;) {
    if (bytes[at] == 1) {
      ++at;
      continue;
    }
    if (bytes[at] == 2) segment.segment_size = static_cast<uint16_t>(word(at) & 0xffff);
    for (size_t block = at + 2; bytes[at] == 5 && block < at + bytes[at + 1]; block += 8) {
      segment.blocks.emplace_back(word(block), word(block + 4));
    }
    at += bytes[at + 1];
  }
  segment.payload.assign(bytes.begin() + static_cast<ptrdiff_t>(payload),
                         bytes.begin() + static_cast<ptrdiff_t>(end));
  return segment;
}

/// Both sums from scratch: whatever leaves the balancer is right.
inline bool sums_up(const dsl::Frame& frame, const TcpSegment& segment) {
  const auto bytes = frame.bytes();
  const bool v4 = bytes[12] == 8;
  const size_t l4 = v4 ? 34 : 54, addresses = v4 ? 26 : 22;
  const size_t end = v4 ? 14 + (bytes[16] * 256u + bytes[17]) : 54 + (bytes[18] * 256u + bytes[19]);
  uint32_t sum = 6 + static_cast<uint32_t>(end - l4);
  for (size_t i = addresses; i < end; ++i) {
    if (i >= l4 || i < addresses + (v4 ? 8 : 32)) sum += i % 2 == 0 ? bytes[i] * 256u : bytes[i];
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  (void)segment;
  return sum == 0xffff;
}

class Dialogue {
 public:
  Dialogue(Lab& lab, Wires wires, uint32_t seed, Ends client, TcpEnd caller, TcpEnd callee)
      : lab_(lab),
        wires_(wires),
        random_(seed),
        ends_(client),
        caller_(std::move(caller)),
        callee_(std::move(callee)) {}

  /// The client is an inside host, its server an outside one.
  void turn_outward() { from_client_ = 1; }
  TcpEnd& client() { return caller_; }
  TcpEnd& server() { return callee_; }
  const Ends& at_server() const { return server_ends_; }

  /// One unit of time: what is due arrives, both speak.
  void step() {
    ++time_;
    if (time_ % 8 == 0) lab_.advance(0.01);
    for (size_t i = 0; i < due_.size();) {
      if (due_[i].when > time_) {
        ++i;
        continue;
      }
      const Due due = due_[i];
      due_.erase(due_.begin() + static_cast<ptrdiff_t>(i));
      (due.to_server ? callee_ : caller_).hear(due.segment);
    }
    for (const TcpSegment& segment : caller_.speak(time_, kPatience)) carry(segment, true);
    for (const TcpSegment& segment : callee_.speak(time_, kPatience)) carry(segment, false);
    for (const Fate& fate : lab_.said()) {
      if (fate.verdict != net::Verdict::forward) continue;
      const bool to_server = ends_of(fate.frame).destination == server_ends_.destination;
      deliver(segment_of(fate.frame), fate.frame, to_server);
    }
  }
  template <typename Until>
  bool run(Until until, uint32_t most = 20000) {
    for (uint32_t i = 0; i < most && !until(); ++i) step();
    return until();
  }
  /// The first thing that no right peer would have sent.
  std::string complaint() const {
    if (!complaint_.empty()) return complaint_;
    if (!caller_.complaint().empty()) return "client: " + caller_.complaint();
    return callee_.complaint().empty() ? "" : "server: " + callee_.complaint();
  }

 private:
  static constexpr uint32_t kPatience = 20;
  struct Due {
    uint32_t when;
    bool to_server;
    TcpSegment segment;
  };

  bool chance(double share) { return std::uniform_real_distribution<>()(random_) < share; }

  /// Over the first wire, through the balancer, over the second.
  void carry(const TcpSegment& segment, bool to_server) {
    if (chance(wires_.lost)) return;
    const int copies = chance(wires_.doubled) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const Ends& ends = to_server ? ends_ : back_ends();
      const Fate fate =
          lab_.send(frame_of(segment, ends), static_cast<uint16_t>(random_() % lab_.workers()),
                    to_server ? from_client_ : static_cast<uint16_t>(1 - from_client_));
      if (fate.verdict == net::Verdict::reply) {
        const bool tcp = fate.frame.bytes()[fate.frame.bytes()[12] == 8 ? 23 : 20] == 6;
        if (tcp)
          deliver(segment_of(fate.frame), fate.frame, !to_server);
        else
          last_drop_ = net::to_string(fate.reason);
      } else if (fate.verdict == net::Verdict::forward) {
        if (to_server) server_ends_ = ends_of(fate.frame);
        deliver(segment_of(fate.frame), fate.frame, to_server);
      } else {
        last_drop_ = net::to_string(fate.reason);
      }
    }
  }
  void deliver(const TcpSegment& segment, const dsl::Frame& frame, bool to_server) {
    if (!sums_up(frame, segment) && complaint_.empty()) complaint_ = "a wrong checksum";
    if (chance(wires_.lost)) return;
    const uint32_t delay = chance(wires_.late) ? 3 + random_() % 20 : 2;
    due_.push_back({time_ + delay, to_server, segment});
  }
  Ends back_ends() const {
    return {server_ends_.destination, server_ends_.source, server_ends_.destination_port,
            server_ends_.source_port};
  }

  Lab& lab_;
  Wires wires_;
  std::mt19937 random_;
  Ends ends_, server_ends_;
  uint16_t from_client_ = 0;  ///< port
  TcpEnd caller_, callee_;
  std::vector<Due> due_;
  uint32_t time_ = 0;
  std::string complaint_;

 public:
  std::string last_drop_;
};

}  // namespace nezu::lab
