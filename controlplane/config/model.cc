#include "controlplane/config/model.h"

#include "controlplane/config/normalise.h"

namespace nezu::config {
namespace {

std::string address_key(uint32_t instance, const std::string& address) {
  return std::to_string(instance) + " " + address;
}

std::string service_key(const v1::VirtualService& service) {
  return address_key(service.instance(), service.address()) + " " + std::to_string(service.port()) +
         " " + std::to_string(service.protocol());
}

std::string server_key(const v1::RealServer& server) {
  return address_key(server.instance(), server.address()) + " " + std::to_string(server.port()) +
         " " + std::to_string(server.protocol());
}

template <typename Index>
void drop(Index& index, const std::string& key, const std::string& name) {
  const auto at = index.find(key);
  if (at == index.end()) {
    return;
  }
  at->second.erase(name);
  if (at->second.empty()) {
    index.erase(at);
  }
}

template <typename Index>
const Names& look_up(const Index& index, const std::string& key) {
  static const Names kNone;
  const auto at = index.find(key);
  return at == index.end() ? kNone : at->second;
}

}  // namespace

Model::Model()
    : services_(configuration_.mutable_services()),
      pools_(configuration_.mutable_pools()),
      snat_sets_(configuration_.mutable_snat_sets()) {
  normalise(*configuration_.mutable_settings());
}

v1::Configuration Model::ordered() const {
  v1::Configuration ordered;
  for (const auto& [name, place] : services_.places()) {
    *ordered.add_services() = services_.at(place);
  }
  for (const auto& [name, place] : pools_.places()) {
    *ordered.add_pools() = pools_.at(place);
  }
  for (const auto& [name, place] : snat_sets_.places()) {
    *ordered.add_snat_sets() = snat_sets_.at(place);
  }
  *ordered.mutable_settings() = configuration_.settings();
  return ordered;
}

store::Edit Model::apply(const store::Edit& edit) {
  store::Edit undo;
  for (const std::string& name : edit.removed_services()) {
    if (const auto* before = services_.find(name)) {
      *undo.add_services() = *before;
      take_service(name);
    }
  }
  for (const std::string& name : edit.removed_pools()) {
    if (const auto* before = pools_.find(name)) {
      *undo.add_pools() = *before;
      take_pool(name);
    }
  }
  for (const std::string& name : edit.removed_snat_sets()) {
    if (const auto* before = snat_sets_.find(name)) {
      *undo.add_snat_sets() = *before;
      snat_sets_.take(name);
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
    snat_sets_.put(set);
  }
  if (edit.has_settings()) {
    *undo.mutable_settings() = configuration_.settings();
    *configuration_.mutable_settings() = edit.settings();
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

void Model::take_service(const std::string& name) {
  unlink(*services_.find(name));
  services_.take(name);
}

void Model::take_pool(const std::string& name) {
  unlink(*pools_.find(name));
  pools_.take(name);
}

void Model::unlink(const v1::VirtualService& service) {
  const std::string& name = service.name();
  drop(services_by_pool_, service.pool(), name);
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

const Names& Model::users_of_pool(const std::string& pool) const {
  return look_up(services_by_pool_, pool);
}
const Names& Model::users_of_snat_set(const std::string& set) const {
  return look_up(services_by_snat_set_, set);
}
const Names& Model::services_like(const v1::VirtualService& service) const {
  return look_up(services_by_key_, service_key(service));
}
const Names& Model::services_at(uint32_t instance, const std::string& address) const {
  return look_up(services_by_address_, address_key(instance, address));
}
const Names& Model::pools_of(const v1::RealServer& server) const {
  return look_up(pools_by_server_, server_key(server));
}
const Names& Model::pools_at(uint32_t instance, const std::string& address) const {
  return look_up(pools_by_address_, address_key(instance, address));
}

}  // namespace nezu::config
