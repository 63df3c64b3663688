#include "dataplane/steer/persistence.h"

#include <algorithm>

#include "dataplane/net/hash.h"
#include "dataplane/tables/view.h"

namespace nezu::steer {
namespace {

constexpr uint32_t kTicksPerUnit = 4 * net::kTicksPerSecond, kNone = 0xffffffffu;
constexpr auto kRelaxed = std::memory_order_relaxed;

uint16_t unit_of(net::Tick tick) { return static_cast<uint16_t>(tick / kTicksPerUnit); }
/// The first one by which the life is over.
uint16_t end_of(net::Tick seen, uint32_t life) {
  const uint32_t ticks = std::min<uint32_t>(life, 86400) * net::kTicksPerSecond;
  const auto unit = static_cast<uint16_t>(unit_of(seen + ticks) + 1);
  return unit != 0 ? unit : 1;
}
uint64_t word_of(uint64_t hash, uint16_t server, uint16_t end) {
  return (hash >> 32) << 32 | uint64_t{server} << 16 | end;
}
uint16_t server_in(uint64_t word) { return static_cast<uint16_t>(word >> 16); }
int16_t units_left(uint64_t word, net::Tick now) {
  return static_cast<int16_t>(static_cast<uint16_t>(word) - unit_of(now));
}
bool is_live(uint64_t word, net::Tick now) { return word != 0 && units_left(word, now) > 0; }
bool is_of(uint64_t word, uint64_t hash) { return word >> 32 == hash >> 32; }

}  // namespace

size_t Persistence::bytes(uint32_t capacity) { return capacity * (sizeof(Word) + sizeof(Record)); }

Persistence::Persistence(std::span<std::byte> memory, uint32_t capacity, uint64_t seed)
    : words_(reinterpret_cast<Word*>(memory.data())),
      records_(reinterpret_cast<Record*>(memory.data() + capacity * sizeof(Word))),
      capacity_(capacity),
      seed_(seed) {
  uint32_t used = 0;
  for (uint32_t i = 0; i < capacity_; ++i) used += words_[i].load(kRelaxed) != 0 ? 1 : 0;
  count_.store(used, kRelaxed);
}

uint64_t Persistence::hash(const PersistentClient& client) const {
  return tables::key_hash(client.address, net::mix64(client.scope),
                          seed_ ^ static_cast<uint64_t>(client.instance));
}

/// The first one that is live; kNone: none.
uint32_t Persistence::place_of(uint64_t hash, net::Tick now) const {
  const uint32_t from = home(hash);
  for (uint32_t i = from; i < from + kWays; ++i) {
    const uint64_t word = words_[i].load(std::memory_order_seq_cst);
    if (is_of(word, hash) && is_live(word, now)) return i;
  }
  return kNone;
}

uint16_t Persistence::find(uint64_t hash, net::Tick now) const {
  const uint32_t from = home(hash);
  for (uint32_t i = from; i < from + kWays; ++i) {
    const uint64_t word = words_[i].load(kRelaxed);
    if (is_of(word, hash) && is_live(word, now)) return server_in(word);
  }
  return kNobody;
}

void Persistence::touch(uint64_t hash, net::Tick now, net::Tick seen, uint32_t life) {
  const uint32_t place = place_of(hash, now);
  if (place == kNone) return;
  uint64_t word = words_[place].load(kRelaxed);
  const uint64_t later = word_of(hash, server_in(word), end_of(seen, life));
  if (!is_of(word, hash) || units_left(later, now) <= units_left(word, now)) return;
  words_[place].compare_exchange_strong(word, later);  // who was faster has said something newer
}

Persistence::Kept Persistence::keep(const PersistentClient& client, uint64_t hash, uint16_t server,
                                    const tables::ServerIdentity& identity, uint16_t instead_of,
                                    net::Tick now, uint32_t life) {
  constexpr uint32_t kTries = 16;  // each failure is another worker's success
  const uint64_t wanted = word_of(hash, server, end_of(now, life));
  for (uint32_t tries = 0; tries < kTries; ++tries) {
    uint32_t place = place_of(hash, now);
    uint64_t before = 0;
    if (place != kNone) {
      before = words_[place].load();
      if (!is_of(before, hash)) continue;
      const uint16_t has = server_in(before);
      if (has != instead_of && has != server) return {has};
    } else {
      // Whoever writes there from now on makes the exchange below fail.
      const auto value = [now](uint64_t word) {
        return is_live(word, now) ? int32_t{units_left(word, now)} : word == 0 ? -1 : 0;
      };
      place = home(hash);
      before = words_[place].load();
      for (uint32_t i = place + 1; i < home(hash) + kWays; ++i) {
        const uint64_t word = words_[i].load();
        if (value(word) >= value(before)) continue;
        place = i;
        before = word;
      }
      if (is_of(before, hash) && is_live(before, now)) continue;
    }
    const bool forgets = is_live(before, now) && !is_of(before, hash);
    if (!words_[place].compare_exchange_strong(before, wanted)) continue;
    if (before == 0) count_.fetch_add(1, kRelaxed);
    write(place, client, identity);
    // Somebody who found another place free at the same moment: the lower one's word stands.
    const uint32_t stands = place_of(hash, now);
    if (stands >= place || stands == kNone) return {server, forgets};
    uint64_t ours = wanted;
    if (words_[place].compare_exchange_strong(ours, 0)) count_.fetch_sub(1, kRelaxed);
    return {server_in(words_[stands].load()), forgets};
  }
  return {server};
}

void Persistence::forget(uint64_t hash, net::Tick now) {
  const uint32_t place = place_of(hash, now);
  if (place == kNone) return;
  uint64_t word = words_[place].load();
  while (is_of(word, hash) && word != 0) {
    if (words_[place].compare_exchange_strong(word, 0)) {
      count_.fetch_sub(1, kRelaxed);
      return;
    }
  }
}

void Persistence::write(uint32_t place, const PersistentClient& client,
                        const tables::ServerIdentity& identity) {
  Record& record = records_[place];
  record.scope.store(client.scope, kRelaxed);
  record.client_high.store(net::load<uint64_t>(&client.address.bytes[0]), kRelaxed);
  record.client_low.store(net::load<uint64_t>(&client.address.bytes[8]), kRelaxed);
  record.server_high.store(net::load<uint64_t>(&identity.address.bytes[0]), kRelaxed);
  record.server_low.store(net::load<uint64_t>(&identity.address.bytes[8]), kRelaxed);
  record.rest.store(uint64_t{identity.port} << 48 | static_cast<uint64_t>(identity.protocol) << 32 |
                        static_cast<uint64_t>(client.instance),
                    kRelaxed);
}

/// False: nobody, or somebody is writing just now.
bool Persistence::read(uint32_t place, net::Tick now, Held& held) const {
  const uint64_t word = words_[place].load();
  if (!is_live(word, now)) return false;
  const Record& record = records_[place];
  const uint64_t rest = record.rest.load(kRelaxed);
  const auto address = [](uint64_t high, uint64_t low) {
    net::Address whole;
    net::store(&whole.bytes[0], high);
    net::store(&whole.bytes[8], low);
    return whole;
  };
  held.client = {record.scope.load(kRelaxed),
                 address(record.client_high.load(kRelaxed), record.client_low.load(kRelaxed)),
                 static_cast<net::Instance>(rest & 0xffffffffu)};
  held.server = server_in(word);
  held.identity = {address(record.server_high.load(kRelaxed), record.server_low.load(kRelaxed)),
                   held.client.instance,
                   static_cast<uint16_t>(rest >> 48),
                   static_cast<net::Protocol>(rest >> 32 & 0xff),
                   {}};
  const auto units = static_cast<uint32_t>(units_left(word, now));
  held.seconds_left = units * (kTicksPerUnit / net::kTicksPerSecond);
  const uint64_t proof = hash(held.client);
  return is_of(word, proof) && place - place % kWays == home(proof);
}

void Persistence::expire(uint32_t from, uint32_t count, net::Tick now) {
  for (uint32_t i = from; i < capacity_ && i - from < count; ++i) {
    uint64_t word = words_[i].load(kRelaxed);
    if (word == 0 || is_live(word, now)) continue;
    if (words_[i].compare_exchange_strong(word, 0)) count_.fetch_sub(1, kRelaxed);
  }
}

void Persistence::resettle(uint32_t place, uint16_t server) {
  const uint64_t word = words_[place].load(kRelaxed);
  if (word == 0) return;
  if (server == kNobody) {
    words_[place].store(0, kRelaxed);
    count_.fetch_sub(1, kRelaxed);
  } else {
    words_[place].store((word & ~(uint64_t{0xffff} << 16)) | uint64_t{server} << 16, kRelaxed);
  }
}

}  // namespace nezu::steer
