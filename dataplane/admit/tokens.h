// What one worker may still let pass of services that have limits of packets and bits, and of their
// clients, without asking what all workers together may (admit/meters.h).
//
// Clients are found in sets of two, one cache line each. A set that is full of clients with tokens
// takes no other: he asks each time. Tokens that have lain about for as long as a limit lets come
// at once are given up.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>

#include "dataplane/net/time.h"

namespace nezu::admit {

class Tokens {
 public:
  /// Packets and bits.
  struct Count {
    uint64_t packets = 0, bits = 0;

    bool covers(const Count& need) const { return packets >= need.packets && bits >= need.bits; }
    void take(const Count& need) {
      packets -= need.packets;
      bits -= need.bits;
    }
    bool is_none() const { return (packets | bits) == 0; }
  };

  struct OfService {
    Count left;
    uint64_t word = 0;        ///< how clients are known (Meters)
    uint32_t generation = 0;  ///< of the tables, when the rest was read; 0: never
    bool all_packets = false, all_bits = false, client_packets = false, client_bits = false;

    bool is_limited() const { return all_packets || all_bits || has_clients(); }
    bool has_clients() const { return client_packets || client_bits; }
    /// What a packet of that many bits takes of what all have; of what its client has.
    Count need(uint64_t bits) const { return {all_packets, all_bits ? bits : 0}; }
    Count client_need(uint64_t bits) const { return {client_packets, client_bits ? bits : 0}; }
  };

  static_assert(sizeof(OfService) == 32, "no entry is in two cache lines");

  struct OfClient {
    uint64_t hash = 0;  ///< 0: nobody
    Count left;
    uint64_t drawn_at = 0;  ///< boot-time ns
  };

  /// As long as a limit lets come at once (Meters).
  static constexpr uint64_t kGivenUpAfter = net::kNanosecondsPerSecond / 10;

  /// `clients`: at most so many at a time, or 65,536.
  Tokens(uint32_t services, uint32_t clients)
      : services_(std::make_unique<OfService[]>(services)),
        set_count_(std::bit_floor(clients < kMostClients ? clients : kMostClients) / 2),
        sets_(std::make_unique<Set[]>(set_count_)) {}

  OfService& of(uint16_t service) { return services_[service]; }
  const OfService& of(uint16_t service) const { return services_[service]; }

  void prefetch(uint64_t client) const { __builtin_prefetch(&set_of(client), 1); }
  OfClient* find(uint64_t client) const {
    Set& set = set_of(client);
    if (set[0].hash == client) return &set[0];
    return set[1].hash == client ? &set[1] : nullptr;
  }
  /// A place for one who has none, without tokens; null: others have theirs there.
  OfClient* take_place(uint64_t client, net::Instant now) {
    for (OfClient& one : set_of(client)) {
      if (!one.left.is_none() && now.nanoseconds - one.drawn_at < kGivenUpAfter) continue;
      one = {client, {}, now.nanoseconds};
      return &one;
    }
    return nullptr;
  }

  /// A packet of that many bits is within what is left; else nothing has changed. `client`: his
  /// hash; 0: he has no limits.
  bool spend(OfService& service, uint64_t client, uint64_t bits) const {
    const Count need = service.need(bits);
    if (!service.left.covers(need)) return false;
    if (client != 0) {
      const Count own = service.client_need(bits);
      OfClient* known = find(client);
      if (known == nullptr || !known->left.covers(own)) return false;
      known->left.take(own);
    }
    service.left.take(need);
    return true;
  }

 private:
  static constexpr uint32_t kMostClients = 65'536;
  struct alignas(64) Set : std::array<OfClient, 2> {};
  static_assert(sizeof(Set) == 64);

  Set& set_of(uint64_t client) const { return sets_[(client & 0xffffffffu) * set_count_ >> 32]; }

  std::unique_ptr<OfService[]> services_;
  uint64_t set_count_;
  std::unique_ptr<Set[]> sets_;
};

}  // namespace nezu::admit
