#include "tests/dsl/dsl.h"

#include <cstdlib>
#include <iostream>

namespace nezu::dsl {
namespace {

/// A test that misspells an address is wrong itself.
template <typename T>
T must(std::optional<T> value, std::string_view text) {
  if (value) return *value;
  std::cerr << "not an address: \"" << text << "\"\n";
  std::abort();
}

void put8(Bytes& to, uint8_t value) { to.push_back(value); }
void put16(Bytes& to, uint32_t value) {
  put8(to, static_cast<uint8_t>(value >> 8));
  put8(to, static_cast<uint8_t>(value));
}
void put32(Bytes& to, uint32_t value) {
  put16(to, value >> 16);
  put16(to, value & 0xffff);
}
void put(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
void put(Bytes& to, const net::MacAddress& mac) {
  to.insert(to.end(), mac.bytes.begin(), mac.bytes.end());
}
void put(Bytes& to, const net::Address& address) {
  to.insert(to.end(), address.bytes.begin() + (address.is_v4() ? 12 : 0), address.bytes.end());
}
void set16(Bytes& in, size_t at, uint32_t value) {
  in[at] = static_cast<uint8_t>(value >> 8);
  in[at + 1] = static_cast<uint8_t>(value);
}

/// RFC 1071, two bytes at a time in the order of the text: on purpose not the product's code.
uint16_t sum_of(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8);
    if (i + 1 < bytes.size()) sum += bytes[i + 1];
    if (sum > 0xffff) sum = (sum & 0xffff) + 1;
  }
  return static_cast<uint16_t>(~sum);
}

uint16_t transport_sum(const Pseudo& outer, uint8_t protocol, const Bytes& segment) {
  Bytes all = outer.addresses;
  put32(all, static_cast<uint32_t>(segment.size()));
  put32(all, protocol);
  put(all, segment);
  return sum_of(all);
}

Bytes joined(Bytes header, const Bytes& payload) {
  put(header, payload);
  return header;
}

}  // namespace

Bytes Stack::from(size_t index, const Pseudo& outer) const {
  if (index == layers_.size()) return {};
  const Layer& layer = *layers_[index];
  const Layer* next = index + 1 < layers_.size() ? layers_[index + 1].get() : nullptr;
  const Bytes payload = layer.fit(from(index + 1, layer.pseudo(outer)));
  return joined(layer.bytes(outer, next, payload), payload);
}

Eth& Eth::from(std::string_view mac) {
  from_ = must(net::parse_mac(mac), mac);
  return *this;
}
Eth& Eth::to(std::string_view mac) {
  to_ = must(net::parse_mac(mac), mac);
  return *this;
}
Bytes Eth::bytes(const Pseudo&, const Layer* next, const Bytes&) const {
  Bytes out;
  put(out, to_);
  put(out, from_);
  put16(out, type_.value_or(next != nullptr ? next->ethertype() : 0));
  return out;
}

Bytes Vlan::bytes(const Pseudo&, const Layer* next, const Bytes&) const {
  Bytes out;
  put16(out, static_cast<uint32_t>(priority_ << 13 | id_));
  put16(out, type_.value_or(next != nullptr ? next->ethertype() : 0));
  return out;
}

Arp::Arp(uint16_t operation, std::string_view sender, std::string_view target)
    : operation_(operation),
      sender_(must(net::parse_address(sender), sender)),
      target_(must(net::parse_address(target), target)) {}
Arp& Arp::sender_mac(std::string_view mac) {
  sender_mac_ = must(net::parse_mac(mac), mac);
  return *this;
}
Arp& Arp::target_mac(std::string_view mac) {
  target_mac_ = must(net::parse_mac(mac), mac);
  return *this;
}
Bytes Arp::bytes(const Pseudo&, const Layer*, const Bytes&) const {
  Bytes out{0, 1, 8, 0, 6, 4};
  put16(out, operation_);
  put(out, sender_mac_);
  put(out, sender_);
  put(out, target_mac_);
  put(out, target_);
  return out;
}

Ipv4::Ipv4(std::string_view source, std::string_view destination)
    : source_(must(net::parse_address(source), source)),
      destination_(must(net::parse_address(destination), destination)) {}
