#include "controlplane/publish/region_publisher.h"

#include <time.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace nezu::publish {
namespace {

using tables::index;
using tables::kNoSlot;

/// Drain deadlines go through two clocks; what differs by less is the same deadline.
constexpr int64_t kDeadlineTolerance = 2'000'000'000;

constexpr uint64_t kTidyEvery = net::kNanosecondsPerSecond / 2;

int64_t wall_minus_boot() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return wall.tv_sec * 1'000'000'000 + wall.tv_nsec -
         static_cast<int64_t>(tables::boot_time().nanoseconds);
}

tables::Name name_of(const std::string& text) {
  tables::Name name{};
  std::copy_n(text.data(), std::min(text.size(), name.size() - 1), name.data());
  return name;
}

AddressKey vip_of(const tables::ServiceKey& key) { return {key.instance, key.address}; }

template <typename Key, typename Id>
Id found_in(const std::map<Key, Id>& book, const Key& key) {
  const auto at = book.find(key);
  return at != book.end() ? at->second : tables::no_id<Id>();
}

}  // namespace

/// One publication in the making: the transaction, and what the books become if it succeeds.
struct RegionPublisher::Change {
  explicit Change(tables::Writer& writer) : transaction(writer), live(writer.view()) {}

  tables::Transaction transaction;
  tables::View live;
  std::map<std::string, tables::ServiceId> new_services;
  std::map<std::string, tables::PoolId> new_pools;
  std::map<tables::ServerIdentity, tables::ServerId> new_servers;
  std::map<AddressKey, tables::AddressId> new_addresses;
  std::vector<std::string> gone_services, gone_pools;
  std::vector<tables::ServerIdentity> gone_servers;
  std::vector<AddressKey> gone_addresses;
  std::string full;  ///< which kind of slot has run out
};

RegionPublisher::RegionPublisher(std::unique_ptr<tables::Region> region, std::string directory,
                                 bool created)
    : region_(std::move(region)),
      directory_(std::move(directory)),
      books_(*region_),
      requests_(*region_) {
  std::string error;
  writer_ = tables::Writer::attach(*region_, &error);
  if (!writer_) throw std::runtime_error(error);
  if (!books_.adopt(*region_, writer_->view())) {
    throw std::runtime_error(region_->path() +
                             ": two objects claim one slot; stop the data plane and remove the "
                             "file to start anew");
  }
  adopt_servers();
  if (!created && writer_->heap().retired_bytes() != 0) {
    notes_.push_back("recovered " + std::to_string(writer_->heap().retired_bytes()) +
                     " bytes that the last control plane had left behind");
  }
}

RegionPublisher::~RegionPublisher() = default;

void RegionPublisher::adopt_servers() {
  const tables::View view = writer_->view();
  if (!view.is_ready()) return;
  view.each(view.root()->servers, [this](const tables::Server& server) {
    if (server.retired != 0) return;
    adopted_.push_back({server.identity, server.health_known != 0, server.healthy != 0,
                        server.configured, server.drain_deadline});
  });
}

/// Under the lock: what is reused from here on may be what a reading is looking at.
std::unique_ptr<RegionPublisher::Change> RegionPublisher::begin() {
  const std::unique_lock lock(books_lock_);
  return std::make_unique<Change>(*writer_);
}

/// Slots for everything that is new; false when one kind has run out.
bool RegionPublisher::give_slots(const compile::Image& image, Change& change) {
  const auto give = [&change](auto& slots, auto& fresh, const auto& key, const char* kind) {
    const uint32_t slot = slots.allocate();
    if (slot == kNoSlot) {
      change.full = "no slot is left for another " + std::string(kind) + " (the region has " +
                    std::to_string(slots.capacity()) + ", some may wait for their last flow)";
      return false;
    }
    using Id = typename std::decay_t<decltype(fresh)>::mapped_type;
    fresh.emplace(key, static_cast<Id>(slot));
    return true;
  };
  const std::unique_lock lock(books_lock_);
  bool given = true;
  for (const compile::ServiceImage& service : image.services) {
    if (books_.services.contains(service.name)) continue;
    given = given && give(books_.service_slots, change.new_services, service.name, "service");
  }
  for (const compile::PoolImage& pool : image.pools) {
    if (books_.pools.contains(pool.name)) continue;
    given = given && give(books_.pool_slots, change.new_pools, pool.name, "pool");
  }
  for (const compile::ServerImage& server : image.servers) {
    if (books_.servers.contains(server.identity)) continue;
    given = given && give(books_.server_slots, change.new_servers, server.identity, "server");
  }
  for (const compile::AddressImage& address : image.addresses) {
    const AddressKey key{address.instance, address.address};
    if (books_.addresses.contains(key)) continue;
    given = given && give(books_.address_slots, change.new_addresses, key, "address");
  }
  return given;
}

