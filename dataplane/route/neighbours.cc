#include "dataplane/route/neighbours.h"

namespace nezu::route {

Neighbours::Host* Neighbours::add(const NeighbourKey& key, const Link& link, net::Instant now) {
  const auto hop = hops_.claim(key.link, link, key.address);
  if (!hop) return nullptr;
  Host& host = hosts_[key];
  host.hop = *hop;
  host.since = now;
  // It may have been forgotten a moment ago, and its index not released yet.
  if (hops_.at(*hop).state() == HopState::failed) hops_.set_state(*hop, HopState::asking);
  added = true;
  return &host;
}

void Neighbours::ask(const NeighbourKey& key, Host& host, net::Instant now, uint64_t again) {
  asks.push_back(key);
  host.ask_at = net::after(now, again);
}

net::Reason Neighbours::hold(const NeighbourKey& key, const Link& link, void* buffer,
                             net::Instant now) {
  auto at = hosts_.find(key);
  if (at == hosts_.end()) {
    if (now >= net::after(second_, net::kNanosecondsPerSecond)) {
      second_ = now;
      new_in_second_ = 0;
    }
    if (new_in_second_ >= limits_.new_per_second) return net::Reason::neighbour_queue_full;
    ++new_in_second_;
    Host* host = add(key, link, now);
    if (host == nullptr) return net::Reason::neighbour_queue_full;
    ask(key, *host, now, limits_.ask_again);
    at = hosts_.find(key);
  }
  Host& host = at->second;
  switch (hops_.at(host.hop).state()) {
    case HopState::ready:  // answered in the meantime
      sends.push_back({buffer, host.hop});
      return net::Reason::none;
    case HopState::failed:
      return net::Reason::neighbour_unresolved;
    case HopState::asking:
    case HopState::link:
    case HopState::across:  // no neighbour's
      break;
  }
  if (host.waiting.size() >= limits_.packets_each || held_ >= limits_.packets) {
    return net::Reason::neighbour_queue_full;
  }
  if (host.waiting.empty()) host.oldest = now;
  host.waiting.push_back(buffer);
  ++held_;
  return net::Reason::none;
}

void Neighbours::start_gateways() {
  for (auto& [key, host] : hosts_) host.gateway = false;
}

void Neighbours::gateway(const NeighbourKey& key, const Link& link, net::Instant now) {
  const auto at = hosts_.find(key);
  Host* host = at != hosts_.end() ? &at->second : add(key, link, now);
  if (host == nullptr) return;
  if (at == hosts_.end()) ask(key, *host, now, limits_.ask_again);
  host->gateway = true;
}

void Neighbours::remember(const NeighbourKey& key, const Link& link, const net::MacAddress& mac,
                          net::Instant now) {
  if (hosts_.contains(key)) return;
  Host* host = add(key, link, now);
  if (host == nullptr) return;
  hops_.resolve(host->hop, mac);
  ask(key, *host, now, limits_.ask_again);
}

void Neighbours::hear(const NeighbourNews& news, net::Instant now) {
  const auto at = hosts_.find(news.key);
  if (at == hosts_.end()) return;
  Host& host = at->second;
  const HopState state = hops_.at(host.hop).state();
  switch (news.heard) {
    case Heard::usable:
      if (state != HopState::ready || hops_.mac(host.hop) != news.mac) {
        hops_.resolve(host.hop, news.mac);
        host.ask_at = net::after(now, limits_.keep);
      }
      for (void* buffer : host.waiting) sends.push_back({buffer, host.hop});
      held_ -= static_cast<uint32_t>(host.waiting.size());
      host.waiting.clear();
      return;
    case Heard::asking:
      return;
    case Heard::failed:
      if (state != HopState::failed) {
        hops_.set_state(host.hop, HopState::failed);
        host.since = now;
        failures.push_back(news.key);
      }
      drop_waiting(host);
      host.ask_at = net::after(now, limits_.ask_again);
      return;
    case Heard::gone:
      host.ask_at = now;
      return;
  }
}

void Neighbours::drop_waiting(Host& host) {
  for (void* buffer : host.waiting) drops.push_back({buffer, net::Reason::neighbour_unresolved});
  held_ -= static_cast<uint32_t>(host.waiting.size());
  host.waiting.clear();
}

/// False when the neighbour is to be forgotten.
bool Neighbours::visit(const NeighbourKey& key, Host& host, net::Instant now) {
  if (!host.waiting.empty() && now >= net::after(host.oldest, limits_.give_up)) drop_waiting(host);
  const HopState state = hops_.at(host.hop).state();
  // Also what the kernel never said a word about: its own table may be full.
  if (state != HopState::ready && !host.gateway && host.waiting.empty() &&
      now >= net::after(host.since, limits_.forget)) {
    return false;
  }
  if (now >= host.ask_at) {
    ask(key, host, now, state == HopState::ready ? limits_.keep : limits_.ask_again);
  }
  return true;
}

void Neighbours::tick(net::Instant now, size_t most) {
  auto at = next_ ? hosts_.lower_bound(*next_) : hosts_.begin();
  for (size_t i = 0; i < most && at != hosts_.end(); ++i) {
    if (visit(at->first, at->second, now)) {
      ++at;
      continue;
    }
    forgotten.push_back(at->second.hop);
    at = hosts_.erase(at);
  }
  if (at == hosts_.end()) {
    next_.reset();
  } else {
    next_ = at->first;
  }
}

std::vector<Neighbours::Known> Neighbours::all() const {
  std::vector<Known> known;
  for (const auto& [key, host] : hosts_) {
    known.push_back({key, hops_.mac(host.hop), hops_.at(host.hop).state()});
  }
  return known;
}

}  // namespace nezu::route
