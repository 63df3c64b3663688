#include "tests/unit/tables/script.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

namespace nezu::tables {
namespace {

// Slots in two pages; the service, pool and server with one number belong together.
constexpr uint32_t kCount = 12;
constexpr uint32_t slot_of(uint32_t number) { return number * 30; }

/// The last step, up to `revision`, that touched that number: each step touches one of them, and
/// numbers 0 and 11 (in different pages) always.
uint64_t touched(uint32_t number, uint64_t revision) {
  if (number == 0 || number == kCount - 1) return revision;
  for (uint64_t r = revision; r > 0; --r) {
    if (r % kCount == number) return r;
  }
  return 0;
}
/// Every third time that a number is touched its service is removed instead.
bool is_removed(uint64_t when, uint32_t number) {
  return number != 0 && number != kCount - 1 && when / kCount % 3 == 2;
}
bool exists(uint32_t number, uint64_t revision) {
  const uint64_t when = touched(number, revision);
  return when != 0 && !is_removed(when, number);
}

Service service_at(uint32_t number, uint64_t when) {
  Service service;
  service.id = ServiceId{slot_of(number)};
  service.pool = PoolId{slot_of(number)};
  service.key.address = net::Address::v4(0xcb007100 + number);
  service.key.port = static_cast<uint16_t>(1 + when % 5000);
  service.key.protocol = net::Protocol::tcp;
  service.identity = when;
  service.timeouts.fill(static_cast<net::Tick>(when));
  return service;
}
uint64_t ring_kind(uint64_t when) { return when % 3; }
RingSource ring_at(uint64_t when) {
  return {1000 + ring_kind(when), [when] {
            return std::vector<uint16_t>(1009, static_cast<uint16_t>(7 + ring_kind(when)));
          }};
}
Pool pool_at(uint32_t number, uint64_t when) {
  Pool pool;
  pool.id = PoolId{slot_of(number)};
  pool.scheduler = Scheduler::mh;
  pool.identity = when;
  return pool;
}
std::vector<Member> members_at(uint64_t when) {
  std::vector<Member> members(1 + when % 9);
  for (Member& member : members) member.weight = static_cast<uint32_t>(when);
  return members;
}
Server server_at(uint32_t number, uint64_t when) {
  Server server;
  server.id = ServerId{slot_of(number)};
  server.identity.address = net::Address::v4(0x0a000000 + number);
  server.drain_deadline = net::Instant{when};
  return server;
}
LocalAddress address_at(uint32_t number, uint64_t when) {
  LocalAddress local;
  local.id = AddressId{slot_of(number)};
  local.address = net::Address::v4(0xcb007100 + number);
  local.answers_ping = when % 2;
  return local;
}
std::vector<AddressId> snats_at(uint64_t when) {
  return std::vector<AddressId>(1 + when % 4, AddressId{static_cast<uint32_t>(when % 4)});
}

/// Of a service, at times none; two kinds are shared with instances.
std::vector<uint8_t> access_at(uint64_t when) {
  AccessSpec spec;
  const auto kind = static_cast<uint32_t>(when % 5);
  for (uint32_t i = 0; i < kind; ++i) {
    spec.deny.push_back({net::Address::v4(0xc6120000u + (i << 8)), 24});
  }
  return build_access_list(spec);
}
/// None, one or two instances have some.
std::vector<InstanceAccessSpec> instance_access_at(uint64_t revision) {
  std::vector<InstanceAccessSpec> lists;
  for (uint64_t i = 0; i < revision / 3 % 3; ++i) {
    lists.push_back({static_cast<net::Instance>(i * 7), access_at(1 + (revision / 3 + i) % 3)});
  }
  return lists;
}
bool is_list(const View& view, Ref<AccessList> ref, std::span<const uint8_t> wanted) {
  const AccessList* list = view.at(ref);
  if (list == nullptr) return wanted.empty();
  return list->bytes() == wanted.size() && std::memcmp(list, wanted.data(), wanted.size()) == 0;
}

/// The rules of source NAT change every other revision, and at times there are none.
std::vector<uint8_t> rules_at(uint64_t revision) {
  std::vector<SourceRuleSpec> rules(revision / 2 % 4);
  for (size_t i = 0; i < rules.size(); ++i) {
    rules[i].service = ServiceId{static_cast<uint32_t>(revision / 2 + i)};
    rules[i].sources = {{net::Address::v4(0x0a000000u + static_cast<uint32_t>(i << 8)), 24}};
  }
  return build_source_rules(rules);
}

std::string fault_of_number(const View& view, uint32_t number, uint64_t when) {
  const std::string where = " of number " + std::to_string(number) + " in revision " +
                            std::to_string(view.root()->revision);
  const Service* service = view.service(ServiceId{slot_of(number)});
  const Service wanted = service_at(number, when);
  if (service == nullptr || service->identity != when || service->timeouts != wanted.timeouts ||
      service->key != wanted.key || service->pool != wanted.pool) {
    return "the service" + where;
  }
  if (view.service(wanted.key) != service) return "the service's key" + where;
  const SnatSet* snats = view.snats(service->snats);
  const std::vector<AddressId> wanted_snats = snats_at(when);
  if (snats == nullptr || snats->count != wanted_snats.size() ||
      !std::equal(wanted_snats.begin(), wanted_snats.end(), snats->ids())) {
    return "the SNAT set" + where;
  }
  if (!is_list(view, service->access, access_at(when))) return "the access list" + where;
  const Pool* pool = view.pool(service->pool);
  const std::vector<Member> members = members_at(when);
  if (pool == nullptr || pool->identity != when || pool->member_count != members.size() ||
      !std::equal(members.begin(), members.end(), pool->members())) {
    return "the pool" + where;
  }
  const Ring* ring = view.ring(pool->ring);
  const auto entry = static_cast<uint16_t>(7 + ring_kind(when));
  if (ring == nullptr || ring->size != 1009 ||
      std::any_of(ring->entries(), ring->entries() + ring->size,
                  [entry](uint16_t found) { return found != entry; })) {
    return "the ring" + where;
  }
  const Server* server = view.server(ServerId{slot_of(number)});
  if (server == nullptr || *server != server_at(number, when)) return "the server" + where;
  const LocalAddress local = address_at(number, when);
  const LocalAddress* found = view.address(local.instance, local.address);
  if (found == nullptr || *found != local) return "the address" + where;
  return {};
}

}  // namespace

Sizes script_sizes() {
  Sizes sizes;
  sizes.services = sizes.pools = sizes.servers = sizes.addresses = 512;
  sizes.workers = 2;
  sizes.heap_bytes = 512 << 10;
  return sizes;
}

/// None, and up to six; those of two revisions in a row may be the same.
std::vector<Membership> memberships_at(uint64_t revision) {
  std::vector<Membership> all(revision / 2 % 7);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].port[0] = 'p';
    all[i].vlan = static_cast<uint16_t>(i + 1);
    all[i].instance = static_cast<net::Instance>(revision / 2 % 1000);
  }
  return all;
}

