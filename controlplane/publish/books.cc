#include "controlplane/publish/books.h"

#include <algorithm>

namespace nezu::publish {
namespace {

template <typename Counters>
void add(tables::CounterBase& sum, const Counters& from) {
  sum.packets_to_server += from.traffic[0].packets.read();
  sum.bytes_to_server += from.traffic[0].bytes.read();
  sum.packets_to_client += from.traffic[1].packets.read();
  sum.bytes_to_client += from.traffic[1].bytes.read();
  sum.flows_opened += from.flows_opened.read();
  sum.flows_refused += from.flows_refused.read();
  sum.flows_closed += from.flows_closed.read();
}

uint32_t workers_of(const tables::Region& region) { return region.header().sizes.workers; }

}  // namespace

tables::CounterBase counters_of(const tables::Region& region, tables::ServiceId id) {
  tables::CounterBase sum;
  for (uint32_t worker = 0; worker < workers_of(region); ++worker) {
    add(sum, region.services_of(worker)[tables::index(id)]);
  }
  return sum;
}

tables::CounterBase counters_of(const tables::Region& region, tables::ServerId id) {
  tables::CounterBase sum;
  for (uint32_t worker = 0; worker < workers_of(region); ++worker) {
    add(sum, region.servers_of(worker)[tables::index(id)]);
  }
  return sum;
}

uint64_t flows_of(const tables::Region& region, tables::ServiceId id) {
  uint64_t flows = 0;
  for (uint32_t worker = 0; worker < workers_of(region); ++worker) {
    flows += region.services_of(worker)[tables::index(id)].flows_active.read();
  }
  return flows;
}

uint64_t flows_of(const tables::Region& region, tables::ServerId id) {
  uint64_t flows = 0;
  for (uint32_t worker = 0; worker < workers_of(region); ++worker) {
    flows += region.servers_of(worker)[tables::index(id)].flows_active.read();
  }
  return flows;
}

uint64_t flows_of(const tables::Region& region, tables::AddressId id) {
  uint64_t flows = 0;
  for (uint32_t worker = 0; worker < workers_of(region); ++worker) {
    flows += region.addresses_of(worker)[tables::index(id)].flows_active.read();
  }
  return flows;
}

namespace {

constexpr std::string_view kRule = "source nat ";

std::string key_of(const tables::Service& service) {
  return tables::is_rule(service) ? rule_key(service.name.data()) : service.name.data();
}

}  // namespace

std::string rule_key(std::string_view name) { return std::string(kRule) + std::string(name); }

Books::Books(const tables::Region& region)
    : services(region.header().sizes.services,
               [&region](uint32_t slot) { return flows_of(region, tables::ServiceId{slot}) == 0; }),
      pools(region.header().sizes.pools, [](uint32_t) { return true; }),
      // The last of 65,536 says "no server" in flows.
      servers(std::min(region.header().sizes.servers, tables::kMaxSlots - 1),
              [&region](uint32_t slot) { return flows_of(region, tables::ServerId{slot}) == 0; }),
      addresses(region.header().sizes.addresses, [&region](uint32_t slot) {
        return flows_of(region, tables::AddressId{slot}) == 0;
      }) {}

bool Books::adopt(const tables::Region& region, const tables::View& view) {
  if (!view.is_ready()) return true;
  bool sound = true;
  const auto enter = [&sound](auto& book, const auto& key, auto id, bool is_retired) {
    sound = sound && book.slots.adopt(tables::index(id));
    book.ids.emplace(key, id);
    if (is_retired) book.retired.insert(key);
  };
  const tables::Root& root = *view.root();
  view.each(root.services, [&](const tables::Service& service) {
    enter(services, key_of(service), service.id, service.retired != 0);
  });
  view.each(root.pools,
            [&](const tables::Pool& pool) { enter(pools, pool.name.data(), pool.id, false); });
  view.each(root.servers, [&](const tables::Server& server) {
    enter(servers, server.identity, server.id, server.retired != 0);
  });
  view.each(root.addresses, [&](const tables::LocalAddress& address) {
    enter(addresses, AddressKey{address.instance, address.address, address.host_bits}, address.id,
          address.retired != 0);
  });
  // What is not live may have been until the last writer died: flows, or packets between workers.
  const net::Instant now = tables::boot_time();
  services.slots.finish_adoption(view.generation(), now, [&](uint32_t slot) {
    return counters_of(region, tables::ServiceId{slot}).flows_opened != 0;
  });
  servers.slots.finish_adoption(view.generation(), now, [&](uint32_t slot) {
    return counters_of(region, tables::ServerId{slot}).flows_opened != 0;
  });
  addresses.slots.finish_adoption(view.generation(), now, [&](uint32_t slot) {
    return flows_of(region, tables::AddressId{slot}) != 0;
  });
  return sound;
}

void Books::touch_all(compile::Touched& touched) const {
  for (const auto& [key, id] : services.ids) {
    if (key.starts_with(kRule)) {
      touched.rules.insert(key.substr(kRule.size()));
    } else {
      touched.services.insert(key);
    }
  }
  touched.matches = true;
  for (const auto& [name, id] : pools.ids) touched.pools.insert(name);
  for (const auto& [identity, id] : servers.ids) touched.servers.insert(identity);
  for (const auto& [key, id] : addresses.ids) touched.addresses.insert(key);
}

}  // namespace nezu::publish
