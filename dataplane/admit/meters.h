// How much a service may have, all its clients and each: flows that are opened a second, flows at
// once, packets and bits a second.
//
// One for all workers. Clients have cells in sets of eight. A full set forgets a client that is at
// rest, which loses nothing, else the one that has been quiet for longest. Of packets and bits a
// worker takes about a millisecond's worth at a time (admit/tokens.h).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/admit/rate.h"
#include "dataplane/admit/tokens.h"
#include "dataplane/net/endian.h"
#include "dataplane/net/hash.h"
#include "dataplane/net/reason.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/blocks.h"

namespace nezu::admit {

class Meters {
 public:
  static constexpr uint32_t kWays = 8;

  /// `clients`: how many are known at a time; a multiple of kWays. `seed`: random.
  Meters(uint32_t services, uint32_t clients, uint16_t workers, uint64_t seed);
  /// What a worker may still let pass of a service, and of one of its clients, without asking.
  struct Left {
    Tokens::Count all, client;
  };
  /// A copy for that worker of what `live` says of one service and client, to try something out.
  Meters(const Meters& live, const tables::Service& service, const net::Address& client,
         uint16_t worker, const Left& left, net::Instant now);

  // Any worker.
  struct Verdict {
    net::Reason reason = net::Reason::none;  ///< none: the flow may be opened, and is metered
    bool forgot = false;                     ///< another client lost its cell
  };
  /// `flows`: that the service has, of all workers. `generation`: of the tables that it is of.
  Verdict admit(const tables::Service& service, const net::Address& client, uint64_t flows,
                uint64_t generation, net::Instant now);
  /// A packet of a flow, of either direction; `bytes` of its frame. By that worker alone.
  Verdict pass(uint16_t worker, const tables::Service& service, const net::Address& client,
               uint32_t bytes, uint64_t generation, net::Instant now);

  // The same in steps, so that memory answers while others are asked about. That worker:
  Tokens& tokens(uint16_t worker) { return *tokens_[worker]; }
  bool has(uint16_t service) const { return service < services_; }
  /// What limits the service has, as of that generation; null: none.
  void learn(Tokens::OfService& known, const tables::Service* service, uint64_t generation);
  /// What a client is known by, with the word of his service (Tokens::OfService).
  uint64_t hash(uint16_t service, uint64_t word, const net::Address& client) const;
  /// The same of an IPv4 address, network order.
  uint64_t hash4(uint16_t service, uint64_t word, uint32_t client) const {
    const uint32_t mask = net::swap32(static_cast<uint32_t>(~uint64_t{0} << (word & 0xff)));
    return finished(
        net::mix64(net::mix64(no_address_ ^ (uint64_t{client & mask} << 32 | 0xffff0000u)) ^
                   rest(service, word)));
  }
  /// His cell will be asked for.
  void prefetch(uint64_t client) const {
    const Set& set = set_of(client);
    __builtin_prefetch(&set.words, 1);
    __builtin_prefetch(&set.rates[kWays / 2], 1);
  }
  /// What the worker's tokens do not cover.
  Verdict pass(Tokens& tokens, const tables::Service& service, Tokens::OfService& known,
               uint64_t client, uint64_t bits, net::Instant now);

  // Any worker.
  /// How a flow was counted, for `ended`; 0: it was not.
  using Mark = uint8_t;
  /// A flow that was let in has been opened, or one of the process before is adopted.
  Mark opened(const tables::Service& service, const net::Address& client, uint64_t generation,
              net::Instant now);
  /// A flow of that client has ended. Nothing if clients are counted by other prefixes now.
  void ended(uint16_t service, const net::Address& client, Mark mark);

  /// That worker.
  Left left(uint16_t worker, uint16_t service, const net::Address& client) const;

  /// Nobody has a cell: `ended` has nothing to do.
  bool is_idle() const { return used_.load(std::memory_order_relaxed) == 0; }
  uint32_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  struct Rates {
    Rate flows, packets, bits;

    uint64_t due() const { return std::max({flows.due(), packets.due(), bits.due()}); }
    void copy(const Rates& other) {
      flows.copy(other.flows);
      packets.copy(other.packets);
      bits.copy(other.bits);
    }
    void reset() { copy({}); }
  };
  using Word = std::atomic<uint64_t>;
  /// Whose words, half a hash (never 0) | flows, are one cache line.
  struct alignas(64) Set {
    std::array<Word, kWays> words{};
    std::array<Rates, kWays> rates;
  };
  /// A client's, in a set; without a word: none.
  struct Cell {
    Word* word = nullptr;
    Rates* rates = nullptr;
  };
  struct Traffic {
    Rate packets, bits;
  };

  uint64_t hash(uint16_t service, const net::Address& client) const {
    return hash(service, words_[service].load(std::memory_order_relaxed), client);
  }
  static uint64_t rest(uint16_t service, uint64_t word) { return word << 16 | service; }
  static uint64_t finished(uint64_t hash) {
    return hash >> 32 != 0 ? hash : hash | uint64_t{1} << 32;
  }
  static Mark mark_of(uint64_t word) { return static_cast<Mark>(1 + (word >> 16) % 255); }
  Set& set_of(uint64_t hash) const;
  Cell find(uint64_t hash) const;
  Cell find_or_make(uint64_t hash, net::Instant now, bool& forgot);
  /// The host bits of a service's clients (IPv4 | IPv6 << 8) and since which generation they are
  /// so (<< 16). After a change nobody finds what was counted by other prefixes.
  uint64_t word_of(const tables::Service& service, uint64_t generation);

  uint32_t services_, clients_;
  uint64_t seed_, no_address_;                   ///< the latter: hash of IPv4 addresses' first half
  std::unique_ptr<Rate[]> rates_;                ///< by ServiceId
  std::unique_ptr<Word[]> words_;                ///< by ServiceId
  std::unique_ptr<Traffic[]> traffic_;           ///< by ServiceId
  std::vector<std::unique_ptr<Tokens>> tokens_;  ///< by worker
  std::unique_ptr<Set[]> sets_;
  std::atomic<uint32_t> used_{0};
};

}  // namespace nezu::admit
