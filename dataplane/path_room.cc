// What a new flow must find: room in the table, and an SNAT address with its port.
#include <algorithm>

#include "dataplane/path_open.h"

namespace nezu::path {

using flow::FlowId;
using net::Reason;

namespace {

/// The service's SNAT addresses of one family, from one that a hash chooses.
struct Candidates {
  const tables::AddressId* ids = nullptr;
  uint32_t count = 0, from = 0;
  tables::AddressId at(uint32_t i) const { return ids[(from + i) % count]; }
};
Candidates candidates_of(const Turn& turn, const tables::Service& service, bool is_v4,
                         uint64_t hash) {
  const tables::SnatSet* set = turn.view.snats(service.snats);
  if (set == nullptr) return {};
  Candidates all{set->ids() + (is_v4 ? 0 : set->ipv4_count),
                 is_v4 ? set->ipv4_count : set->count - set->ipv4_count, 0};
  all.from = static_cast<uint32_t>((hash & 0xffffffff) * all.count >> 32);
  return all;
}
uint16_t slot_of(tables::AddressId id) { return static_cast<uint16_t>(index(id)); }

/// The first of them that `take` (of address and slot) takes.
template <typename Take>
Source find_source(Turn& turn, const tables::Service& service, bool is_v4, uint64_t hash,
                   Take take) {
  const Candidates all = candidates_of(turn, service, is_v4, hash);
  if (all.count == 0) return {{}, 0, 0, Reason::snat_missing};
  for (uint32_t i = 0; i < all.count; ++i) {
    const tables::LocalAddress* local = turn.view.address(all.at(i));
    if (local == nullptr) continue;
    const uint16_t slot = slot_of(all.at(i));
    uint16_t port = 0;
    if (take(*local, slot, port)) return {local->address, slot, port, Reason::none};
  }
  return {{}, 0, 0, Reason::snat_ports_exhausted};
}

/// Flows that nobody has answered yet may hold a share of the table. At the limit the oldest makes
/// place, if it has had its second; so a flood does not shut everybody else out.
Reason keep_share(Turn& turn, bool wide, uint32_t waiting) {
  flow::Table& flows = turn.state.flows;
  const uint64_t limit = embryonic_limit(turn.view.settings(), flows.capacity(wide));
  if (flows.count(wide, flow::Stage::embryonic) + waiting < limit) return Reason::none;
  const FlowId oldest = flows.oldest(wide, flow::Stage::embryonic);
  if (!oldest.exists()) return Reason::embryonic_limit;
  if (!turn.may_end || !may_make_place(flows.track(oldest), turn.tick)) {
    return Reason::embryonic_limit;
  }
  turn.state.end(oldest);
  turn.state.line.flows_recycled.add(1);
  turn.erased = true;
  return Reason::none;
}

}  // namespace

Source take_source(Turn& turn, const tables::Service& service, uint8_t shard, bool is_v4,
                   admit::Peer peer, uint64_t hash) {
  return find_source(turn, service, is_v4, hash,
                     [&](const tables::LocalAddress&, uint16_t slot, uint16_t& port) {
                       port = turn.state.ports.take(slot, shard, peer);
                       return port != 0;
                     });
}

void ask_for_source(const Turn& turn, const tables::Service& service, uint8_t shard, bool is_v4,
                    admit::Peer peer, uint64_t hash) {
  const Candidates all = candidates_of(turn, service, is_v4, hash);
  if (all.count != 0) turn.state.ports.prefetch(slot_of(all.at(0)), shard, peer);
}

template <typename F>
Source take_whole_source(Turn& turn, const tables::Service& service, const typename F::Tuple& tuple,
                         const tables::Member& member, uint64_t hash) {
  return find_source(turn, service, member.address.is_v4(), hash,
                     [&](const tables::LocalAddress& local, uint16_t, uint16_t&) {
                       typename F::Tuple back = tuple;
                       back.source = F::raw(member.address);
                       back.destination = F::raw(local.address);
                       return !turn.state.flows.find(back).exists();
                     });
}
template Source take_whole_source<V4>(Turn&, const tables::Service&, const net::Tuple4&,
                                      const tables::Member&, uint64_t);
template Source take_whole_source<V6>(Turn&, const tables::Service&, const net::Tuple6&,
                                      const tables::Member&, uint64_t);

uint32_t room_for(const Turn& turn, bool wide, uint32_t waiting) {
  const flow::Table& flows = turn.state.flows;
  const uint64_t embryonic = flows.count(wide, flow::Stage::embryonic) + waiting,
                 used = flows.count(wide) + waiting, capacity = flows.capacity(wide),
                 limit = embryonic_limit(turn.view.settings(), flows.capacity(wide));
  if (embryonic >= limit || used >= capacity) return 0;
  return static_cast<uint32_t>(std::min(limit - embryonic, capacity - used));
}

Reason make_room(Turn& turn, bool wide, uint32_t waiting, bool proven) {
  if (!proven) {
    if (const Reason full = keep_share(turn, wide, waiting); full != Reason::none) return full;
  }
  flow::Table& flows = turn.state.flows;
  if (flows.count(wide) + waiting < flows.capacity(wide)) return Reason::none;
  if (!turn.may_end) return Reason::flow_table_full;
  for (const flow::Stage stage : {flow::Stage::closed, flow::Stage::embryonic}) {
    if (const FlowId oldest = flows.oldest(wide, stage); oldest.exists()) {
      turn.state.end(oldest);
      turn.state.line.flows_recycled.add(1);
      turn.erased = true;
      return Reason::none;
    }
  }
  return Reason::flow_table_full;
}

}  // namespace nezu::path
