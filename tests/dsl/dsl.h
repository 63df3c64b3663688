// Packets written as sentences: `eth() / vlan(5) / ipv4("192.0.2.7", "203.0.113.10") / udp(5, 53)`.
//
// Each function makes a header with usable defaults, each member changes one field, `/` puts the
// right side behind the left. Lengths, next-header numbers and checksums are made from scratch when
// the stack becomes a Frame, by plain code that shares nothing with the packet path; a field that
// was set by hand stays as set, so that every malformed packet can be written too. Addresses are
// text, ports and numbers are host order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dataplane/net/address.h"
#include "tests/dsl/frame.h"

namespace nezu::dsl {

/// What a transport header must know of the IP header in front of it.
struct Pseudo {
  Bytes addresses;
};

class Layer {
 public:
  virtual ~Layer() = default;
  virtual uint16_t ethertype() const { return 0; }
  /// As the IP header in front says it; `v6`: that header's version.
  virtual uint8_t protocol() const { return 59; }
  virtual Bytes bytes(const Pseudo& outer, const Layer* next, const Bytes& payload) const = 0;
  virtual Pseudo pseudo(const Pseudo& outer) const { return outer; }
  virtual Bytes fit(Bytes payload) const { return payload; }
};

/// Headers, outermost first.
class Stack {
 public:
  void push(std::shared_ptr<const Layer> layer) { layers_.push_back(std::move(layer)); }
  Bytes bytes() const { return from(0, {}); }
  operator Frame() const { return Frame(bytes()); }  // NOLINT: a stack is a frame
  friend bool operator==(const Frame& a, const Stack& b) { return a == Frame(b); }
  friend void PrintTo(const Stack& stack, std::ostream* out) { PrintTo(Frame(stack), out); }

 private:
  Bytes from(size_t index, const Pseudo& outer) const;
  std::vector<std::shared_ptr<const Layer>> layers_;
};

class Eth : public Layer {
 public:
  Eth& from(std::string_view mac);
  Eth& to(std::string_view mac);
  Eth& type(uint16_t value) { return type_ = value, *this; }
  Bytes bytes(const Pseudo&, const Layer* next, const Bytes&) const override;

 private:
  net::MacAddress from_{{2, 0, 0, 0, 0, 1}}, to_{{2, 0, 0, 0, 0, 2}};
  std::optional<uint16_t> type_;
};

class Vlan : public Layer {
 public:
  explicit Vlan(uint16_t id) : id_(id) {}
  Vlan& priority(uint8_t value) { return priority_ = value, *this; }
  Vlan& type(uint16_t value) { return type_ = value, *this; }
  uint16_t ethertype() const override { return 0x8100; }
  Bytes bytes(const Pseudo&, const Layer* next, const Bytes&) const override;

 private:
  uint16_t id_;
  uint8_t priority_ = 0;
  std::optional<uint16_t> type_;
};

class Arp : public Layer {
 public:
  Arp(uint16_t operation, std::string_view sender, std::string_view target);
  Arp& sender_mac(std::string_view mac);
  Arp& target_mac(std::string_view mac);
  uint16_t ethertype() const override { return 0x0806; }
  Bytes bytes(const Pseudo&, const Layer*, const Bytes&) const override;

 private:
  uint16_t operation_;
  net::MacAddress sender_mac_{{2, 0, 0, 0, 0, 1}}, target_mac_{};
  net::Address sender_, target_;
};

class Ipv4 : public Layer {
 public:
  Ipv4(std::string_view source, std::string_view destination);
  Ipv4& ttl(uint8_t value) { return ttl_ = value, *this; }
  Ipv4& tos(uint8_t value) { return tos_ = value, *this; }
  Ipv4& id(uint16_t value) { return id_ = value, *this; }
  Ipv4& dont_fragment() { return fragment_ |= 0x4000, *this; }
  /// `offset` in bytes.
  Ipv4& fragment(uint16_t offset, bool more);
  Ipv4& options(Bytes bytes) { return options_ = std::move(bytes), *this; }
  Ipv4& protocol(uint8_t value) { return protocol_ = value, *this; }
  Ipv4& version(uint8_t value) { return version_ = value, *this; }
  Ipv4& header_words(uint8_t value) { return header_words_ = value, *this; }
  Ipv4& total_length(uint16_t value) { return total_length_ = value, *this; }
  Ipv4& checksum(uint16_t value) { return checksum_ = value, *this; }
  uint16_t ethertype() const override { return 0x0800; }
  uint8_t protocol() const override { return 4; }
  Bytes bytes(const Pseudo&, const Layer* next, const Bytes& payload) const override;
  Pseudo pseudo(const Pseudo&) const override;

