// Looking up: a burst at a time, so that the memory's latency is paid once for all its packets, or
// not at all where there is other work meanwhile.
#include <bit>

#include "dataplane/flow/key.h"
#include "dataplane/flow/table.h"

namespace nezu::flow {

template <>
const Entry4* Table::entries<Entry4>() const {
  return narrow_;
}
template <>
const Entry6* Table::entries<Entry6>() const {
  return wide_;
}

template <typename Entry, typename Tuple>
FlowId Table::match(const Bucket& bucket, uint16_t tag, const Tuple& tuple) const {
  constexpr bool kWide = std::is_same_v<Entry, Entry6>;
  for (uint32_t hits = bucket.matching(tag); hits != 0; hits &= hits - 1) {
    const FlowId id(bucket.words[static_cast<uint32_t>(std::countr_zero(hits))]);
    if (id.wide() == kWide && is_key(entries<Entry>()[id.entry()], id.direction(), tuple)) {
      return id;
    }
    if constexpr (!kWide) {
      if (id.wide() && is_key(wide_[id.entry()], id.direction(), tuple)) return id;
    }
  }
  return FlowId();
}

template <typename Entry, typename Tuple>
FlowId Table::find_in(const Tuple& tuple, uint64_t hash) const {
  const uint16_t tag = tag_of(hash);
  const uint32_t home = buckets_.home(hash);
  const FlowId id = match<Entry>(buckets_[home], tag, tuple);
  if (id.exists() || buckets_[home].overflow == 0) return id;
  return match<Entry>(buckets_[buckets_.other(home, tag)], tag, tuple);
}

FlowId Table::find(const net::Tuple4& tuple, uint64_t hash) const {
  return find_in<Entry4>(tuple, hash);
}
FlowId Table::find(const net::Tuple6& tuple, uint64_t hash) const {
  if (is_mapped(tuple.source)) [[unlikely]]
    return find(unmapped(tuple), hash);
  return find_in<Entry6>(tuple, hash);
}

namespace {

bool is_wanted(const net::Packet& packet) {
  return packet.verdict == net::Verdict::undecided &&
         (packet.shape == net::Shape::transport || packet.shape == net::Shape::icmp_error);
}

bool is_v4(const net::Packet& packet) { return packet.family == net::Family::ipv4; }

}  // namespace

void Table::ask(net::Burst& burst, uint32_t from, uint32_t to) const {
  const net::FlowHash hash = hash_;  // keys stay in registers: packets are not written over them
  for (uint32_t i = from; i < to; ++i) {
    net::Packet& packet = burst.packets[i];
    if (!is_wanted(packet)) [[unlikely]]
      continue;
    if (packet.shape == net::Shape::icmp_error) [[unlikely]] {
      packet.hash = is_v4(packet) ? hash(packet.tuple4.mirrored()) : hash(packet.tuple6.mirrored());
    } else {
      packet.hash = is_v4(packet) ? hash(packet.tuple4) : hash(packet.tuple6);
    }
    buckets_.prefetch(packet.hash);
  }
}

void Table::guess(net::Burst& burst, uint32_t from, uint32_t to) const {
  for (uint32_t i = from; i < to; ++i) {
    net::Packet& packet = burst.packets[i];
    if (!is_wanted(packet)) [[unlikely]]
      continue;
    const uint32_t home = buckets_.home(packet.hash);
    const Bucket& bucket = buckets_[home];
    if (const uint32_t hits = bucket.matching(tag_of(packet.hash)); hits != 0) [[likely]] {
      packet.flow = bucket.words[static_cast<uint32_t>(std::countr_zero(hits))];
      prefetch(FlowId(packet.flow));
    } else if (bucket.overflow != 0) {
      __builtin_prefetch(&buckets_[buckets_.other(home, tag_of(packet.hash))]);
    }
  }
}

// Only a packet whose first guess was wrong walks on, or whose guess found nothing at a home that
// has keys elsewhere.
uint32_t Table::confirm(net::Burst& burst) const {
  uint32_t missing = 0;
  for (net::Packet& packet : burst.all()) {
    if (!is_wanted(packet)) [[unlikely]]
      continue;
    const FlowId guess(packet.flow);
    if (packet.shape == net::Shape::icmp_error) [[unlikely]] {
      packet.flow = is_v4(packet) ? find(packet.tuple4.mirrored(), packet.hash).word()
                                  : find(packet.tuple6.mirrored(), packet.hash).word();
    } else if (is_v4(packet)) {
      // "None" would be a wide one.
      if (!guess.wide() && is_key(narrow_[guess.entry()], guess.direction(), packet.tuple4))
          [[likely]] {
        continue;
      }
      if (guess.exists() && guess.wide() &&
          is_key(wide_[guess.entry()], guess.direction(), packet.tuple4)) {
        continue;
      }
      if (guess.exists() || !buckets_.stays_home(packet.hash)) {
        packet.flow = find(packet.tuple4, packet.hash).word();
      }
    } else {
      if (guess.exists() && guess.wide() &&
          is_key(wide_[guess.entry()], guess.direction(), packet.tuple6)) [[likely]] {
        continue;
      }
      if (guess.exists() || !buckets_.stays_home(packet.hash)) {
        packet.flow = find_in<Entry6>(packet.tuple6, packet.hash).word();
      }
    }
    missing += packet.flow == net::kNoFlow;
  }
  return missing;
}

}  // namespace nezu::flow