void RegionPublisher::stage_servers(const compile::Image& image, Change& change) {
  std::vector<bool> kept(books_.server_slots.capacity());
  for (const compile::ServerImage& server : image.servers) {
    const bool fresh = change.new_servers.contains(server.identity);
    const tables::ServerId id =
        fresh ? change.new_servers.at(server.identity) : books_.servers.at(server.identity);
    kept[index(id)] = true;
    const tables::Server* live = change.live.server(id);
    tables::Server block;
    block.identity = server.identity;
    block.id = id;
    block.state = server.state;
    block.configured = server.configured;
    block.healthy = server.healthy ? 1 : 0;
    block.health_known = server.health_known ? 1 : 0;
    block.drain_deadline = server.drain_deadline;
    block.base = live != nullptr && !fresh ? live->base : counters_of(*region_, id);
    if (live != nullptr && live->drain_deadline.nanoseconds != 0 &&
        server.drain_deadline.nanoseconds != 0 &&
        std::abs(static_cast<int64_t>(live->drain_deadline.nanoseconds) -
                 static_cast<int64_t>(server.drain_deadline.nanoseconds)) < kDeadlineTolerance) {
      block.drain_deadline = live->drain_deadline;
    }
    change.transaction.put(block);
  }
  // A server that is in no pool any more keeps its slot while flows are left.
  for (const auto& [identity, id] : books_.servers) {
    const tables::Server* live = change.live.server(id);
    if (kept[index(id)] || live == nullptr || live->retired != 0) continue;
    tables::Server block = *live;
    block.retired = 1;
    block.state = tables::ServerState::disabled;
    block.configured = tables::ServerState::disabled;
    change.transaction.put(block);
  }
}

void RegionPublisher::stage_pools(const compile::Image& image, Change& change) {
  std::vector<bool> kept(books_.pool_slots.capacity());
  std::vector<tables::Member> members;
  for (const compile::PoolImage& pool : image.pools) {
    tables::PoolId id = found_in(books_.pools, pool.name);
    if (!tables::is_slot(id)) id = change.new_pools.at(pool.name);
    kept[index(id)] = true;
    tables::Pool block;
    block.id = id;
    block.scheduler = pool.scheduler;
    block.hash_with_port = pool.hash_with_port ? 1 : 0;
    block.ready_count = pool.ready_count;
    block.identity = pool.identity;
    block.name = name_of(pool.name);
    members.clear();
    for (const compile::MemberImage& member : pool.members) {
      tables::ServerId server = found_in(books_.servers, member.identity);
      if (!tables::is_slot(server)) server = change.new_servers.at(member.identity);
      tables::Member entry;
      entry.address = member.identity.address;
      entry.server = server;
      entry.weight = member.weight;
      entry.port = member.identity.port;
      entry.state = member.state;
      members.push_back(entry);
    }
    tables::RingSource source;
    if (pool.has_ring || pool.has_sequence) {
      source.fingerprint = compile::fingerprint(pool.plan);
      source.build = [&pool] { return compile::build_ring(pool.plan); };
    }
    change.transaction.put(block, members, pool.has_ring ? &source : nullptr,
                           pool.has_sequence ? &source : nullptr);
  }
  for (const auto& [name, id] : books_.pools) {
    if (kept[index(id)]) continue;
    change.transaction.remove(id);
    change.gone_pools.push_back(name);
  }
}