 private:
  net::Address source_, destination_;
  uint8_t ttl_ = 64, tos_ = 0, version_ = 4;
  uint16_t id_ = 0, fragment_ = 0;
  Bytes options_;
  std::optional<uint8_t> protocol_, header_words_;
  std::optional<uint16_t> total_length_, checksum_;
};

class Ipv6 : public Layer {
 public:
  Ipv6(std::string_view source, std::string_view destination);
  Ipv6& hops(uint8_t value) { return hops_ = value, *this; }
  Ipv6& traffic_class(uint8_t value) { return class_ = value, *this; }
  Ipv6& label(uint32_t value) { return label_ = value, *this; }
  Ipv6& next(uint8_t value) { return next_ = value, *this; }
  Ipv6& version(uint8_t value) { return version_ = value, *this; }
  Ipv6& payload_length(uint16_t value) { return payload_length_ = value, *this; }
  uint16_t ethertype() const override { return 0x86dd; }
  uint8_t protocol() const override { return 41; }
  Bytes bytes(const Pseudo&, const Layer* next, const Bytes& payload) const override;
  Pseudo pseudo(const Pseudo&) const override;

 private:
  net::Address source_, destination_;
  uint8_t hops_ = 64, class_ = 0, version_ = 6;
  uint32_t label_ = 0;
  std::optional<uint8_t> next_;
  std::optional<uint16_t> payload_length_;
};

/// Hop-by-hop (0), routing (43), fragment (44), authentication (51), destination options (60).
class Extension : public Layer {
 public:
  /// `rest`: what follows next header and length; its size gives the length.
  Extension(uint8_t number, Bytes rest) : number_(number), rest_(std::move(rest)) {}
  Extension& next(uint8_t value) { return next_ = value, *this; }
  Extension& length(uint8_t value) { return length_ = value, *this; }
  uint8_t protocol() const override { return number_; }
  Bytes bytes(const Pseudo&, const Layer* next, const Bytes&) const override;

 private:
  uint8_t number_;
  Bytes rest_;
  std::optional<uint8_t> next_, length_;
};

class Tcp : public Layer {
 public:
  Tcp(uint16_t source, uint16_t destination) : source_(source), destination_(destination) {}
  Tcp& syn() { return flags_ |= 2, *this; }
  Tcp& fin() { return flags_ |= 1, *this; }
  Tcp& rst() { return flags_ |= 4, *this; }
  Tcp& psh() { return flags_ |= 8, *this; }
  Tcp& urg() { return flags_ |= 32, *this; }
  Tcp& ack(uint32_t value) { return flags_ |= 16, acknowledgement_ = value, *this; }
  Tcp& seq(uint32_t value) { return sequence_ = value, *this; }
  Tcp& window(uint16_t value) { return window_ = value, *this; }
  Tcp& flags(uint8_t value) { return flags_ = value, *this; }
  /// Filled up with no-operations to whole words.
  Tcp& options(Bytes bytes);
  Tcp& offset_words(uint8_t value) { return offset_words_ = value, *this; }
  Tcp& checksum(uint16_t value) { return checksum_ = value, *this; }
  uint8_t protocol() const override { return 6; }
  Bytes bytes(const Pseudo& outer, const Layer*, const Bytes& payload) const override;

 private:
  uint16_t source_, destination_, window_ = 65535;
  uint32_t sequence_ = 0, acknowledgement_ = 0;
  uint8_t flags_ = 0;
  Bytes options_;
  std::optional<uint8_t> offset_words_;
  std::optional<uint16_t> checksum_;
};

class Udp : public Layer {
 public:
  Udp(uint16_t source, uint16_t destination) : source_(source), destination_(destination) {}
  Udp& length(uint16_t value) { return length_ = value, *this; }
  Udp& checksum(uint16_t value) { return checksum_ = value, *this; }
  Udp& no_checksum() { return checksum(0); }
  uint8_t protocol() const override { return 17; }
  Bytes bytes(const Pseudo& outer, const Layer*, const Bytes& payload) const override;

