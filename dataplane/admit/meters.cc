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
      no_address_(net::mix64(seed)),
      rates_(std::make_unique<Rate[]>(services)),
      words_(std::make_unique<Word[]>(services)),
      traffic_(std::make_unique<Traffic[]>(services)),
      sets_(std::make_unique<Set[]>(clients / kWays)) {
  for (uint16_t worker = 0; worker < workers; ++worker) {
    tokens_.push_back(std::make_unique<Tokens>(services, clients));
  }
}

Meters::Meters(const Meters& live, const tables::Service& service, const net::Address& client,
               uint16_t worker, const Left& left, net::Instant now)
    : Meters(live.services_, kWays, 0, live.seed_) {
  tokens_.resize(size_t{worker} + 1);
  tokens_[worker] = std::make_unique<Tokens>(services_, kWays);
  const uint32_t slot = index(service.id);
  if (slot >= services_) return;
  tokens_[worker]->of(static_cast<uint16_t>(slot)).left = left.all;
  rates_[slot].copy(live.rates_[slot]);
  traffic_[slot].packets.copy(live.traffic_[slot].packets);
  traffic_[slot].bits.copy(live.traffic_[slot].bits);
  words_[slot].store(live.words_[slot].load(std::memory_order_relaxed), std::memory_order_relaxed);
  const uint64_t hash = this->hash(static_cast<uint16_t>(slot), client);
  if (!left.client.is_none()) tokens_[worker]->take_place(hash, now)->left = left.client;
  const Cell there = live.find(hash);
  if (there.word == nullptr) return;
  bool forgot = false;
  const Cell here = find_or_make(hash, now, forgot);
  if (here.word == nullptr) return;
  here.word->store(there.word->load(std::memory_order_relaxed), std::memory_order_relaxed);
  here.rates->copy(*there.rates);
}

uint64_t Meters::hash(uint16_t service, uint64_t word, const net::Address& client) const {
  const uint32_t bits = (client.is_v4() ? word : word >> 8) & 0xff;
  const net::Address one = bits == 0 ? client : net::masked(client, bits);
  return finished(tables::key_hash(one, rest(service, word), seed_));
}

uint64_t Meters::word_of(const tables::Service& service, uint64_t generation) {
  const auto bits =
      static_cast<uint16_t>(service.limits.host_bits4 | service.limits.host_bits6 << 8);
  Word& word = words_[index(service.id)];
  uint64_t known = word.load(std::memory_order_relaxed);
  // Who still has older tables goes by what others have read in newer ones.
  while ((known & 0xffff) != bits && known >> 16 < generation) {
    const uint64_t next = generation << 16 | bits;
    if (word.compare_exchange_weak(known, next, std::memory_order_relaxed)) return next;
  }
  return known;
}

Meters::Set& Meters::set_of(uint64_t hash) const {
  return sets_[(hash & kFlows) * (clients_ / kWays) / (kFlows + 1)];
}

Meters::Cell Meters::find(uint64_t hash) const {
  Set& set = set_of(hash);
  for (uint32_t way = 0; way < kWays; ++way) {
    Word& word = set.words[way];
    if (is_of(word.load(std::memory_order_relaxed), hash)) return {&word, &set.rates[way]};
  }
  return {};
}

Meters::Cell Meters::find_or_make(uint64_t hash, net::Instant now, bool& forgot) {
  constexpr uint32_t kTries = 16;  // each failure is another worker's success
  Set& set = set_of(hash);
  for (uint32_t tries = 0; tries < kTries; ++tries) {
    if (const Cell known = find(hash); known.word != nullptr) return known;
    // Free ones first, then those at rest, then whoever was let in longest ago. Whoever writes to
    // the word from here on makes the exchange fail.
    const auto worth = [now](uint64_t word, uint64_t due) {
      if (word == 0) return uint64_t{0};
      return flows_in(word) == 0 && due <= now.nanoseconds ? uint64_t{1} : due + 2;
    };
    Cell least;
    uint64_t before = 0, least_worth = UINT64_MAX;
    for (uint32_t way = 0; way < kWays; ++way) {
      const uint64_t word = set.words[way].load(std::memory_order_relaxed);
      const uint64_t value = worth(word, set.rates[way].due());
      if (value >= least_worth) continue;
      least = {&set.words[way], &set.rates[way]};
      before = word;
      least_worth = value;
    }
    if (least.word == nullptr || is_of(before, hash)) continue;
    const bool loses = least_worth > 1;
    if (!least.word->compare_exchange_strong(before, hash >> 32 << 32)) continue;
    least.rates->reset();
    if (before == 0) used_.fetch_add(1, std::memory_order_relaxed);
    forgot = loses;
    return least;
  }
  return {};
}