Ipv4& Ipv4::fragment(uint16_t offset, bool more) {
  fragment_ = static_cast<uint16_t>((fragment_ & 0x4000) | (more ? 0x2000 : 0) | offset / 8);
  return *this;
}
Bytes Ipv4::bytes(const Pseudo&, const Layer* next, const Bytes& payload) const {
  const size_t words = 5 + (options_.size() + 3) / 4;
  Bytes out;
  put8(out,
       static_cast<uint8_t>(version_ << 4 | header_words_.value_or(static_cast<uint8_t>(words))));
  put8(out, tos_);
  put16(out, total_length_.value_or(static_cast<uint16_t>(words * 4 + payload.size())));
  put16(out, id_);
  put16(out, fragment_);
  put8(out, ttl_);
  put8(out, protocol_.value_or(next != nullptr ? next->protocol() : 59));
  put16(out, 0);
  put(out, source_);
  put(out, destination_);
  put(out, options_);
  out.resize(words * 4);
  set16(out, 10, checksum_.value_or(sum_of(out)));
  return out;
}
Pseudo Ipv4::pseudo(const Pseudo&) const {
  Pseudo pseudo;
  put(pseudo.addresses, source_);
  put(pseudo.addresses, destination_);
  return pseudo;
}

Ipv6::Ipv6(std::string_view source, std::string_view destination)
    : source_(must(net::parse_address(source), source)),
      destination_(must(net::parse_address(destination), destination)) {}
Bytes Ipv6::bytes(const Pseudo&, const Layer* next, const Bytes& payload) const {
  Bytes out;
  put32(out, static_cast<uint32_t>(version_) << 28 | static_cast<uint32_t>(class_) << 20 | label_);
  put16(out, payload_length_.value_or(static_cast<uint16_t>(payload.size())));
  put8(out, next_.value_or(next != nullptr ? next->protocol() : 59));
  put8(out, hops_);
  out.insert(out.end(), source_.bytes.begin(), source_.bytes.end());
  out.insert(out.end(), destination_.bytes.begin(), destination_.bytes.end());
  return out;
}
Pseudo Ipv6::pseudo(const Pseudo&) const {
  Pseudo pseudo;
  pseudo.addresses.assign(source_.bytes.begin(), source_.bytes.end());
  pseudo.addresses.insert(pseudo.addresses.end(), destination_.bytes.begin(),
                          destination_.bytes.end());
  return pseudo;
}

Bytes Extension::bytes(const Pseudo&, const Layer* next, const Bytes&) const {
  const size_t size = rest_.size() + 2;
  size_t length = size / 8 - 1;
  if (number_ == 51) length = size / 4 - 2;
  if (number_ == 44) length = 0;
  Bytes out;
  put8(out, next_.value_or(next != nullptr ? next->protocol() : 59));
  put8(out, length_.value_or(static_cast<uint8_t>(length)));
  put(out, rest_);
  return out;
}

Tcp& Tcp::options(Bytes bytes) {
  options_ = std::move(bytes);
  while (options_.size() % 4 != 0) options_.push_back(1);
  return *this;
}
Bytes Tcp::bytes(const Pseudo& outer, const Layer*, const Bytes& payload) const {
  const size_t words = 5 + options_.size() / 4;
  Bytes out;
  put16(out, source_);
  put16(out, destination_);
  put32(out, sequence_);
  put32(out, acknowledgement_);
  put8(out, static_cast<uint8_t>(offset_words_.value_or(static_cast<uint8_t>(words)) << 4));
  put8(out, flags_);
  put16(out, window_);
  put16(out, 0);
  put16(out, 0);
  put(out, options_);
  set16(out, 16, checksum_.value_or(transport_sum(outer, 6, joined(out, payload))));
  return out;
}

Bytes Udp::bytes(const Pseudo& outer, const Layer*, const Bytes& payload) const {
  Bytes out;
  put16(out, source_);
  put16(out, destination_);
  put16(out, length_.value_or(static_cast<uint16_t>(8 + payload.size())));
  put16(out, 0);
  const uint16_t sum = transport_sum(outer, 17, joined(out, payload));
  set16(out, 6, checksum_.value_or(sum == 0 ? 0xffff : sum));
  return out;
}

Bytes Icmp::bytes(const Pseudo& outer, const Layer*, const Bytes& payload) const {
  Bytes out;
  put8(out, type_);
  put8(out, code_);
  put16(out, 0);
  put32(out, rest_);
  const Bytes all = joined(out, payload);
  set16(out, 2, checksum_.value_or(v6_ ? transport_sum(outer, 58, all) : sum_of(all)));
  return out;
}
Bytes Icmp::fit(Bytes payload) const {
  if (quoting_ && *quoting_ < payload.size()) payload.resize(*quoting_);
  return payload;
}

Extension routing(uint8_t type, uint8_t segments_left) {
  Bytes rest{type, segments_left, 0, 0, 0, 0};
  rest.resize(6 + 16);
  return {43, std::move(rest)};
}
Extension fragment(uint16_t offset, bool more, uint32_t id) {
  Bytes rest;
  put16(rest, static_cast<uint32_t>((offset & 0xfff8) | (more ? 1 : 0)));
  put32(rest, id);
  return {44, std::move(rest)};
}
Extension authentication() { return {51, Bytes(22, 0)}; }

Payload fill(size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(i);
  return Payload(std::move(bytes));
}

}  // namespace nezu::dsl