void RegionPublisher::stage_services(const compile::Image& image, Change& change) {
  std::map<std::string, const compile::SnatSetImage*> sets;
  for (const compile::SnatSetImage& set : image.snat_sets) sets[set.name] = &set;
  std::vector<bool> kept(books_.service_slots.capacity());
  std::vector<tables::AddressId> snats;
  for (const compile::ServiceImage& service : image.services) {
    const bool fresh = change.new_services.contains(service.name);
    const tables::ServiceId id =
        fresh ? change.new_services.at(service.name) : books_.services.at(service.name);
    kept[index(id)] = true;
    const tables::Service* live = fresh ? nullptr : change.live.service(id);
    tables::Service block;
    block.key = service.key;
    block.id = id;
    block.mode = service.mode;
    block.refusal = service.refusal;
    block.enabled = service.enabled ? 1 : 0;
    block.identity = service.identity;
    block.timeouts = service.timeouts;
    block.name = name_of(service.name);
    block.base = live != nullptr ? live->base : counters_of(*region_, id);
    block.pool = found_in(books_.pools, service.pool);
    if (const auto pool = change.new_pools.find(service.pool); pool != change.new_pools.end()) {
      block.pool = pool->second;
    }
    snats.clear();
    uint32_t ipv4_count = 0;
    const auto set = sets.find(service.snat_set);
    if (set != sets.end()) {
      for (const net::Address& address : set->second->addresses) {
        const AddressKey key{set->second->instance, address};
        const auto given = change.new_addresses.find(key);
        snats.push_back(given != change.new_addresses.end() ? given->second
                                                            : books_.addresses.at(key));
        ipv4_count += address.is_v4() ? 1 : 0;
      }
    }
    change.transaction.put(block, snats, ipv4_count);
  }
  // One that is configured no more is found by slot only: its flows keep its timeouts.
  for (const auto& [name, id] : books_.services) {
    const tables::Service* live = change.live.service(id);
    if (kept[index(id)] || live == nullptr || live->retired != 0) continue;
    tables::Service block = *live;
    block.retired = 1;
    block.enabled = 0;
    block.pool = tables::no_id<tables::PoolId>();
    change.transaction.put(block, {}, 0);
  }
}

void RegionPublisher::stage_addresses(const compile::Image& image, Change& change) {
  std::vector<bool> kept(books_.address_slots.capacity());
  for (const compile::AddressImage& address : image.addresses) {
    const AddressKey key{address.instance, address.address};
    const auto given = change.new_addresses.find(key);
    tables::LocalAddress block;
    block.id = given != change.new_addresses.end() ? given->second : books_.addresses.at(key);
    kept[index(block.id)] = true;
    block.address = address.address;
    block.instance = address.instance;
    block.kind = address.kind;
    block.answers_ping = address.answers_ping ? 1 : 0;
    change.transaction.put(block);
  }
  // One that is configured no more steers until its last flow has ended.
  for (const auto& [key, id] : books_.addresses) {
    const tables::LocalAddress* live = change.live.address(id);
    if (kept[index(id)] || live == nullptr || live->retired != 0) continue;
    tables::LocalAddress block = *live;
    block.retired = 1;
    block.answers_ping = 0;
    change.transaction.put(block);
  }
}

Result RegionPublisher::finish(Change& change, uint64_t revision) {
  const tables::Commit commit =
      change.full.empty() ? change.transaction.commit(revision) : tables::Commit::full;
  if (commit == tables::Commit::full) {
    const std::unique_lock lock(books_lock_);
    for (const auto& [name, id] : change.new_services) books_.service_slots.give_back(index(id));
    for (const auto& [name, id] : change.new_pools) books_.pool_slots.give_back(index(id));
    for (const auto& [key, id] : change.new_servers) books_.server_slots.give_back(index(id));
    for (const auto& [key, id] : change.new_addresses) books_.address_slots.give_back(index(id));
    const std::string why =
        !change.full.empty()
            ? change.full
            : "the region's heap has no room for this (" +
                  std::to_string(writer_->heap().free_bytes()) + " of " +
                  std::to_string(region_->header().sizes.heap_bytes) + " bytes are free, " +
                  std::to_string(writer_->heap().retired_bytes()) + " wait for readers)";
    return {Outcome::full, writer_->generation(), why};
  }
  const uint64_t generation = writer_->generation();
  const net::Instant now = tables::boot_time();
  const std::unique_lock lock(books_lock_);
  for (const std::string& name : change.gone_services) {
    books_.service_slots.retire(index(books_.services.at(name)), generation, now);
    books_.services.erase(name);
  }
  for (const std::string& name : change.gone_pools) {
    books_.pool_slots.retire(index(books_.pools.at(name)), generation, now);
    books_.pools.erase(name);
  }
  for (const tables::ServerIdentity& identity : change.gone_servers) {
    books_.server_slots.retire(index(books_.servers.at(identity)), generation, now);
    books_.servers.erase(identity);
  }
  for (const AddressKey& key : change.gone_addresses) {
    books_.address_slots.retire(index(books_.addresses.at(key)), generation, now);
    books_.addresses.erase(key);
  }
  books_.services.merge(change.new_services);
  books_.pools.merge(change.new_pools);
  books_.servers.merge(change.new_servers);
  books_.addresses.merge(change.new_addresses);
  const bool published = commit == tables::Commit::published;
  return {published ? Outcome::published : Outcome::unchanged, generation, {}};
}