Meters::Verdict Meters::admit(const tables::Service& service, const net::Address& client,
                              uint64_t flows, uint64_t generation, net::Instant now) {
  const tables::FlowLimits& limits = service.limits;
  const uint32_t slot = index(service.id);
  if (slot >= services_) return {};
  if (limits.all.at_once != 0 && flows >= limits.all.at_once) return {Reason::limit_flows};
  Verdict verdict;
  Cell cell;
  if (limits.client.exists()) {
    const uint64_t word = word_of(service, generation);
    const uint64_t hash = this->hash(static_cast<uint16_t>(slot), word, client);
    cell = find_or_make(hash, now, verdict.forgot);
    if (cell.word != nullptr) {
      const uint32_t has = flows_in(cell.word->load(std::memory_order_relaxed));
      if (limits.client.at_once != 0 && has >= limits.client.at_once) {
        verdict.reason = Reason::client_limit_flows;
      } else if (!cell.rates->flows.take(limits.client.per_second, now)) {
        verdict.reason = Reason::client_limit_flow_rate;
      }
      if (verdict.reason != Reason::none) return verdict;
    }
  }
  if (!rates_[slot].take(limits.all.per_second, now)) {
    verdict.reason = Reason::limit_flow_rate;
    if (cell.word != nullptr) cell.rates->flows.give_back(limits.client.per_second);
  }
  return verdict;
}

namespace {

/// A tenth of a second's worth may come at once.
constexpr uint64_t kAhead = Tokens::kGivenUpAfter;

/// Until there are `need` left, out of what all workers may have. `more`: and some for what comes.
bool draw(uint64_t& left, Rate& rate, uint64_t per_second, uint64_t need, bool more,
          net::Instant now) {
  if (per_second == 0 || left >= need) return true;
  const uint64_t quota = more ? std::max(need, per_second / 1024) : need;
  if (rate.take(per_second, now, quota, kAhead)) {
    left += quota;
    return true;
  }
  if (quota == need || !rate.take(per_second, now, need, kAhead)) return false;
  left += need;
  return true;
}

}  // namespace

void Meters::learn(Tokens::OfService& known, const tables::Service* service, uint64_t generation) {
  known.generation = static_cast<uint32_t>(generation);
  const tables::TrafficLimits limits =
      service != nullptr ? service->traffic : tables::TrafficLimits{};
  known.all_packets = limits.all.packets_per_second != 0;
  known.all_bits = limits.all.bits_per_second != 0;
  known.client_packets = limits.client.packets_per_second != 0;
  known.client_bits = limits.client.bits_per_second != 0;
  if (known.has_clients()) known.word = word_of(*service, generation);
}

Meters::Verdict Meters::pass(uint16_t worker, const tables::Service& service,
                             const net::Address& client, uint32_t bytes, uint64_t generation,
                             net::Instant now) {
  const uint32_t slot = index(service.id);
  if (slot >= services_) return {};
  Tokens& tokens = this->tokens(worker);
  Tokens::OfService& known = tokens.of(static_cast<uint16_t>(slot));
  learn(known, &service, generation);
  const uint64_t asked =
      known.has_clients() ? hash(static_cast<uint16_t>(slot), known.word, client) : 0;
  const uint64_t bits = uint64_t{bytes} * 8;
  return tokens.spend(known, asked, bits) ? Verdict{}
                                          : pass(tokens, service, known, asked, bits, now);
}

