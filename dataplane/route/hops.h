// All next hops, by index. An index means the same neighbour for as long as it is claimed, whatever
// is rebuilt around it.
//
// Written by the housekeeper only; workers read single hops through Routes::at.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "dataplane/route/next_hop.h"

namespace nezu::route {

/// A twin's network as seen by routes: one for each port (and VLAN).
struct Link {
  uint16_t port = 0;
  uint16_t vlan = 0;
  uint16_t mtu = 1500;
  net::MacAddress mac{};
  net::Instance instance = net::Instance::standard;
  bool up = true;       ///< false: nobody there can answer
  bool present = true;  ///< false: its VLAN is configured no more; the number stays taken
  // Of a bridge:
  uint16_t other = kNoOther;  ///< the link at the other side
  bool is_far = false;        ///< the servers' side: its twin is the other's
  uint8_t bridge = 0;         ///< its number

  static constexpr uint16_t kNoOther = 0xffff;
  bool is_bridged() const { return other != kNoOther; }
};

class Hops {
 public:
  static constexpr uint32_t kMost = 0xffff;  ///< indices fit 16 bits beside "none"

  explicit Hops(uint32_t capacity);

  /// The hop of this neighbour; a new one is `asking`. An unspecified `gateway` is the link's own.
  /// Nothing when all are taken.
  std::optional<uint16_t> claim(uint16_t link_number, const Link& link,
                                const net::Address& gateway);
  std::optional<uint16_t> find(uint16_t link_number, const net::Address& gateway) const;
  /// Only when no worker can know the index any more.
  void release(uint16_t index);

  void resolve(uint16_t index, const net::MacAddress& mac);
  /// On a bridge: the side that the neighbour is at.
  void seat(uint16_t index, uint16_t port);
  void set_state(uint16_t index, HopState state);  ///< keeps the MAC
  net::MacAddress mac(uint16_t index) const;

  const NextHop& at(uint32_t index) const { return hops_[index]; }
  const NextHop* all() const { return hops_.get(); }
  uint32_t in_use() const { return static_cast<uint32_t>(by_key_.size()); }

 private:
  using Key = std::tuple<uint16_t, net::Address>;
  uint32_t capacity_;
  std::unique_ptr<NextHop[]> hops_;
  std::vector<uint16_t> free_;
  std::map<Key, uint16_t> by_key_;
};

}  // namespace nezu::route