Result RegionPublisher::publish(const v1::Configuration& configuration, const Verdicts& verdicts,
                                uint64_t revision) {
  // Changes without a pause must not use up slots that others have left.
  if (tables::boot_time() > net::after(tidied_, kTidyEvery)) tidy();
  const compile::Image image = compile::compile(configuration, verdicts, wall_minus_boot());
  const std::unique_ptr<Change> begun = begin();
  Change& change = *begun;
  if (give_slots(image, change)) {
    stage_servers(image, change);
    stage_pools(image, change);
    stage_services(image, change);
    stage_addresses(image, change);
    change.transaction.put(image.settings);
  }
  Result result = finish(change, revision);
  if (result.outcome == Outcome::published || result.outcome == Outcome::unchanged) {
    writer_->set_ready();
  }
  return result;
}

void RegionPublisher::drop_what_is_idle(Change& change) {
  std::set<AddressKey> needed;  // VIPs that flows of retired services still steer by
  for (const auto& [name, id] : books_.services) {
    const tables::Service* live = change.live.service(id);
    if (live == nullptr || live->retired == 0) continue;
    if (flows_of(*region_, id) != 0) {
      needed.insert(vip_of(live->key));
      continue;
    }
    change.transaction.remove(id);
    change.gone_services.push_back(name);
  }
  for (const auto& [identity, id] : books_.servers) {
    const tables::Server* live = change.live.server(id);
    if (live == nullptr || live->retired == 0 || flows_of(*region_, id) != 0) continue;
    change.transaction.remove(id);
    change.gone_servers.push_back(identity);
  }
  for (const auto& [key, id] : books_.addresses) {
    const tables::LocalAddress* live = change.live.address(id);
    if (live == nullptr || live->retired == 0 || flows_of(*region_, id) != 0) continue;
    if (live->kind == tables::AddressKind::vip && needed.contains(key)) continue;
    change.transaction.remove(id);
    change.gone_addresses.push_back(key);
  }
}

Result RegionPublisher::tidy() {
  writer_->reclaim();
  const uint64_t oldest = writer_->oldest_read();
  const net::Instant now = tidied_ = tables::boot_time();
  for (tables::Slots* slots :
       {&books_.service_slots, &books_.pool_slots, &books_.server_slots, &books_.address_slots}) {
    slots->reclaim(oldest, now);
  }
  Change change(*writer_);
  if (!change.live.is_ready()) return {Outcome::unchanged, 0, {}};
  // A flow that a worker opened by an older generation is counted before that worker passes it.
  if (oldest >= change.live.generation()) drop_what_is_idle(change);
  return finish(change, writer_->revision());
}

std::vector<tables::Event> RegionPublisher::take_events() {
  std::vector<tables::Event> events;
  tables::Event event;
  while (region_->events().pop(event)) events.push_back(event);
  return events;
}

FlowAnswer RegionPublisher::list_flows(
    const tables::FlowFilter& filter, uint32_t limit, std::chrono::milliseconds timeout,
    const std::function<bool(const tables::FlowRecord&)>& found) {
  return requests_.ask(tables::RequestKind::list_flows, filter, limit, timeout, found);
}

FlowAnswer RegionPublisher::end_flows(const tables::FlowFilter& filter,
                                      std::chrono::milliseconds timeout) {
  return requests_.ask(tables::RequestKind::end_flows, filter, 0, timeout,
                       [](const tables::FlowRecord&) { return true; });
}

std::unique_ptr<Publisher> open_region(const Options& options) {
  auto opened = tables::Region::open_writer(options.region_dir, options.sizes);
  if (!opened.region) throw std::runtime_error(opened.error);
  return std::make_unique<RegionPublisher>(std::move(opened.region), options.region_dir,
                                           opened.created);
}

}  // namespace nezu::publish
