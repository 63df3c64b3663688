// Random packets for property tests: every combination that the parser lets through, at random.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tests/dsl/dsl.h"

namespace nezu::property {

/// One conversation's ends, as text and number.
struct Side {
  std::string address;
  uint16_t port;
};

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  uint32_t below(uint32_t limit) { return random_() % limit; }
  bool coin() { return (random_() & 1) != 0; }
  uint16_t port() { return static_cast<uint16_t>(1 + below(65535)); }

  std::string address4() {
    // The extremes too: sums are most wrong where bytes are 0 and 255.
    const auto octet = [this] { return std::to_string(coin() ? below(256) : 255 * below(2)); };
    return std::to_string(1 + below(126)) + '.' + octet() + '.' + octet() + '.' + octet();
  }
  std::string address6() {
    std::string text = "2001:db8";
    constexpr char kDigits[] = "0123456789abcdef";
    for (int group = 0; group < 6; ++group) {
      const uint32_t value = coin() ? below(65536) : 0xffff * below(2);
      text += ':';
      for (const int shift : {12, 8, 4, 0}) text += kDigits[value >> shift & 15];
    }
    return text;
  }
  Side side(bool v6) { return {v6 ? address6() : address4(), port()}; }

  dsl::Bytes bytes(size_t length) {
    dsl::Bytes result(length);
    const uint32_t kind = below(3);
    for (auto& byte : result) {
      byte = kind == 0 ? 0 : kind == 1 ? uint8_t{255} : static_cast<uint8_t>(random_());
    }
    return result;
  }

 private:
  std::mt19937 random_;
};

/// Everything about a packet but its ends, so that the same packet can be written with others.
struct Shape {
  bool v6, tcp, no_sum, options, tagged;
  uint8_t hops, tos;
  uint32_t sequence;
  dsl::Bytes payload;

  static Shape random(Dice& dice) {
    Shape shape{};
    shape.v6 = dice.coin();
    shape.tcp = dice.coin();
    shape.no_sum = !shape.v6 && dice.below(8) == 0;
    shape.options = dice.below(4) == 0;
    shape.tagged = dice.below(4) == 0;
    shape.hops = static_cast<uint8_t>(2 + dice.below(254));
    shape.tos = static_cast<uint8_t>(dice.below(256));
    shape.sequence = dice.below(0xffffffff);
    shape.payload = dice.bytes(dice.below(64));
    return shape;
  }

  dsl::Stack ethernet() const {
    const dsl::Stack plain = dsl::Stack{} / dsl::eth();
    return tagged ? plain / dsl::vlan(5) : plain;
  }
  /// IP and transport behind what is there already; `hop`: hops already made.
  dsl::Stack behind(dsl::Stack stack, const Side& from, const Side& to, uint8_t hop = 0) const {
    const auto left = static_cast<uint8_t>(hops - hop);
    if (v6) {
      stack = stack / dsl::ipv6(from.address, to.address).hops(left).traffic_class(tos);
      if (options) stack = stack / dsl::hop_by_hop() / dsl::destination_options();
    } else {
      dsl::Ipv4 ip = dsl::ipv4(from.address, to.address).ttl(left).tos(tos).id(77);
      if (options) ip.options({7, 7, 4, 0, 0, 0, 0, 1});
      stack = stack / ip;
    }
    if (tcp) {
      return stack / dsl::tcp(from.port, to.port).seq(sequence).ack(~sequence) / dsl::raw(payload);
    }
    dsl::Udp udp = dsl::udp(from.port, to.port);
    if (no_sum) udp.no_checksum();
    return stack / udp / dsl::raw(payload);
  }
  dsl::Frame frame(const Side& from, const Side& to, uint8_t hop = 0) const {
    return behind(ethernet(), from, to, hop);
  }
};

}  // namespace nezu::property