Meters::Verdict Meters::pass(Tokens& tokens, const tables::Service& service,
                             Tokens::OfService& known, uint64_t client, uint64_t bits,
                             net::Instant now) {
  const tables::TrafficLimits& limits = service.traffic;
  Verdict verdict;
  Tokens::OfClient nobody;
  Tokens::OfClient* own = nullptr;
  Cell cell;
  const Tokens::Count own_need = known.client_need(bits);
  if (client != 0) {
    own = tokens.find(client);
    // Who comes for the first time may never come again: he draws what he needs.
    const bool more = own != nullptr;
    if (own == nullptr) own = tokens.take_place(client, now);
    if (own == nullptr) own = &nobody;
    if (!own->left.covers(own_need)) cell = find_or_make(client, now, verdict.forgot);
    if (cell.word != nullptr) {
      own->drawn_at = now.nanoseconds;
      if (!draw(own->left.packets, cell.rates->packets, limits.client.packets_per_second,
                own_need.packets, more, now)) {
        verdict.reason = Reason::client_limit_packet_rate;
      } else if (!draw(own->left.bits, cell.rates->bits, limits.client.bits_per_second,
                       own_need.bits, more, now)) {
        verdict.reason = Reason::client_limit_bit_rate;
      }
    }
  }
  if (verdict.reason == Reason::none) {
    Traffic& all = traffic_[index(service.id)];
    const Tokens::Count need = known.need(bits);
    if (!draw(known.left.packets, all.packets, limits.all.packets_per_second, need.packets, true,
              now)) {
      verdict.reason = Reason::limit_packet_rate;
    } else if (!draw(known.left.bits, all.bits, limits.all.bits_per_second, need.bits, true, now)) {
      verdict.reason = Reason::limit_bit_rate;
    } else {
      known.left.take(need);
      if (own != nullptr && own->left.covers(own_need)) own->left.take(own_need);
      return verdict;
    }
  }
  // What was drawn for it stays for the next one, unless there is nobody to keep it.
  if (own == &nobody && cell.word != nullptr) {
    cell.rates->packets.give_back(limits.client.packets_per_second, nobody.left.packets);
    cell.rates->bits.give_back(limits.client.bits_per_second, nobody.left.bits);
  }
  return verdict;
}

Meters::Left Meters::left(uint16_t worker, uint16_t service, const net::Address& client) const {
  if (!has(service)) return {};
  const Tokens& tokens = *tokens_[worker];
  const Tokens::OfClient* own = tokens.find(hash(service, client));
  return {tokens.of(service).left, own != nullptr ? own->left : Tokens::Count{}};
}

Meters::Mark Meters::opened(const tables::Service& service, const net::Address& client,
                            uint64_t generation, net::Instant now) {
  if (service.limits.client.at_once == 0 || index(service.id) >= services_) return 0;
  const uint64_t known = word_of(service, generation);
  const uint64_t hash = this->hash(static_cast<uint16_t>(index(service.id)), known, client);
  bool forgot = false;
  const Cell cell = find_or_make(hash, now, forgot);
  if (cell.word == nullptr) return 0;
  // Who came last is forgotten last.
  if (service.limits.client.per_second == 0) cell.rates->flows.touch(now);
  uint64_t word = cell.word->load(std::memory_order_relaxed);
  while (is_of(word, hash) && flows_in(word) != kFlows) {
    if (cell.word->compare_exchange_weak(word, word + 1, std::memory_order_relaxed)) {
      return mark_of(known);
    }
  }
  return 0;
}

void Meters::ended(uint16_t service, const net::Address& client, Mark mark) {
  if (service >= services_) return;
  const uint64_t known = words_[service].load(std::memory_order_relaxed);
  if (mark_of(known) != mark) return;
  const uint64_t hash = this->hash(service, known, client);
  const Cell cell = find(hash);
  if (cell.word == nullptr) return;
  uint64_t word = cell.word->load(std::memory_order_relaxed);
  while (is_of(word, hash) && flows_in(word) != 0 &&
         !cell.word->compare_exchange_weak(word, word - 1, std::memory_order_relaxed)) {
  }
}

}  // namespace nezu::admit
