#include "tests/path/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <set>

#include "dataplane/flow/tcp_track.h"
#include "dataplane/tables/make_rules.h"

namespace nezu::world {

void fail(const char* what) {
  std::fprintf(stderr, "world: %s\n", what);
  std::abort();
}

namespace {

/// By weight, in plain blocks: the real order is the control plane's affair.
std::vector<uint16_t> turns(const std::vector<tables::Member>& members, uint32_t at_least) {
  std::vector<uint16_t> order;
  do {
    const size_t before = order.size();
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].state != tables::ServerState::ready) continue;
      order.insert(order.end(), members[i].weight, static_cast<uint16_t>(i));
    }
    if (order.size() == before) break;
  } while (order.size() < at_least);
  return order;
}

uint64_t fingerprint(const std::vector<uint16_t>& order) {
  uint64_t hash = 1469598103934665603u;
  for (const uint16_t entry : order) hash = (hash ^ entry) * 1099511628211u;
  return hash ^ order.size();
}

}  // namespace

net::Address address(std::string_view text) {
  const auto parsed = net::parse_address(text);
  if (!parsed) fail("not an address");
  return *parsed;
}

net::MacAddress server_mac(uint32_t n) {
  return {{2, 0, 0, 1, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)}};
}

net::MacAddress mac_in(net::Instance instance, net::MacAddress mac) {
  mac.bytes[1] = static_cast<uint8_t>(instance);
  return mac;
}

tables::Sizes World::small_sizes(uint16_t workers) {
  tables::Sizes sizes;
  sizes.services = sizes.pools = sizes.servers = sizes.addresses = 256;
  sizes.workers = workers;
  sizes.heap_bytes = 8 << 20;
  return sizes;
}

World::World(const tables::Sizes& sizes) : hops_(4096) {
  auto opened = tables::Region::in_memory(sizes);
  if (opened.region == nullptr) fail(opened.error.c_str());
  region_ = std::move(opened.region);
  std::string error;
  writer_ = tables::Writer::attach(*region_, &error);
  if (writer_ == nullptr) fail(error.c_str());
  neighbour(address("192.0.2.254"), *net::parse_mac(kRouterMac));
  neighbour(address("2001:db8:f::fe"), *net::parse_mac(kRouterMac));
  rebuild_routes();
}

/// With the rules of all services that are known by now.
tables::AddressId World::local(const tables::LocalAddress& wanted,
                               tables::Transaction& transaction) {
  tables::LocalAddress block = wanted;
  const auto found =
      std::find_if(addresses_.begin(), addresses_.end(), [&](const tables::LocalAddress& one) {
        return one.instance == block.instance && one.address == block.address &&
               one.host_bits == block.host_bits;
      });
  const auto slot = static_cast<uint32_t>(found - addresses_.begin());
  block.id = tables::AddressId{slot};
  std::vector<tables::Rule> rules;
  for (size_t at = 0; at < services_.size(); ++at) {
    const tables::Service& service = services_[at];
    const tables::ServiceKey& key = service.key;
    if (key.instance != block.instance || key.address != block.address ||
        key.host_bits != block.host_bits) {
      continue;
    }
    if (service.mode == tables::Mode::fullnat) block.portless = 1;
    if (service.mode == tables::Mode::redirect) block.by_side = 1;
    const Callers& callers = callers_[at];
    if (!key.is_exact() && tables::add_rules(tables::rule_of(key, service.id), callers.sources,
                                             callers.interfaces, rules)) {
      block.asks_who = 1;
    }
    if (service.passive_first != 0) {
      block.passive_service = service.id;
      block.passive_first = service.passive_first;
      block.passive_last = service.passive_last;
    }
  }
  std::sort(rules.begin(), rules.end(), tables::is_before);
  if (found == addresses_.end()) {
    addresses_.push_back(block);
  } else {
    *found = block;
  }
  transaction.put(block, rules);
  return block.id;
}