/// None, one or two, of a revision in four.
std::vector<Bridge> bridges_at(uint64_t revision) {
  std::vector<Bridge> all(revision / 4 % 3);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].name[0] = static_cast<char>('a' + i);
    all[i].vlan = static_cast<uint16_t>(revision / 4 % 4000);
  }
  return all;
}

Commit step(Writer& writer, uint64_t revision) {
  Transaction change(writer);
  for (const uint32_t number :
       std::set<uint32_t>{0, kCount - 1, static_cast<uint32_t>(revision % kCount)}) {
    if (is_removed(revision, number)) {
      change.remove(ServiceId{slot_of(number)});
      change.remove(PoolId{slot_of(number)});
      change.remove(ServerId{slot_of(number)});
      change.remove(AddressId{slot_of(number)});
      continue;
    }
    const RingSource ring = ring_at(revision);
    change.put(service_at(number, revision), snats_at(revision), 0, access_at(revision));
    change.put(pool_at(number, revision), members_at(revision), &ring, nullptr);
    change.put(server_at(number, revision));
    change.put(address_at(number, revision));
  }
  Settings settings;
  settings.embryonic_percent = static_cast<uint8_t>(revision % 100);
  change.put(settings);
  change.put_source_rules(rules_at(revision));
  change.put(memberships_at(revision), bridges_at(revision));
  change.put(instance_access_at(revision));
  return change.commit(revision);
}

