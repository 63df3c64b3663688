// Flow table, SNAT ports, views of the region, schedulers and routes beside what one would write by
// hand or take from the standard library (library.cc: from DPDK).
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "bench/micro/cases.h"
#include "bench/micro/sets.h"
#include "dataplane/admit/scheduling.h"
#include "dataplane/admit/snat_ports.h"
#include "dataplane/flow/table.h"
#include "dataplane/route/trie.h"
#include "dataplane/tables/reader.h"
#include "tests/path/world.h"

namespace nezu::bench {
namespace {

using namespace net;

// --- flows
// -----------------------------------------------------------------------------------------

struct Hashed {
  size_t operator()(const Tuple4& tuple) const {
    static const FlowHash hash(1);
    return hash(tuple);
  }
};
using Map = std::unordered_map<Tuple4, uint32_t, Hashed>;

struct Flows {
  static constexpr flow::Capacity kCapacity{kKeys + 64, 64};
  Flows()
      : memory(flow::Extent(kCapacity).bytes / 64 + 1),
        table({reinterpret_cast<std::byte*>(memory.data()), memory.size() * 64}, kCapacity,
              FlowHash(1), 0) {
    for (const Tuple4& key : keys()) add(key);
  }
  flow::FlowId add(const Tuple4& key) {
    flow::Track track;
    track.deadline = 16000;
    const flow::Half4 back{0x0501000a, key.source, 0x901f, key.source_port};
    return table.insert(key, back, track).id;
  }
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> memory;
  flow::Table table;
};
Flows& flows() {
  static Flows made;
  return made;
}

void find_map(uint64_t rounds) {
  static const Map map = [] {
    Map filled;
    for (uint32_t i = 0; i < kKeys; ++i) filled[keys()[i]] = i;
    return filled;
  }();
  for (; rounds != 0; --rounds) {
    auto found = map.find(keys()[rounds % kKeys])->second;
    keep(found);
  }
}
void find_one(uint64_t rounds) {
  const flow::Table& table = flows().table;
  for (; rounds != 0; --rounds) {
    auto found = table.find(keys()[rounds % kKeys]).word();
    keep(found);
  }
}
/// As the path does; setting up the packets is in it.
void find_burst(uint64_t rounds) {
  const flow::Table& table = flows().table;
  static auto burst = std::make_unique<Burst>();
  burst->count = kBurstCapacity;
  for (uint64_t done = 0; done < rounds; done += kBurstCapacity) {
    for (uint32_t i = 0; i < kBurstCapacity; ++i) {
      Packet& packet = burst->packets[i];
      packet.verdict = Verdict::undecided;
      packet.shape = Shape::transport;
      packet.flow = kNoFlow;
      packet.tuple4 = keys()[(done + i) % kKeys];
    }
    table.find(*burst);
    keep(burst->packets[0].flow);
  }
}
void change_map(uint64_t rounds) {
  static Map map;
  for (; rounds != 0; --rounds) {
    // Two keys, as a flow has.
    const Tuple4& key = keys()[rounds % kKeys];
    map[key] = 1;
    map[key.mirrored()] = 1;
    map.erase(key);
    map.erase(key.mirrored());
    keep(map);
  }
}
void change_ours(uint64_t rounds) {
  static Flows made;
  static const bool emptied = [] {
    for (const Tuple4& key : keys()) made.table.erase(made.table.find(key));
    return true;
  }();
  for (; emptied && rounds != 0; --rounds) {
    auto id = made.add(keys()[rounds % kKeys]);
    keep(id);
    made.table.erase(id);
  }
}

// --- SNAT ports
// ------------------------------------------------------------------------------------

constexpr uint16_t kSnatServers = 16;

/// By hand: a map of what is in use to a bit for each port.
void ports_map(uint64_t rounds) {
  struct Slice {
    std::array<uint64_t, 4> taken{};
    uint32_t cursor = 0;
  };
  static std::unordered_map<uint64_t, Slice> slices;
  for (; rounds != 0; --rounds) {
    const uint64_t key = (rounds % kSnatServers) << 8 | (rounds & 0xff);
    Slice& slice = slices[key];
    while ((slice.taken[slice.cursor / 64] >> slice.cursor % 64 & 1) != 0) {
      slice.cursor = (slice.cursor + 1) % tables::kSnatSlicePorts;
    }
    const uint32_t port = slice.cursor;
    slice.taken[port / 64] |= uint64_t{1} << port % 64;
    slice.cursor = (port + 1) % tables::kSnatSlicePorts;
    keep(slice);
    slices.find(key)->second.taken[port / 64] &= ~(uint64_t{1} << port % 64);
  }
}
void ports_ours(uint64_t rounds) {
  static admit::SnatPorts ports(1 << 14);
  // One port of each slice stays taken, so that lines stay.
  static const bool begun = [] {
    for (uint32_t i = 0; i < 256u * kSnatServers; ++i) {
      ports.take(1, static_cast<uint8_t>(i), static_cast<uint16_t>(i >> 8));
    }
    return true;
  }();
  for (; begun && rounds != 0; --rounds) {
    const auto server = static_cast<uint16_t>(rounds % kSnatServers);
    auto port = ports.take(1, static_cast<uint8_t>(rounds), server);
    keep(port);
    ports.release(1, port, server);
  }
}

// --- views and schedulers
// ---------------------------------------------------------------------------

constexpr uint32_t kServices = 128, kServers = 16;

struct Region {
  Region() : world(world::World::small_sizes(1)) {
    for (uint32_t i = 0; i < kServers; ++i) servers.push_back("10.0.1." + std::to_string(10 + i));
    for (uint32_t i = 0; i < kServices; ++i) vips.push_back("203.0.113." + std::to_string(1 + i));
    for (uint32_t i = 0; i < kServices; ++i) {
      world::ServiceSpec spec;
      spec.vip = vips[i];
      spec.scheduler = i == 1   ? tables::Scheduler::mh
                       : i == 2 ? tables::Scheduler::wlc
                                : tables::Scheduler::rr;
      for (const std::string& server : servers) spec.servers.push_back({server, 8080});
      ids.push_back(world.put(spec));
    }
    view = world.view();
    for (const std::string& vip : vips) {
      service_keys.push_back({world::address(vip), Instance::standard, 80, Protocol::tcp, {}});
    }
  }
  world::World world;
  std::vector<std::string> vips, servers;
  std::vector<tables::ServiceId> ids;
  std::vector<tables::ServiceKey> service_keys;
  tables::View view;
};
Region& region() {
  static Region made;
  return made;
}

struct HashedService {
  size_t operator()(const tables::ServiceKey& key) const { return tables::hash_of(key, 1); }
};
void service_map(uint64_t rounds) {
  static const auto map = [] {
    std::unordered_map<tables::ServiceKey, uint32_t, HashedService> filled;
    for (const tables::ServiceKey& key : region().service_keys) filled[key] = 1;
    return filled;
  }();
  for (; rounds != 0; --rounds) {
    auto found = map.find(region().service_keys[rounds % kServices])->second;
    keep(found);
  }
}
void service_view(uint64_t rounds) {
  const Region& from = region();
  for (; rounds != 0; --rounds) {
    const auto* found = from.view.service(from.service_keys[rounds % kServices]);
    keep(found);
  }
}
void service_by_id(uint64_t rounds) {
  const Region& from = region();
  for (; rounds != 0; --rounds) {
    const auto* found = from.view.service(from.ids[rounds % kServices]);
    keep(found);
  }
}

void pick_ours(uint64_t rounds, uint32_t service, bool changes) {
  Region& from = region();
  static admit::Scheduling scheduling(from.world.region().header().sizes, 0, 1,
                                      {from.world.region().servers_of(0)});
  tables::ServerCounters* gauges = from.world.region().servers_of(0);
  const tables::Service& of = *from.view.service(from.ids[service]);
  const tables::Pool& pool = *from.view.pool(of.pool);
  for (; rounds != 0; --rounds) {
    const admit::Client client{Address::v4_raw(keys()[rounds % kKeys].source), 1};
    const tables::Member* member = scheduling.pick(from.view, of, pool, client);
    keep(member);
    if (!changes) continue;
    gauges[index(member->server)].flows_active.add(1);
    scheduling.load_changed(member->server);
  }
}
void pick_turn(uint64_t rounds) { pick_ours(rounds, 0, false); }
void pick_hash(uint64_t rounds) { pick_ours(rounds, 1, false); }
void pick_load(uint64_t rounds) { pick_ours(rounds, 2, true); }

void turn_by_hand(uint64_t rounds) {
  const Region& from = region();
  static uint32_t position = 0;
  const tables::Pool& pool = *from.view.pool(from.view.service(from.ids[0])->pool);
  for (; rounds != 0; --rounds) {
    if (++position == pool.member_count) position = 0;
    const tables::Member* member = &pool.members()[position];
    keep(member);
  }
}
void hash_by_hand(uint64_t rounds) {
  const Region& from = region();
  const tables::Pool& pool = *from.view.pool(from.view.service(from.ids[1])->pool);
  const tables::Ring& ring = *from.view.ring(pool.ring);
  for (; rounds != 0; --rounds) {
    const uint64_t hash = mix64(keys()[rounds % kKeys].source);
    const tables::Member* member = &pool.members()[ring.entries()[hash % ring.size]];
    keep(member);
  }
}
/// The least loaded of sixteen by looking at all of them.
void load_by_hand(uint64_t rounds) {
  static std::array<uint64_t, kServers> loads{};
  for (; rounds != 0; --rounds) {
    size_t best = 0;
    for (size_t i = 1; i < kServers; ++i) {
      if (loads[i] < loads[best]) best = i;
    }
    ++loads[best];
    keep(loads);
  }
}

// --- routes
// ----------------------------------------------------------------------------------------

void route_trie(uint64_t rounds) {
  static const route::Trie trie = [] {
    std::vector<route::Trie::Entry> entries;
    for (uint32_t i = 0; i < kPrefixes; ++i) {
      const Prefix4 one = prefix(i);
      const uint32_t raw = swap32(one.address);
      const auto* bytes = reinterpret_cast<const uint8_t*>(&raw);
      entries.push_back({{bytes, bytes + 4}, one.length, i + 1});
    }
    return route::Trie(std::move(entries));
  }();
  for (; rounds != 0; --rounds) {
    const uint32_t raw = swap32(target(rounds));
    auto found = trie.find(reinterpret_cast<const uint8_t*>(&raw));
    keep(found);
  }
}
/// By hand: a map for each length, the longest first.
void route_maps(uint64_t rounds) {
  static const auto maps = [] {
    std::array<std::unordered_map<uint32_t, uint32_t>, 33> filled;
    for (uint32_t i = 0; i < kPrefixes; ++i) filled[prefix(i).length][prefix(i).address] = i + 1;
    return filled;
  }();
  for (; rounds != 0; --rounds) {
    const uint32_t address = target(rounds);
    uint32_t found = 0;
    for (uint32_t length = 24; length >= 16 && found == 0; --length) {
      const auto it = maps[length].find(address & ~uint32_t{0} << (32 - length));
      if (it != maps[length].end()) found = it->second;
    }
    keep(found);
  }
}

constexpr Case kCases[] = {
    {"flow_find", "unordered_map", "", find_map},
    {"flow_find", "one", "", find_one},
    {"flow_find", "burst", "", find_burst},
    {"flow_change", "unordered_map", "", change_map},
    {"flow_change", "insert_erase", "unordered_map", change_ours},
    {"snat_port", "unordered_map", "", ports_map},
    {"snat_port", "take_release", "unordered_map", ports_ours},
    {"service", "unordered_map", "", service_map},
    {"service", "view", "", service_view},
    {"service", "view_by_id", "", service_by_id},
    {"pick_turn", "hand", "", turn_by_hand},
    {"pick_turn", "rr", "", pick_turn},
    {"pick_hash", "hand", "", hash_by_hand},
    {"pick_hash", "mh", "", pick_hash},
    {"pick_load", "scan_of_16", "", load_by_hand},
    {"pick_load", "wlc", "", pick_load},
    {"route", "maps", "", route_maps},
    {"route", "trie", "maps", route_trie},
};

}  // namespace

std::span<const Case> table_cases() { return kCases; }

}  // namespace nezu::bench