ServerId World::server_id(std::string_view text, uint16_t port, net::Protocol protocol,
                          net::Instance instance) const {
  const tables::ServerIdentity identity{address(text), instance, port, protocol, {}};
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i].identity == identity) return ServerId{static_cast<uint32_t>(i)};
  }
  fail("no such server");
}

namespace {

tables::LocalAddress place_of(const tables::ServiceKey& key) {
  tables::LocalAddress place;
  place.address = key.address;
  place.instance = key.instance;
  place.host_bits = key.host_bits;
  return place;
}

/// Its pool has the same number.
tables::Service block_of(const ServiceSpec& spec, const tables::ServiceKey& key, ServiceId id) {
  tables::Service service;
  service.key = key;
  service.id = id;
  service.pool = PoolId{index(id)};
  service.mode = spec.mode;
  service.gue_port = spec.mode == tables::Mode::tunnel_gue ? spec.gue_port : uint16_t{0};
  service.refusal = spec.refusal;
  service.return_to_sender = spec.return_to_sender ? 1 : 0;
  service.max_segment_size = spec.max_segment_size;
  service.reset_when_idle = spec.reset_when_idle ? 1 : 0;
  service.failed_flows = spec.failed_flows;
  service.timeouts = spec.timeouts;
  service.client_address = spec.client_address;
  service.application = spec.application;
  service.call_timeout_s = spec.call_timeout_s;
  service.passive_first = spec.passive_first;
  service.passive_last = spec.passive_last;
  service.client_prefix = spec.client_prefix;
  service.limits = spec.limits;
  service.traffic = spec.traffic;
  service.cookies = spec.cookies;
  service.one_packet = spec.one_packet ? 1 : 0;
  service.persistence = spec.persistence;
  if (service.persistence.scope == 0) {
    service.persistence.scope = tables::scope_of_service(index(service.id) + 1);
  }
  for (size_t i = 0; i < service.timeouts.size(); ++i) {
    if (service.timeouts[i] == 0) service.timeouts[i] = flow::default_timeouts()[i];
  }
  return service;
}

}  // namespace

World::Callers World::callers_of(const ServiceSpec& spec) {
  Callers callers;
  for (const auto text : spec.sources) callers.sources.push_back(*net::parse_prefix(text));
  for (const auto text : spec.interfaces) callers.interfaces.push_back(tables::interface_of(text));
  return callers;
}