std::string fault_of(const View& view) {
  if (!view.is_ready()) return {};
  const Root& root = *view.root();
  if (root.layout != layout_hash()) return "the root's layout";
  if (root.generation != root.revision) return "the root's generation";
  if (root.settings.embryonic_percent != root.revision % 100) return "the settings";
  const SourceRules* rules = view.source_rules();
  const std::vector<uint8_t> wanted = rules_at(root.revision);
  if ((rules == nullptr) != wanted.empty() ||
      (rules != nullptr && (rules->bytes() != wanted.size() ||
                            std::memcmp(rules, wanted.data(), wanted.size()) != 0))) {
    return "the rules of source NAT";
  }
  const std::vector<Membership> members = memberships_at(root.revision);
  const auto shown = view.memberships();
  if (!std::equal(members.begin(), members.end(), shown.begin(), shown.end())) {
    return "the memberships";
  }
  const std::vector<InstanceAccessSpec> lists = instance_access_at(root.revision);
  const auto shown_lists = view.instance_access();
  if (!std::equal(lists.begin(), lists.end(), shown_lists.begin(), shown_lists.end(),
                  [&view](const InstanceAccessSpec& list, const InstanceAccess& one) {
                    return list.instance == one.instance && is_list(view, one.list, list.list);
                  })) {
    return "the instances' access lists";
  }
  if (!std::ranges::equal(bridges_at(root.revision), view.bridges())) return "the bridges";
  uint32_t count = 0;
  for (uint32_t number = 0; number < kCount; ++number) {
    if (exists(number, root.revision)) {
      ++count;
      std::string fault = fault_of_number(view, number, touched(number, root.revision));
      if (!fault.empty()) return fault;
    } else if (view.service(ServiceId{slot_of(number)}) != nullptr ||
               view.pool(PoolId{slot_of(number)}) != nullptr ||
               view.server(ServerId{slot_of(number)}) != nullptr ||
               view.address(AddressId{slot_of(number)}) != nullptr) {
      return "number " + std::to_string(number) + " should have gone in revision " +
             std::to_string(root.revision);
    }
  }
  if (root.service_count != count || root.pool_count != count || root.server_count != count ||
      root.address_count != count) {
    return "the root's counts";
  }
  return {};
}

uint64_t reachable_bytes(const Region& region) {
  const View view(region.base(), region.root(), region.header().hash_seed);
  if (!view.is_ready()) return 0;
  std::set<uint64_t> seen;
  uint64_t bytes = 0;
  const auto count = [&](uint64_t offset, uint64_t size) {
    if (offset != 0 && seen.insert(offset).second) bytes += (size + 63) / 64 * 64;
  };
  const auto directory = [&](auto ref) {
    if (!ref.exists()) return;
    count(ref.offset, sizeof(*view.at(ref)));
    for (const auto page : view.at(ref)->pages) {
      if (page.exists()) count(page.offset, sizeof(*view.at(page)));
    }
  };
  const auto keys = [&](Ref<HashDirectory> ref) {
    if (!ref.exists()) return;
    const HashDirectory& head = *view.at(ref);
    count(ref.offset, sizeof head + head.page_count * sizeof(Ref<HashPage>));
    for (uint32_t i = 0; i < head.page_count; ++i) {
      count(head.pages()[i].offset, sizeof(HashPage));
    }
  };
  const auto offset_of = [&](const auto& block) {
    return static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(&block) - region.base());
  };
  const Root& root = *view.root();
  count(offset_of(root), sizeof root);
  directory(root.services);
  directory(root.pools);
  directory(root.servers);
  directory(root.addresses);
  keys(root.service_keys);
  keys(root.address_keys);
  if (const SourceRules* rules = view.source_rules()) {
    count(root.source_rules.offset, rules->bytes());
  }
  count(root.memberships.offset,
        sizeof(Memberships) + view.memberships().size_bytes() + view.bridges().size_bytes());
  const auto list = [&](Ref<AccessList> ref) {
    if (ref.exists()) count(ref.offset, view.at(ref)->bytes());
  };
  count(root.instance_access.offset,
        sizeof(InstanceAccesses) + view.instance_access().size_bytes());
  for (const InstanceAccess& one : view.instance_access()) list(one.list);
  view.each(root.services, [&](const Service& service) {
    count(offset_of(service), sizeof service);
    if (const SnatSet* set = view.snats(service.snats)) {
      count(service.snats.offset, sizeof *set + set->count * sizeof(AddressId));
    }
    list(service.access);
  });
  view.each(root.pools, [&](const Pool& pool) {
    count(offset_of(pool), sizeof pool + pool.member_count * sizeof(Member));
    for (const Ref<Ring> ref : {pool.ring, pool.sequence}) {
      if (const Ring* ring = view.ring(ref)) {
        count(ref.offset, sizeof *ring + ring->size * sizeof(uint16_t));
      }
    }
  });
  view.each(root.servers, [&](const Server& s) { count(offset_of(s), sizeof s); });
  view.each(root.addresses, [&](const LocalAddress& a) { count(offset_of(a), sizeof a); });
  return bytes;
}

std::string leak_of(const Writer& writer) {
  const Heap& heap = writer.heap();
  const uint64_t reachable = reachable_bytes(writer.region());
  if (heap.used_bytes() != reachable + heap.retired_bytes()) {
    return std::to_string(heap.used_bytes()) + " bytes are in use, " + std::to_string(reachable) +
           " reachable, " + std::to_string(heap.retired_bytes()) + " retired";
  }
  return {};
}

}  // namespace nezu::tables
