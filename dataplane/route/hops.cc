#include "dataplane/route/hops.h"

#include <algorithm>

namespace nezu::route {

Hops::Hops(uint32_t capacity)
    : capacity_(std::min(capacity, kMost)), hops_(std::make_unique<NextHop[]>(capacity_)) {
  free_.reserve(capacity_);
  for (uint32_t i = capacity_; i-- > 0;) free_.push_back(static_cast<uint16_t>(i));
}

std::optional<uint16_t> Hops::claim(uint16_t link_number, const Link& link,
                                    const net::Address& gateway) {
  if (const auto known = find(link_number, gateway)) {
    hops_[*known].mtu.store(link.mtu, std::memory_order_relaxed);
    return known;
  }
  if (free_.empty()) return std::nullopt;
  const uint16_t index = free_.back();
  free_.pop_back();
  by_key_.emplace(Key{link_number, gateway}, index);
  NextHop& hop = hops_[index];
  hop.source = link.mac;
  hop.port.store(link.port, std::memory_order_relaxed);
  hop.vlan = link.vlan;
  hop.mtu.store(link.mtu, std::memory_order_relaxed);
  hop.instance = link.instance;
  hop.link = link_number;
  hop.gateway = gateway;
  const bool whole_link = gateway == net::Address{};
  hop.word.store(hop_word({}, whole_link ? HopState::link : HopState::asking),
                 std::memory_order_relaxed);
  return index;
}

std::optional<uint16_t> Hops::find(uint16_t link_number, const net::Address& gateway) const {
  const auto at = by_key_.find(Key{link_number, gateway});
  return at == by_key_.end() ? std::nullopt : std::optional<uint16_t>(at->second);
}

void Hops::release(uint16_t index) {
  by_key_.erase(Key{hops_[index].link, hops_[index].gateway});
  free_.push_back(index);
}

void Hops::resolve(uint16_t index, const net::MacAddress& mac) {
  hops_[index].word.store(hop_word(mac, HopState::ready), std::memory_order_relaxed);
}

void Hops::seat(uint16_t index, uint16_t port) {
  hops_[index].port.store(port, std::memory_order_relaxed);
}

void Hops::set_state(uint16_t index, HopState state) {
  hops_[index].word.store(hop_word(mac(index), state), std::memory_order_relaxed);
}

net::MacAddress Hops::mac(uint16_t index) const {
  const uint64_t word = hops_[index].word.load(std::memory_order_relaxed);
  net::MacAddress mac;
  std::memcpy(mac.bytes.data(), &word, mac.bytes.size());
  return mac;
}

}  // namespace nezu::route
