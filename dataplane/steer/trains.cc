#include "dataplane/steer/trains.h"

#include <algorithm>

#include "dataplane/net/headers.h"

namespace nezu::steer {

using net::Reason;

namespace {

bool has_passed(net::Tick deadline, net::Tick now) {
  return static_cast<int32_t>(now - deadline) >= 0;
}

}  // namespace

Trains::Trains(const Limits& limits)
    : limits_(limits),
      trains_(std::make_unique<Train[]>(limits.trains)),
      places_(limits.held),
      ready_(limits.held) {
  for (uint16_t i = 0; i < places_.size(); ++i) {
    places_[i].next = free_;
    free_ = i;
  }
}

net::Tuple6 Trains::key_of(const net::Packet& packet) {
  net::Tuple6 key;
  uint32_t identification = 0;
  if (packet.family == net::Family::ipv4) {
    key.source = net::Address::v4_raw(packet.tuple4.source).bytes;
    key.destination = net::Address::v4_raw(packet.tuple4.destination).bytes;
    key.instance = packet.tuple4.instance;
    identification = packet.at<net::Ipv4>(packet.l3)->id.raw();
  } else {
    key.source = packet.tuple6.source;
    key.destination = packet.tuple6.destination;
    key.instance = packet.tuple6.instance;
    identification = packet.at<net::Ipv6Fragment>(packet.fragment_header)->id.raw();
  }
  key.protocol = packet.protocol;
  key.source_port = static_cast<uint16_t>(identification);
  key.destination_port = static_cast<uint16_t>(identification >> 16);
  return key;
}

std::span<Trains::Train> Trains::set_of(uint64_t hash) {
  const uint32_t sets = limits_.trains / kWays;
  return {&trains_[(hash >> 8) % sets * kWays], kWays};
}

const Trains::Train* Trains::look_up(const net::Tuple6& key, uint64_t hash, net::Tick now) const {
  const uint32_t sets = limits_.trains / kWays;
  const std::span<const Train> set(&trains_[(hash >> 8) % sets * kWays], kWays);
  for (const Train& train : set) {
    if (train.deadline != 0 && !has_passed(train.deadline, now) && train.key == key) {
      return &train;
    }
  }
  return nullptr;
}

/// The train's line; a new one takes a free line, else that of the train which ends first, of those
/// for which nobody waits if there are any.
Trains::Train& Trains::enter(const net::Tuple6& key, uint64_t hash, net::Tick now) {
  if (const Train* found = look_up(key, hash, now)) return const_cast<Train&>(*found);
  const auto rank = [now](const Train& train) -> int64_t {
    if (train.deadline == 0) return INT64_MIN;
    const auto left = static_cast<int64_t>(static_cast<int32_t>(train.deadline - now));
    return train.count == 0 ? left - (int64_t{1} << 32) : left;
  };
  const std::span<Train> set = set_of(hash);
  Train& train = *std::min_element(
      set.begin(), set.end(),
      [&](const Train& one, const Train& other) { return rank(one) < rank(other); });
  if (train.count != 0) {
    let_go(train, has_passed(train.deadline, now) ? Reason::fragment_timeout
                                                  : Reason::fragment_table_full);
  }
  train.key = key;
  train.deadline = std::max<net::Tick>(now + limits_.wait, 1);
  train.known = false;
  return train;
}

/// Those that wait go on with the train's ports, or end for `reason`.
void Trains::let_go(Train& train, Reason reason) {
  if (train.count == 0) return;
  for (uint16_t at = train.first; at != kNone;) {
    Place& place = places_[at];
    ready_[written_++ % ready_.size()] = {place.buffer, train.ports, train.known, reason};
    const uint16_t next = place.next;
    place.next = free_;
    free_ = at;
    at = next;
    --held_;
  }
  train.first = train.last = kNone;
  train.count = 0;
  --early_;
}

void Trains::learn(const net::Tuple6& key, uint64_t hash, uint32_t ports, net::Tick now) {
  Train& train = enter(key, hash, now);
  // Identifications come round again (IPv4 has 65,536): the newest packet's ports count.
  train.ports = ports;
  train.known = true;
  train.deadline = std::max<net::Tick>(now + limits_.keep, 1);
  let_go(train, Reason::none);
}

bool Trains::find(const net::Tuple6& key, uint64_t hash, net::Tick now, uint32_t& ports) const {
  const Train* train = look_up(key, hash, now);
  if (train == nullptr || !train->known) return false;
  ports = train->ports;
  return true;
}

Reason Trains::hold(const net::Tuple6& key, uint64_t hash, void* buffer, net::Tick now) {
  // What waits to be fetched by `release` has a claim to room there.
  if (free_ == kNone || held_ + (written_ - read_) >= limits_.held) {
    return Reason::fragment_table_full;
  }
  Train& train = enter(key, hash, now);
  if (free_ == kNone || train.count == limits_.held_each) return Reason::fragment_table_full;
  const uint16_t at = free_;
  Place& place = places_[at];
  free_ = place.next;
  place = {buffer, kNone};
  if (train.count == 0) {
    train.first = at;
    ++early_;
  } else {
    places_[train.last].next = at;
  }
  train.last = at;
  ++train.count;
  ++held_;
  return Reason::none;
}

void Trains::expire(net::Tick now) {
  if (early_ == 0 || now == expired_) return;
  expired_ = now;
  for (uint32_t i = 0; i < limits_.trains; ++i) {
    Train& train = trains_[i];
    if (train.count != 0 && has_passed(train.deadline, now)) {
      let_go(train, Reason::fragment_timeout);
      train.deadline = 0;
    }
  }
}

uint32_t Trains::release(std::span<Given> out) {
  uint32_t count = 0;
  while (count < out.size() && read_ != written_) out[count++] = ready_[read_++ % ready_.size()];
  return count;
}

}  // namespace nezu::steer
