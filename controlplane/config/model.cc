#include "controlplane/config/model.h"

#include "controlplane/config/model_keys.h"
#include "controlplane/config/names.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"
#include "dataplane/net/range.h"

namespace nezu::config {
namespace {

std::vector<std::string> address_keys(const v1::SnatSet& set) {
  std::vector<std::string> keys;
  for (const std::string& text : set.addresses()) {
    if (const auto range = net::parse_range(text)) {
      for (const net::Address& address : net::expand(*range, kMostSnatAddresses)) {
        keys.push_back(address_key(set.instance(), net::to_string(address)));
      }
    }
  }
  return keys;
}

bool pings_with_pool(const v1::VirtualService& service) {
  return service.ping() == v1::PING_POLICY_ANY || service.ping() == v1::PING_POLICY_ALL;
}

/// The port that servers must have, or 0 for none at all; nothing when any will do.
std::optional<uint32_t> port_kept(const v1::VirtualService& service) {
  if (!has_one_port(service)) {
    return 0;
  }
  return keeps_port(service.mode()) ? std::optional(service.port()) : std::nullopt;
}

bool is_portless(const v1::VirtualService& service) {
  return service.mode() == v1::MODE_FULLNAT && !has_ports(service.protocol());
}

template <typename Index, typename Key>
void drop(Index& index, const Key& key, const std::string& name) {
  const auto at = index.find(key);
  if (at == index.end()) {
    return;
  }
  at->second.erase(name);
  if (at->second.empty()) {
    index.erase(at);
  }
}

}  // namespace

bool keeps_port(v1::Mode mode) {
  return mode != v1::MODE_UNSPECIFIED && mode != v1::MODE_NAT && mode != v1::MODE_FULLNAT;
}

v1::Configuration Snapshot::configuration() const {
  v1::Configuration all;
  for (const auto& service : services) {
    *all.add_services() = *service;
  }
  for (const auto& pool : pools) {
    *all.add_pools() = *pool;
  }
  for (const auto& set : snat_sets) {
    *all.add_snat_sets() = *set;
  }
  for (const auto& rule : source_nats) {
    *all.add_source_nats() = *rule;
  }
  for (const auto& instance : instances) {
    *all.add_instances() = *instance;
  }
  *all.mutable_settings() = settings;
  return all;
}

Model::Model() { normalise(settings_); }

Snapshot Model::snapshot() const {
  Snapshot snapshot;
  const auto copy = [](const auto& table, auto& list) {
    list.reserve(table.size());
    for (const auto& [name, object] : table) {
      list.push_back(object);
    }
  };
  copy(services_, snapshot.services);
  copy(pools_, snapshot.pools);
  copy(snat_sets_, snapshot.snat_sets);
  copy(source_nats_, snapshot.source_nats);
  copy(instances_, snapshot.instances);
  snapshot.settings = settings_;
  return snapshot;
}

store::Edit Model::apply(const store::Edit& edit) {
  store::Edit undo;
  for (const std::string& name : edit.removed_services()) {
    if (const auto* before = services_.find(name)) {
      *undo.add_services() = *before;
      take(services_, name);
    }
  }
  for (const std::string& name : edit.removed_pools()) {
    if (const auto* before = pools_.find(name)) {
      *undo.add_pools() = *before;
      take(pools_, name);
    }
  }
  for (const std::string& name : edit.removed_snat_sets()) {
    if (const auto* before = snat_sets_.find(name)) {
      *undo.add_snat_sets() = *before;
      take(snat_sets_, name);
    }
  }
  for (const std::string& name : edit.removed_source_nats()) {
    if (const auto* before = source_nats_.find(name)) {
      *undo.add_source_nats() = *before;
      take(source_nats_, name);
    }
  }
  for (const std::string& name : edit.removed_instances()) {
    if (const auto* before = instances_.find(name)) {
      *undo.add_instances() = *before;
      take(instances_, name);
    }
  }
  for (const v1::VirtualService& service : edit.services()) {
    const auto* before = services_.find(service.name());
    before == nullptr ? undo.add_removed_services(service.name())
                      : static_cast<void>(*undo.add_services() = *before);
    put(service);
  }
  for (const v1::Pool& pool : edit.pools()) {
    const auto* before = pools_.find(pool.name());
    before == nullptr ? undo.add_removed_pools(pool.name())
                      : static_cast<void>(*undo.add_pools() = *before);
    put(pool);
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    const auto* before = snat_sets_.find(set.name());
    before == nullptr ? undo.add_removed_snat_sets(set.name())
                      : static_cast<void>(*undo.add_snat_sets() = *before);
    put(set);
  }
  for (const v1::SourceNat& rule : edit.source_nats()) {
    const auto* before = source_nats_.find(rule.name());
    before == nullptr ? undo.add_removed_source_nats(rule.name())
                      : static_cast<void>(*undo.add_source_nats() = *before);
    put(rule);
  }
  for (const v1::NetworkInstance& instance : edit.instances()) {
    const auto* before = instances_.find(instance.name());
    before == nullptr ? undo.add_removed_instances(instance.name())
                      : static_cast<void>(*undo.add_instances() = *before);
    put(instance);
  }
  if (edit.has_settings()) {
    *undo.mutable_settings() = settings_;
    settings_ = edit.settings();
  }
  return undo;
}

void Model::put(const v1::VirtualService& service) {
  if (const auto* before = services_.find(service.name())) {
    unlink(*before);
  }
  services_.put(service);
  const std::string& name = service.name();
  services_by_pool_[service.pool()].insert(name);
  services_by_pool_and_kind_[kind_key(service)].insert(name);
  if (pings_with_pool(service)) {
    pingers_by_pool_[service.pool()].insert(name);
  }
  if (const auto port = port_kept(service)) {
    ports_kept_by_pool_[service.pool()][*port].insert(name);
  }
  const std::string at = address_key(service.instance(), service.address());
  if (is_open(service)) {
    open_services_by_address_[at].insert(name);
  }
  if (is_portless(service)) {
    portless_by_address_[at].insert(name);
  }
  if (service.mode() == v1::MODE_REDIRECT) {
    redirects_.insert(name);
  }
  if (service.mark() != 0) {
    services_by_mark_[mark_key(service)].insert(name);
  }
  instances_by_pool_[service.pool()][service.instance()].insert(name);
  services_by_snat_set_[service.snat_set()].insert(name);
  services_by_key_[service_key(service)].insert(name);
  services_by_address_[address_key(service.instance(), service.address())].insert(name);
}

void Model::put(const v1::Pool& pool) {
  if (const auto* before = pools_.find(pool.name())) {
    unlink(*before);
  }
  pools_.put(pool);
  for (const v1::RealServer& server : pool.servers()) {
    pools_by_server_[server_key(server)].insert(pool.name());
    pools_by_address_[address_key(server.instance(), server.address())].insert(pool.name());
  }
}

void Model::put(const v1::SnatSet& set) {
  if (const auto* before = snat_sets_.find(set.name())) {
    unlink(*before);
  }
  snat_sets_.put(set);
  for (const std::string& key : address_keys(set)) {
    snat_sets_by_address_[key].insert(set.name());
  }
}

void Model::put(const v1::SourceNat& rule) {
  if (const auto* before = source_nats_.find(rule.name())) {
    unlink(*before);
  }
  source_nats_.put(rule);
  for (const std::string& pool : rule.pools()) {
    rules_by_pool_[pool].insert(rule.name());
  }
  rules_by_snat_set_[rule.snat_set()].insert(rule.name());
}

void Model::put(const v1::NetworkInstance& instance) {
  if (const auto* before = instances_.find(instance.name())) {
    unlink(*before);
  }
  instances_.put(instance);
  instances_by_number_[std::to_string(instance.number())].insert(instance.name());
  for (const std::string& link : instance.links()) {
    instances_by_link_[link].insert(instance.name());
  }
}

template <typename T>
void Model::take(Table<T>& table, const std::string& name) {
  unlink(*table.find(name));
  table.take(name);
}

void Model::unlink(const v1::VirtualService& service) {
  const std::string& name = service.name();
  drop(services_by_pool_, service.pool(), name);
  drop(services_by_pool_and_kind_, kind_key(service), name);
  drop(pingers_by_pool_, service.pool(), name);
  const std::string at = address_key(service.instance(), service.address());
  drop(open_services_by_address_, at, name);
  drop(portless_by_address_, at, name);
  redirects_.erase(name);
  if (service.mark() != 0) {
    drop(services_by_mark_, mark_key(service), name);
  }
  const auto drop_number = [&](auto& index, uint32_t number) {
    auto& numbers = index[service.pool()];
    drop(numbers, number, name);
    if (numbers.empty()) {
      index.erase(service.pool());
    }
  };
  if (const auto port = port_kept(service)) {
    drop_number(ports_kept_by_pool_, *port);
  }
  drop_number(instances_by_pool_, service.instance());
  drop(services_by_snat_set_, service.snat_set(), name);
  drop(services_by_key_, service_key(service), name);
  drop(services_by_address_, address_key(service.instance(), service.address()), name);
}

void Model::unlink(const v1::Pool& pool) {
  for (const v1::RealServer& server : pool.servers()) {
    drop(pools_by_server_, server_key(server), pool.name());
    drop(pools_by_address_, address_key(server.instance(), server.address()), pool.name());
  }
}

void Model::unlink(const v1::SnatSet& set) {
  for (const std::string& key : address_keys(set)) {
    drop(snat_sets_by_address_, key, set.name());
  }
}

void Model::unlink(const v1::SourceNat& rule) {
  for (const std::string& pool : rule.pools()) {
    drop(rules_by_pool_, pool, rule.name());
  }
  drop(rules_by_snat_set_, rule.snat_set(), rule.name());
}

void Model::unlink(const v1::NetworkInstance& instance) {
  drop(instances_by_number_, std::to_string(instance.number()), instance.name());
  for (const std::string& link : instance.links()) {
    drop(instances_by_link_, link, instance.name());
  }
}

}  // namespace nezu::config
