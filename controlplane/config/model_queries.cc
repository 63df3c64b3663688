// Who refers to whom, as the model's indices have it.
#include "controlplane/config/model.h"
#include "controlplane/config/model_keys.h"

namespace nezu::config {
namespace {

template <typename Index>
const Names& look_up(const Index& index, const std::string& key) {
  static const Names kNone;
  const auto at = index.find(key);
  return at == index.end() ? kNone : at->second;
}

}  // namespace

const Names& Model::users_of_pool(const std::string& pool) const {
  return look_up(services_by_pool_, pool);
}
const Names& Model::users_of_pool(const std::string& pool, v1::Protocol protocol,
                                  bool is_v4) const {
  return look_up(services_by_pool_and_kind_, kind_key(pool, protocol, is_v4));
}
const std::map<uint32_t, Names>& Model::ports_kept_of_pool(const std::string& pool) const {
  static const std::map<uint32_t, Names> kNone;
  const auto at = ports_kept_by_pool_.find(pool);
  return at == ports_kept_by_pool_.end() ? kNone : at->second;
}
const std::map<uint32_t, Names>& Model::instances_of_pool(const std::string& pool) const {
  static const std::map<uint32_t, Names> kNone;
  const auto at = instances_by_pool_.find(pool);
  return at == instances_by_pool_.end() ? kNone : at->second;
}
const Names& Model::instances_numbered(uint32_t number) const {
  return look_up(instances_by_number_, std::to_string(number));
}
const Names& Model::instances_with(const std::string& link) const {
  return look_up(instances_by_link_, link);
}
const Names& Model::pingers_of_pool(const std::string& pool) const {
  return look_up(pingers_by_pool_, pool);
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
const Names& Model::open_services_at(uint32_t instance, const std::string& address) const {
  return look_up(open_services_by_address_, address_key(instance, address));
}
const Names& Model::portless_at(uint32_t instance, const std::string& address) const {
  return look_up(portless_by_address_, address_key(instance, address));
}
const Names& Model::services_of_mark(uint32_t instance, uint32_t mark) const {
  return look_up(services_by_mark_, mark_key(instance, mark));
}
const Names& Model::snat_sets_at(uint32_t instance, const std::string& address) const {
  return look_up(snat_sets_by_address_, address_key(instance, address));
}
const Names& Model::pools_of(const v1::RealServer& server) const {
  return look_up(pools_by_server_, server_key(server));
}
const Names& Model::pools_of(const tables::ServerIdentity& server) const {
  return look_up(pools_by_server_, server_key(to_proto(server)));
}
const Names& Model::pools_at(uint32_t instance, const std::string& address) const {
  return look_up(pools_by_address_, address_key(instance, address));
}

const Names& Model::rules_of_pool(const std::string& pool) const {
  return look_up(rules_by_pool_, pool);
}
const Names& Model::rules_of_snat_set(const std::string& set) const {
  return look_up(rules_by_snat_set_, set);
}

}  // namespace nezu::config