 private:
  uint16_t source_, destination_;
  std::optional<uint16_t> length_, checksum_;
};

/// ICMP and ICMPv6. What follows an error is the packet that it is about.
class Icmp : public Layer {
 public:
  Icmp(bool v6, uint8_t type, uint8_t code, uint32_t rest = 0)
      : v6_(v6), type_(type), code_(code), rest_(rest) {}
  Icmp& rest(uint32_t value) { return rest_ = value, *this; }
  /// Only the first `bytes` of what follows are in the message.
  Icmp& quoting(size_t bytes) { return quoting_ = bytes, *this; }
  Icmp& checksum(uint16_t value) { return checksum_ = value, *this; }
  uint8_t protocol() const override { return v6_ ? 58 : 1; }
  Bytes bytes(const Pseudo& outer, const Layer*, const Bytes& payload) const override;
  Bytes fit(Bytes payload) const override;

 private:
  bool v6_;
  uint8_t type_, code_;
  uint32_t rest_;
  std::optional<size_t> quoting_;
  std::optional<uint16_t> checksum_;
};

class Payload : public Layer {
 public:
  explicit Payload(Bytes bytes, uint8_t protocol = 59)
      : bytes_(std::move(bytes)), protocol_(protocol) {}
  uint8_t protocol() const override { return protocol_; }
  Bytes bytes(const Pseudo&, const Layer*, const Bytes&) const override { return bytes_; }

 private:
  Bytes bytes_;
  uint8_t protocol_;
};

// The words of the language.
inline Eth eth() { return {}; }
inline Vlan vlan(uint16_t id) { return Vlan(id); }
inline Arp arp_request(std::string_view sender, std::string_view target) {
  return {1, sender, target};
}
inline Arp arp_reply(std::string_view sender, std::string_view target) {
  return {2, sender, target};
}
inline Ipv4 ipv4(std::string_view source, std::string_view destination) {
  return {source, destination};
}
inline Ipv6 ipv6(std::string_view source, std::string_view destination) {
  return {source, destination};
}
inline Tcp tcp(uint16_t source, uint16_t destination) { return {source, destination}; }
inline Udp udp(uint16_t source, uint16_t destination) { return {source, destination}; }
inline Icmp icmp(uint8_t type, uint8_t code = 0) { return {false, type, code}; }
inline Icmp icmpv6(uint8_t type, uint8_t code = 0) { return {true, type, code}; }
inline Icmp echo_request(uint16_t id, uint16_t sequence) {
  return {false, 8, 0, id * 65536u + sequence};
}
inline Icmp echo_reply(uint16_t id, uint16_t sequence) {
  return {false, 0, 0, id * 65536u + sequence};
}
inline Icmp echo_request6(uint16_t id, uint16_t sequence) {
  return {true, 128, 0, id * 65536u + sequence};
}
inline Icmp echo_reply6(uint16_t id, uint16_t sequence) {
  return {true, 129, 0, id * 65536u + sequence};
}
inline Icmp port_unreachable() { return {false, 3, 3}; }
inline Icmp port_unreachable6() { return {true, 1, 4}; }
inline Icmp time_exceeded() { return {false, 11, 0}; }
inline Icmp time_exceeded6() { return {true, 3, 0}; }
inline Icmp fragmentation_needed(uint16_t mtu) { return {false, 3, 4, mtu}; }
inline Icmp packet_too_big(uint32_t mtu) { return {true, 2, 0, mtu}; }
/// 6 bytes (PadN) unless given.
inline Extension hop_by_hop(Bytes rest = {1, 4, 0, 0, 0, 0}) { return {0, std::move(rest)}; }
inline Extension destination_options(Bytes rest = {1, 4, 0, 0, 0, 0}) {
  return {60, std::move(rest)};
}
Extension routing(uint8_t type, uint8_t segments_left);
Extension fragment(uint16_t offset, bool more, uint32_t id);
Extension authentication();
/// `length` bytes 0, 1, 2, ...
Payload fill(size_t length);
inline Payload raw(Bytes bytes, uint8_t protocol = 59) {
  return Payload(std::move(bytes), protocol);
}

template <typename L>
concept IsLayer = std::is_base_of_v<Layer, std::remove_cvref_t<L>>;

template <IsLayer L>
Stack operator/(Stack stack, const L& layer) {
  stack.push(std::make_shared<L>(layer));
  return stack;
}
template <IsLayer First, IsLayer Second>
Stack operator/(const First& first, const Second& second) {
  return Stack{} / first / second;
}
inline Stack operator/(Stack stack, std::string_view text) {
  return std::move(stack) / Payload(Bytes(text.begin(), text.end()));
}
template <IsLayer First>
Stack operator/(const First& first, std::string_view text) {
  return Stack{} / first / text;
}

}  // namespace nezu::dsl
