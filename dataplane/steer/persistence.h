// Which server a client stays on, whichever worker its flows belong to.
//
// One table for all workers: a word for each client, changed by compare-and-swap, so that nobody
// waits and no word is ever seen half written: 32 bits of the client's hash, the server's slot, a
// deadline. A new flow of a service with persistence looks at one line of words. Who may still
// take a client is for the caller to see. Beside each word lies a record of whom it is about, for
// people and for the next process; who reads it proves it by its hash.
//
// Two workers that hear of a client at once agree: whoever comes second takes the word that stands.
// A set of eight that is full forgets the client that would have ended first. The memory is the
// caller's (steer/persistence_file.h) and outlives the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/net/time.h"
#include "dataplane/tables/blocks.h"

namespace nezu::steer {

/// Whom a word is about.
struct PersistentClient {
  uint64_t scope = 0;    ///< tables::Persistence::scope
  net::Address address;  ///< without the bits that do not count
  net::Instance instance = net::Instance::standard;
  bool operator==(const PersistentClient&) const = default;
};

class Persistence {
 public:
  static constexpr uint32_t kWays = 8;
  static constexpr uint16_t kNobody = 0xffff;  ///< no server has this slot
  struct Held {
    PersistentClient client;
    uint16_t server = kNobody;
    tables::ServerIdentity identity;  ///< of the server, when it was written down
    uint32_t seconds_left = 0;
  };

  /// What `capacity` clients take; it is a multiple of kWays.
  static size_t bytes(uint32_t capacity);
  /// `seed` as when the memory was last used. Zeros are an empty table.
  Persistence(std::span<std::byte> memory, uint32_t capacity, uint64_t seed);

  uint64_t hash(const PersistentClient& client) const;

  // Any worker.
  /// kNobody: it is not known, or its time is over.
  uint16_t find(uint64_t hash, net::Tick now) const;
  /// Not before `life` seconds after `seen`; a longer life stays. Nothing happens if it is not
  /// known.
  void touch(uint64_t hash, net::Tick now, net::Tick seen, uint32_t life);
  struct Kept {
    uint16_t server;      ///< who has the client now: another one, if somebody has just said so
    bool forgot = false;  ///< another client lost its place for it
  };
  /// `server` is to have the client, for `life` seconds, unless it has another one than
  /// `instead_of`.
  Kept keep(const PersistentClient& client, uint64_t hash, uint16_t server,
            const tables::ServerIdentity& identity, uint16_t instead_of, net::Tick now,
            uint32_t life);
  void forget(uint64_t hash, net::Tick now);

  /// Of the places from `from` on, `count` of them: whoever they hold.
  template <typename Visit>
  void each(uint32_t from, uint32_t count, net::Tick now, Visit visit) const {
    for (uint32_t i = from; i < capacity_ && i - from < count; ++i) {
      Held held;
      if (read(i, now, held)) visit(held);
    }
  }
  /// Takes out whose time is over, among as many places; one thread.
  void expire(uint32_t from, uint32_t count, net::Tick now);
  /// Before workers run: `slot_of(identity)` tells each server's slot in this process, or kNobody.
  template <typename SlotOf>
  void adopt(net::Tick now, SlotOf slot_of) {
    for (uint32_t i = 0; i < capacity_; ++i) {
      Held held;
      const bool known = read(i, now, held);
      resettle(i, known ? slot_of(held.identity) : kNobody);
    }
  }

  uint64_t seed() const { return seed_; }
  uint32_t count() const { return count_.load(std::memory_order_relaxed); }
  uint32_t capacity() const { return capacity_; }

 private:
  // tag | server | deadline in units of 4 s, never 0
  using Word = std::atomic<uint64_t>;
  /// Written by whoever has put the word, maybe by two at once: atomics, and no more.
  struct Record {
    std::atomic<uint64_t> scope, client_high, client_low, server_high, server_low;
    std::atomic<uint64_t> rest;  ///< server's port | its protocol | instance
  };
  static_assert(sizeof(Record) == 48 && Word::is_always_lock_free);

  uint32_t home(uint64_t hash) const {
    return static_cast<uint32_t>((hash & 0xffffffffu) * (capacity_ / kWays) >> 32) * kWays;
  }
  bool read(uint32_t place, net::Tick now, Held& held) const;
  void write(uint32_t place, const PersistentClient& client,
             const tables::ServerIdentity& identity);
  void resettle(uint32_t place, uint16_t server);
  uint32_t place_of(uint64_t hash, net::Tick now) const;

  Word* words_;
  Record* records_;
  uint32_t capacity_;
  uint64_t seed_;
  std::atomic<uint32_t> count_{0};
};

}  // namespace nezu::steer
