#include "controlplane/publish/books.h"

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

Books::Books(const tables::Region& region)
    : service_slots(
          region.header().sizes.services,
          [&region](uint32_t slot) { return flows_of(region, tables::ServiceId{slot}) == 0; }),
      pool_slots(region.header().sizes.pools, [](uint32_t) { return true; }),
      server_slots(
          region.header().sizes.servers,
          [&region](uint32_t slot) { return flows_of(region, tables::ServerId{slot}) == 0; }),
      address_slots(region.header().sizes.addresses, [&region](uint32_t slot) {
        return flows_of(region, tables::AddressId{slot}) == 0;
      }) {}

bool Books::adopt(const tables::Region& region, const tables::View& view) {
  if (!view.is_ready()) return true;
  bool sound = true;
  const tables::Root& root = *view.root();
  view.each(root.services, [&](const tables::Service& service) {
    sound = sound && service_slots.adopt(tables::index(service.id));
    services.emplace(service.name.data(), service.id);
  });
  view.each(root.pools, [&](const tables::Pool& pool) {
    sound = sound && pool_slots.adopt(tables::index(pool.id));
    pools.emplace(pool.name.data(), pool.id);
  });
  view.each(root.servers, [&](const tables::Server& server) {
    sound = sound && server_slots.adopt(tables::index(server.id));
    servers.emplace(server.identity, server.id);
  });
  view.each(root.addresses, [&](const tables::LocalAddress& address) {
    sound = sound && address_slots.adopt(tables::index(address.id));
    addresses.emplace(AddressKey{address.instance, address.address}, address.id);
  });
  // What is not live may have been until the last writer died: flows, or packets between workers.
  const net::Instant now = tables::boot_time();
  service_slots.finish_adoption(view.generation(), now, [&](uint32_t slot) {
    return counters_of(region, tables::ServiceId{slot}).flows_opened != 0;
  });
  server_slots.finish_adoption(view.generation(), now, [&](uint32_t slot) {
    return counters_of(region, tables::ServerId{slot}).flows_opened != 0;
  });
  address_slots.finish_adoption(view.generation(), now, [&](uint32_t slot) {
    return flows_of(region, tables::AddressId{slot}) != 0;
  });
  return sound;
}

}  // namespace nezu::publish