ServiceId World::put(const ServiceSpec& spec) {
  tables::Transaction transaction(*writer_);
  const auto prefix = net::parse_prefix(spec.vip);
  if (!prefix) fail("not an address or prefix");
  const auto bits = static_cast<uint8_t>((prefix->address.is_v4() ? 32 : 128) - prefix->length);
  tables::ServiceKey key{net::masked(prefix->address, bits),
                         spec.instance,
                         spec.port,
                         spec.protocol,
                         bits,
                         spec.last_port};
  const bool keeps_port = !key.is_exact() || spec.mode == tables::Mode::redirect;
  const Callers callers = callers_of(spec);
  if (callers.any()) key = tables::key_for_some(key);
  uint32_t slot = 0;
  while (slot < services_.size() && (services_[slot].key != key || callers_[slot] != callers)) {
    ++slot;
  }
  if (slot == services_.size()) services_.emplace_back();
  callers_.resize(services_.size());
  callers_[slot] = callers;
  services_[slot].key = key;
  services_[slot].id = ServiceId{slot};
  services_[slot].mode = spec.mode;
  services_[slot].passive_first = spec.passive_first;
  services_[slot].passive_last = spec.passive_last;

  bool new_host = false;
  tables::Pool pool;
  std::vector<tables::Member> members;
  for (const ServerSpec& server : spec.servers) {
    const uint16_t port = server.port != 0 || keeps_port ? server.port : spec.port;
    const tables::ServerIdentity identity{
        address(server.address), spec.instance, port, spec.protocol, {}};
    auto found = std::find_if(servers_.begin(), servers_.end(),
                              [&](const Server& one) { return one.identity == identity; });
    if (found == servers_.end()) {
      tables::Server block;
      block.identity = identity;
      block.id = ServerId{static_cast<uint32_t>(servers_.size())};
      const bool known_host =
          std::any_of(neighbours_.begin(), neighbours_.end(),
                      [&](const auto& one) { return one.first == identity.address; });
      if (!known_host) neighbour(identity.address, server_mac(hosts_++));
      new_host |= !known_host;
      servers_.push_back({identity, block});
      found = servers_.end() - 1;
    }
    const bool fails = server.state == tables::ServerState::failed;
    if (fails && found->block.state != server.state) found->block.failed_since = {++failures_};
    found->block.state = server.state;
    found->block.configured = fails ? tables::ServerState::ready : server.state;
    transaction.put(found->block);
    tables::Member member;
    member.address = identity.address;
    member.server = found->block.id;
    member.weight = server.weight;
    member.port = port;
    member.state = server.state;
    member.max_flows = server.max_flows;
    member.resume_flows = server.max_flows;
    if (server.max_flows != 0) pool.is_limited = 1;
    members.push_back(member);
  }
  pool.id = PoolId{slot};
  pool.scheduler = spec.scheduler;
  pool.panics = spec.panics ? 1 : 0;
  pool.load_bound_percent = spec.load_bound_percent;
  if (spec.load_bound_percent != 0) pool.is_limited = 1;
  pool.hash_destination = spec.hash_destination ? 1 : 0;
  pool.locality = spec.locality;
  pool.ready_count = static_cast<uint32_t>(
      std::count_if(members.begin(), members.end(), [](const tables::Member& member) {
        return member.state == tables::ServerState::ready && member.weight != 0;
      }));
  const bool by_hash = tables::has_ring(spec.scheduler);
  const std::vector<uint16_t> order = turns(members, by_hash ? 1009 : 1);
  const tables::RingSource source{fingerprint(order), [&order] { return order; }};
  const bool by_turn = tables::has_sequence(spec.scheduler);
  const bool any = !order.empty();
  transaction.put(pool, members, by_hash && any ? &source : nullptr,
                  by_turn && any ? &source : nullptr);

  std::vector<tables::AddressId> snats;
  uint32_t ipv4 = 0;
  for (const std::string_view snat : spec.snats) {
    tables::LocalAddress block;
    block.address = address(snat);
    block.instance = spec.instance;
    block.kind = tables::AddressKind::snat;
    snats.push_back(local(block, transaction));
    ipv4 += address(snat).is_v4();
  }
  local(place_of(key), transaction);
  const tables::Service service = block_of(spec, key, ServiceId{slot});
  transaction.put(service, snats, ipv4, tables::build_access_list(spec.access));
  commit(transaction);
  if (new_host) rebuild_routes();
  return service.id;
}

ServiceId World::put_many(const ServiceSpec& spec, uint32_t count,
                          const std::function<Place(uint32_t)>& vip,
                          const std::function<Place(uint32_t)>& server) {
  const auto first_service = static_cast<uint32_t>(services_.size());
  const auto first_server = static_cast<uint32_t>(servers_.size());
  const std::vector<uint8_t> access = tables::build_access_list(spec.access);
  std::set<net::Address> vips, hosts;
  for (uint32_t from = 0; from < count; from += 1024) {
    tables::Transaction transaction(*writer_);
    for (uint32_t n = from; n < std::min(count, from + 1024); ++n) {
      const Place at = vip(n), to = server(n);
      tables::Server block;
      block.identity = {to.address, spec.instance, to.port, spec.protocol, {}};
      block.id = ServerId{first_server + n};
      transaction.put(block);
      servers_.push_back({block.identity, block});
      const ServiceId id{first_service + n};
      tables::Pool pool;
      pool.id = PoolId{index(id)};
      pool.scheduler = tables::Scheduler::wlc;
      pool.ready_count = 1;
      tables::Member member;
      member.address = to.address;
      member.server = block.id;
      member.port = to.port;
      transaction.put(pool, std::span(&member, 1), nullptr, nullptr);
      const tables::ServiceKey key{at.address, spec.instance, at.port, spec.protocol, 0, 0};
      services_.push_back(block_of(spec, key, id));
      callers_.emplace_back();
      transaction.put(services_.back(), {}, 0, access);
      if (vips.insert(at.address).second) local(place_of(key), transaction);
      if (hosts.insert(to.address).second) neighbour(to.address, server_mac(hosts_++));
    }
    commit(transaction);
  }
  rebuild_routes();
  return ServiceId{first_service};
}

