#include "dataplane/admit/meters.h"

#include <algorithm>

#include "dataplane/tables/view.h"

namespace nezu::admit {
namespace {

using net::Reason;

constexpr uint64_t kFlows = 0xffffffffu;

bool is_of(uint64_t word, uint64_t hash) { return word != 0 && word >> 32 == hash >> 32; }
uint32_t flows_in(uint64_t word) { return static_cast<uint32_t>(word & kFlows); }

}  // namespace

Meters::Meters(uint32_t services, uint32_t clients, uint16_t workers, uint64_t seed)
    : services_(services),
      clients_(clients),
      seed_(seed),
      rates_(std::make_unique<Rate[]>(services)),
      bits_(std::make_unique<std::atomic<uint16_t>[]>(services)),
      traffic_(std::make_unique<Traffic[]>(services)),
      cells_(std::make_unique<Cell[]>(clients)) {
  for (uint16_t worker = 0; worker < workers; ++worker) {
    credits_.push_back(std::make_unique<Credit[]>(services));
  }
}

Meters::Meters(const Meters& live, const tables::Service& service, const net::Address& client,
               uint16_t worker, const Credit& credit, net::Instant now)
    : Meters(live.services_, kWays, 0, live.seed_) {
  credits_.resize(size_t{worker} + 1);
  credits_[worker] = std::make_unique<Credit[]>(services_);
  const uint32_t slot = index(service.id);
  if (slot >= services_) return;
  credits_[worker][slot] = credit;
  rates_[slot].copy(live.rates_[slot]);
  traffic_[slot].packets.copy(live.traffic_[slot].packets);
  traffic_[slot].bits.copy(live.traffic_[slot].bits);
  remember_bits(service);
  const uint64_t hash = this->hash(static_cast<uint16_t>(slot), client);
  const Cell* there = live.find(hash);
  bool forgot = false;
  Cell* here = there != nullptr ? find_or_make(hash, now, forgot) : nullptr;
  if (here == nullptr) return;
  here->word.store(there->word.load(std::memory_order_relaxed), std::memory_order_relaxed);
  here->rate.copy(there->rate);
  here->packets.copy(there->packets);
  here->bits.copy(there->bits);
}

uint64_t Meters::hash(uint16_t service, const net::Address& client) const {
  const uint16_t bits = bits_[service].load(std::memory_order_relaxed);
  const net::Address one = net::masked(client, client.is_v4() ? bits & 0xff : bits >> 8);
  const uint64_t hash = tables::key_hash(one, uint64_t{bits} << 16 | service, seed_);
  return hash >> 32 != 0 ? hash : hash | uint64_t{1} << 32;
}

void Meters::remember_bits(const tables::Service& service) {
  const auto bits =
      static_cast<uint16_t>(service.limits.host_bits4 | service.limits.host_bits6 << 8);
  std::atomic<uint16_t>& known = bits_[index(service.id)];
  if (known.load(std::memory_order_relaxed) != bits) known.store(bits, std::memory_order_relaxed);
}

std::span<Meters::Cell, Meters::kWays> Meters::set_of(uint64_t hash) const {
  const uint64_t set = (hash & kFlows) * (clients_ / kWays) / (kFlows + 1);
  return std::span<Cell, kWays>(&cells_[set * kWays], kWays);
}

Meters::Cell* Meters::find(uint64_t hash) const {
  for (Cell& cell : set_of(hash)) {
    if (is_of(cell.word.load(std::memory_order_relaxed), hash)) return &cell;
  }
  return nullptr;
}

Meters::Cell* Meters::find_or_make(uint64_t hash, net::Instant now, bool& forgot) {
  constexpr uint32_t kTries = 16;  // each failure is another worker's success
  for (uint32_t tries = 0; tries < kTries; ++tries) {
    if (Cell* known = find(hash)) return known;
    // Free ones first, then those at rest, then whoever was let in longest ago. Whoever writes to
    // the word from here on makes the exchange fail.
    const auto worth = [now](uint64_t word, uint64_t due) {
      if (word == 0) return uint64_t{0};
      return flows_in(word) == 0 && due <= now.nanoseconds ? uint64_t{1} : due + 2;
    };
    Cell* least = nullptr;
    uint64_t before = 0, least_worth = UINT64_MAX;
    for (Cell& cell : set_of(hash)) {
      const uint64_t word = cell.word.load(std::memory_order_relaxed);
      const uint64_t value = worth(word, cell.due());
      if (value >= least_worth) continue;
      least = &cell;
      before = word;
      least_worth = value;
    }
    if (least == nullptr || is_of(before, hash)) continue;
    const bool loses = least_worth > 1;
    if (!least->word.compare_exchange_strong(before, hash >> 32 << 32)) continue;
    for (Rate* rate : {&least->rate, &least->packets, &least->bits}) rate->reset();
    if (before == 0) used_.fetch_add(1, std::memory_order_relaxed);
    forgot = loses;
    return least;
  }
  return nullptr;
}

Meters::Verdict Meters::admit(const tables::Service& service, const net::Address& client,
                              uint64_t flows, net::Instant now) {
  const tables::FlowLimits& limits = service.limits;
  const uint32_t slot = index(service.id);
  if (slot >= services_) return {};
  if (limits.all.at_once != 0 && flows >= limits.all.at_once) return {Reason::limit_flows};
  Verdict verdict;
  Cell* cell = nullptr;
  if (limits.client.exists()) {
    remember_bits(service);
    const uint64_t hash = this->hash(static_cast<uint16_t>(slot), client);
    cell = find_or_make(hash, now, verdict.forgot);
    if (cell != nullptr) {
      const uint32_t has = flows_in(cell->word.load(std::memory_order_relaxed));
      if (limits.client.at_once != 0 && has >= limits.client.at_once) {
        verdict.reason = Reason::client_limit_flows;
      } else if (!cell->rate.take(limits.client.per_second, now)) {
        verdict.reason = Reason::client_limit_flow_rate;
      }
      if (verdict.reason != Reason::none) return verdict;
    }
  }
  if (!rates_[slot].take(limits.all.per_second, now)) {
    verdict.reason = Reason::limit_flow_rate;
    if (cell != nullptr) cell->rate.give_back(limits.client.per_second);
  }
  return verdict;
}

namespace {

/// A tenth of a second's worth may come at once.
constexpr uint64_t kAhead = Rate::kSecond / 10;

/// `need` of what a worker may still let pass, or of what all may.
bool draw(uint64_t& credit, Rate& rate, uint64_t per_second, uint64_t need, net::Instant now) {
  if (per_second == 0) return true;
  if (credit < need) {
    const uint64_t quota = std::max(need, per_second / 1024);
    if (rate.take(per_second, now, quota, kAhead)) {
      credit += quota;
    } else if (quota != need && rate.take(per_second, now, need, kAhead)) {
      credit += need;
    } else {
      return false;
    }
  }
  credit -= need;
  return true;
}

}  // namespace

uint64_t Meters::ask(uint16_t worker, const tables::Service& service, const net::Address& client) {
  const uint32_t slot = index(service.id);
  if (slot >= services_) return 0;
  __builtin_prefetch(&traffic_[slot], 1);
  __builtin_prefetch(&credits_[worker][slot], 1);
  if (!service.traffic.client.exists()) return 0;
  remember_bits(service);
  const uint64_t hash = this->hash(static_cast<uint16_t>(slot), client);
  __builtin_prefetch(set_of(hash).data(), 1);
  return hash;
}

Meters::Verdict Meters::pass(uint16_t worker, const tables::Service& service, uint64_t asked,
                             uint32_t bytes, net::Instant now) {
  const tables::TrafficLimits& limits = service.traffic;
  const uint32_t slot = index(service.id);
  if (slot >= services_) return {};
  const uint64_t bits = uint64_t{bytes} * 8;
  Verdict verdict;
  if (asked != 0) {
    if (Cell* cell = find_or_make(asked, now, verdict.forgot)) {
      if (!cell->packets.take(limits.client.packets_per_second, now, 1, kAhead)) {
        verdict.reason = Reason::client_limit_packet_rate;
      } else if (!cell->bits.take(limits.client.bits_per_second, now, bits, kAhead)) {
        cell->packets.give_back(limits.client.packets_per_second);
        verdict.reason = Reason::client_limit_bit_rate;
      }
      if (verdict.reason != Reason::none) return verdict;
    }
  }
  Traffic& all = traffic_[slot];
  Credit& credit = credits_[worker][slot];
  if (!draw(credit.packets, all.packets, limits.all.packets_per_second, 1, now)) {
    verdict.reason = Reason::limit_packet_rate;
  } else if (!draw(credit.bits, all.bits, limits.all.bits_per_second, bits, now)) {
    if (limits.all.packets_per_second != 0) ++credit.packets;
    verdict.reason = Reason::limit_bit_rate;
  }
  return verdict;
}

void Meters::opened(const tables::Service& service, const net::Address& client, net::Instant now) {
  if (service.limits.client.at_once == 0 || index(service.id) >= services_) return;
  remember_bits(service);
  const uint64_t hash = this->hash(static_cast<uint16_t>(index(service.id)), client);
  bool forgot = false;
  Cell* cell = find_or_make(hash, now, forgot);
  if (cell == nullptr) return;
  uint64_t word = cell->word.load(std::memory_order_relaxed);
  while (is_of(word, hash) && flows_in(word) != kFlows &&
         !cell->word.compare_exchange_weak(word, word + 1, std::memory_order_relaxed)) {
  }
}

void Meters::ended(uint16_t service, const net::Address& client) {
  if (service >= services_) return;
  const uint64_t hash = this->hash(service, client);
  Cell* cell = find(hash);
  if (cell == nullptr) return;
  uint64_t word = cell->word.load(std::memory_order_relaxed);
  while (is_of(word, hash) && flows_in(word) != 0 &&
         !cell->word.compare_exchange_weak(word, word - 1, std::memory_order_relaxed)) {
  }
}

}  // namespace nezu::admit
