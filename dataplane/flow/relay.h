// What the tuples of a flow in `redirect` do not tell: who serves it, and who has sent it.
//
// Both addresses of such a flow are other people's. Servers, and the routers and firewalls that
// packets come from, are few: a flow keeps the number of its relay (Track::snat), and flows between
// the same two hosts share one. One worker; the relays lie in the flow file behind the entries, so
// that they survive a restart; how many flows use each is counted anew from the entries. A relay is
// complete before the first entry that names it becomes valid.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/tables/blocks.h"

namespace nezu::flow {

struct Relay {
  tables::ServerIdentity server;  ///< unspecified address: none that we know
  net::MacAddress sender;         ///< answers go back there; all 0: where routes lead
  uint16_t port = 0;              ///< ours, that it sent by
  uint16_t vlan = 0;              ///< 0: untagged
  uint16_t reserved = 0;
  bool operator==(const Relay&) const = default;
  bool remembers_sender() const { return sender != net::MacAddress{}; }
};
static_assert(sizeof(Relay) == 36);

inline constexpr uint32_t kRelays = 4096;  ///< of each worker
inline constexpr uint16_t kNoRelay = 0xffff;

class Relays {
 public:
  /// `memory`: kRelays of them, as the last process left them or zeros.
  explicit Relays(std::span<Relay> memory);

  /// The number of one that equals `relay`, with one user more; kNoRelay: all are in use.
  uint16_t hold(const Relay& relay);
  /// One that is there already gets a user more: at start, from an entry.
  void hold_again(uint16_t number);
  void let_go(uint16_t number);
  const Relay& operator[](uint16_t number) const { return memory_[number]; }
  uint32_t used() const { return used_; }

 private:
  uint32_t home(const Relay& relay) const;
  void file(uint16_t number);
  void unfile(uint16_t number);

  static constexpr uint32_t kCells = 2 * kRelays;
  struct Books {
    std::array<uint32_t, kRelays> users{};
    std::array<uint16_t, kCells> cells{};  ///< number + 1, by content; 0: free
  };
  std::span<Relay> memory_;
  std::unique_ptr<Books> books_;
  uint32_t used_ = 0;
  uint32_t next_ = 0;  ///< where the search for a free one goes on
};

}  // namespace nezu::flow