void World::remove(ServiceId id) {
  tables::Transaction transaction(*writer_);
  transaction.remove(id);
  // A VIP goes on steering; one with rules must not show this one.
  const tables::LocalAddress vip = place_of(services_[index(id)].key);
  services_[index(id)] = {};
  callers_[index(id)] = {};
  local(vip, transaction);
  commit(transaction);
}

ServiceId World::put_rule(const RuleSpec& spec) {
  tables::Transaction transaction(*writer_);
  tables::Service service;
  service.id = ServiceId{static_cast<uint32_t>(services_.size())};
  service.mode = tables::Mode::masquerade;
  service.refusal = spec.refusal;
  service.timeouts = spec.timeouts;
  service.max_segment_size = spec.max_segment_size;
  service.application = spec.application;
  for (size_t i = 0; i < service.timeouts.size(); ++i) {
    if (service.timeouts[i] == 0) service.timeouts[i] = flow::default_timeouts()[i];
  }
  // Its place; no service has this key.
  tables::Service nobody;
  nobody.key.port = static_cast<uint16_t>(services_.size());
  services_.push_back(nobody);
  callers_.emplace_back();
  std::vector<tables::AddressId> snats;
  uint32_t ipv4 = 0;
  for (const std::string_view snat : spec.snats) {
    tables::LocalAddress block;
    block.address = address(snat);
    block.kind = tables::AddressKind::snat;
    snats.push_back(local(block, transaction));
    ipv4 += address(snat).is_v4();
  }
  transaction.put(service, snats, ipv4);
  tables::SourceRuleSpec rule;
  rule.service = service.id;
  for (const auto text : spec.networks) rule.sources.push_back(*net::parse_prefix(text));
  for (const auto text : spec.except) rule.except.push_back(*net::parse_prefix(text));
  for (const auto text : spec.interfaces) rule.inside.push_back(tables::interface_of(text));
  for (const auto text : spec.outside) rule.outside.push_back(tables::interface_of(text));
  rules_.push_back(rule);
  put_rules(transaction);
  commit(transaction);
  return service.id;
}

void World::retire_rule(ServiceId id) {
  tables::Transaction transaction(*writer_);
  tables::Service service = *view().service(id);
  service.retired = 1;
  service.enabled = 0;
  transaction.put(service, {}, 0);
  std::erase_if(rules_, [id](const auto& rule) { return rule.service == id; });
  put_rules(transaction);
  commit(transaction);
}

void World::put_rules(tables::Transaction& transaction) {
  transaction.put_source_rules(tables::build_source_rules(rules_));
}

void World::drain(ServerId id, net::Instant deadline) {
  tables::Transaction transaction(*writer_);
  tables::Server& block = servers_[index(id)].block;
  block.state = block.configured = tables::ServerState::draining;
  block.drain_deadline = deadline;
  transaction.put(block);
  commit(transaction);
}

void World::settings(const tables::Settings& settings) {
  tables::Transaction transaction(*writer_);
  transaction.put(settings);
  commit(transaction);
}

void World::access(const std::vector<std::pair<net::Instance, tables::AccessSpec>>& lists) {
  std::vector<tables::InstanceAccessSpec> specs;
  for (const auto& [instance, list] : lists) {
    specs.push_back({instance, tables::build_access_list(list)});
  }
  tables::Transaction transaction(*writer_);
  transaction.put(specs);
  commit(transaction);
}

void World::commit(tables::Transaction& transaction) {
  if (transaction.commit(++revision_) == tables::Commit::full) fail("the region is full");
  writer_->set_ready();
}

}  // namespace nezu::world
