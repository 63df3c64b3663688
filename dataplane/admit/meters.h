// How much a service may have, all its clients and each: flows that are opened a second, flows at
// once, packets and bits a second.
//
// One for all workers. Clients have cells in sets of eight. A full set forgets a client that is at
// rest, which loses nothing, else the one that has been quiet for longest.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/admit/rate.h"
#include "dataplane/net/reason.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/blocks.h"

namespace nezu::admit {

class Meters {
 public:
  static constexpr uint32_t kWays = 8;

  /// `clients`: how many are known at a time; a multiple of kWays. `seed`: random.
  Meters(uint32_t services, uint32_t clients, uint16_t workers, uint64_t seed);
  /// What a worker may still let pass of a service without asking.
  struct Credit {
    uint64_t packets = 0, bits = 0;
  };
  /// A copy for that worker of what `live` says of one service and client, to try something out.
  Meters(const Meters& live, const tables::Service& service, const net::Address& client,
         uint16_t worker, const Credit& credit, net::Instant now);

  // Any worker.
  struct Verdict {
    net::Reason reason = net::Reason::none;  ///< none: the flow may be opened, and is metered
    bool forgot = false;                     ///< another client lost its cell
  };
  /// `flows`: that the service has, of all workers.
  Verdict admit(const tables::Service& service, const net::Address& client, uint64_t flows,
                net::Instant now);
  /// A packet of a flow, of either direction; `bytes` of its frame. By that worker alone: of what
  /// all clients may have together, workers take about a millisecond's worth at a time.
  Verdict pass(uint16_t worker, const tables::Service& service, const net::Address& client,
               uint32_t bytes, net::Instant now) {
    return pass(worker, service, ask(worker, service, client), bytes, now);
  }
  /// The same in two steps, so that memory answers while others are asked about.
  uint64_t ask(uint16_t worker, const tables::Service& service, const net::Address& client);
  Verdict pass(uint16_t worker, const tables::Service& service, uint64_t asked, uint32_t bytes,
               net::Instant now);
  /// A flow that was let in has been opened, or one of the process before is adopted.
  void opened(const tables::Service& service, const net::Address& client, net::Instant now);
  /// A flow of that client has ended, whether its service has limits or not.
  void ended(uint16_t service, const net::Address& client);

  /// That worker.
  Credit credit_of(uint16_t worker, uint16_t service) const {
    return service < services_ ? credits_[worker][service] : Credit{};
  }

  /// Nobody has a cell: `ended` has nothing to do.
  bool is_idle() const { return used_.load(std::memory_order_relaxed) == 0; }
  uint32_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  struct Cell {
    std::atomic<uint64_t> word{0};  ///< half a hash, never 0 | flows
    Rate rate, packets, bits;

    uint64_t due() const { return std::max({rate.due(), packets.due(), bits.due()}); }
  };
  struct Traffic {
    Rate packets, bits;
  };

  uint64_t hash(uint16_t service, const net::Address& client) const;
  std::span<Cell, kWays> set_of(uint64_t hash) const;
  Cell* find(uint64_t hash) const;
  Cell* find_or_make(uint64_t hash, net::Instant now, bool& forgot);
  void remember_bits(const tables::Service& service);

  uint32_t services_, clients_;
  uint64_t seed_;
  std::unique_ptr<Rate[]> rates_;                   ///< by ServiceId
  std::unique_ptr<std::atomic<uint16_t>[]> bits_;   ///< by ServiceId: of clients, IPv4 and IPv6
  std::unique_ptr<Traffic[]> traffic_;              ///< by ServiceId
  std::vector<std::unique_ptr<Credit[]>> credits_;  ///< by worker, then by ServiceId
  std::unique_ptr<Cell[]> cells_;
  std::atomic<uint32_t> used_{0};
};

}  // namespace nezu::admit
