// The configuration in memory: the messages, found by name, and who refers to whom.
//
// A change is an Edit; applying one gives the Edit that undoes it, so a refused change costs its
// own size, not the configuration's. Objects never change, they are replaced: whoever holds one, as
// a Snapshot does, keeps it as it was. One thread at a time; nothing here throws.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/tables/blocks.h"
#include "nezu/store/record.pb.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::config {

/// One list of the configuration, found by name; iterated in order of names.
template <typename T>
class Table {
 public:
  using Objects = std::map<std::string, std::shared_ptr<const T>>;

  const T* find(const std::string& name) const {
    const auto at = objects_.find(name);
    return at == objects_.end() ? nullptr : at->second.get();
  }
  typename Objects::const_iterator begin() const { return objects_.begin(); }
  typename Objects::const_iterator end() const { return objects_.end(); }
  /// The first one behind `name`.
  typename Objects::const_iterator after(const std::string& name) const {
    return objects_.upper_bound(name);
  }
  size_t size() const { return objects_.size(); }

  void put(const T& object) { objects_[object.name()] = std::make_shared<const T>(object); }
  void take(const std::string& name) { objects_.erase(name); }

 private:
  Objects objects_;
};

/// All objects as they were at one moment, in order of names. Any thread may read it.
struct Snapshot {
  std::vector<std::shared_ptr<const v1::VirtualService>> services;
  std::vector<std::shared_ptr<const v1::Pool>> pools;
  std::vector<std::shared_ptr<const v1::SnatSet>> snat_sets;
  std::vector<std::shared_ptr<const v1::SourceNat>> source_nats;
  std::vector<std::shared_ptr<const v1::NetworkInstance>> instances;
  v1::Settings settings;

  v1::Configuration configuration() const;
};

using Names = std::set<std::string>;

/// Nothing is translated in this mode: servers are asked at the service's own port.
bool keeps_port(v1::Mode mode);

class Model {
 public:
  Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Snapshot snapshot() const;
  /// A copy whose lists are ordered by name, as people and files want it.
  v1::Configuration ordered() const { return snapshot().configuration(); }
  const Table<v1::VirtualService>& services() const { return services_; }
  const Table<v1::Pool>& pools() const { return pools_; }
  const Table<v1::SnatSet>& snat_sets() const { return snat_sets_; }
  const Table<v1::SourceNat>& source_nats() const { return source_nats_; }
  const Table<v1::NetworkInstance>& instances() const { return instances_; }
  const v1::Settings& settings() const { return settings_; }

  /// `edit` is normalised and names every object once. Returns what undoes it.
  store::Edit apply(const store::Edit& edit);

  /// Services that use this pool or SNAT set.
  const Names& users_of_pool(const std::string& pool) const;
  /// Those of them with this protocol and a VIP of this family.
  const Names& users_of_pool(const std::string& pool, v1::Protocol protocol, bool is_v4) const;
  /// Those of them whose mode keeps the port, by port; by 0 those of more ports than one, or none.
  const std::map<uint32_t, Names>& ports_kept_of_pool(const std::string& pool) const;
  /// Those of them whose VIP answers pings as long as servers of the pool are ready.
  const Names& pingers_of_pool(const std::string& pool) const;
  /// All of them, by the number of their network instance.
  const std::map<uint32_t, Names>& instances_of_pool(const std::string& pool) const;
  const Names& users_of_snat_set(const std::string& set) const;
  /// Source NAT rules that use this pool or SNAT set.
  const Names& rules_of_pool(const std::string& pool) const;
  const Names& rules_of_snat_set(const std::string& set) const;
  /// Network instances with this number: one, or none.
  const Names& instances_numbered(uint32_t number) const;
  /// Network instances with this link, as "front.10".
  const Names& instances_with(const std::string& link) const;
  /// Services with the same address, port and protocol as this one, itself included.
  const Names& services_like(const v1::VirtualService& service) const;
  /// Services with this VIP, in its canonical form.
  const Names& services_at(uint32_t instance, const std::string& address) const;
  /// Those of them that are not of one address, protocol and port (config::is_open).
  const Names& open_services_at(uint32_t instance, const std::string& address) const;
  /// Those of them in MODE_FULLNAT whose flows may have no ports.
  const Names& portless_at(uint32_t instance, const std::string& address) const;
  /// Services of this mark.
  const Names& services_of_mark(uint32_t instance, uint32_t mark) const;
  /// Services in MODE_REDIRECT.
  const Names& redirects() const { return redirects_; }
  /// SNAT sets with this address, in its canonical form.
  const Names& snat_sets_at(uint32_t instance, const std::string& address) const;
  /// Pools that have this server.
  const Names& pools_of(const v1::RealServer& server) const;
  const Names& pools_of(const tables::ServerIdentity& server) const;
  /// Pools with a server of this address.
  const Names& pools_at(uint32_t instance, const std::string& address) const;

 private:
  using Index = std::unordered_map<std::string, Names>;

  void put(const v1::VirtualService& service);
  void put(const v1::Pool& pool);
  void put(const v1::SnatSet& set);
  void put(const v1::SourceNat& rule);
  void put(const v1::NetworkInstance& instance);
  template <typename T>
  void take(Table<T>& table, const std::string& name);
  void unlink(const v1::VirtualService& service);
  void unlink(const v1::Pool& pool);
  void unlink(const v1::SnatSet& set);
  void unlink(const v1::SourceNat& rule);
  void unlink(const v1::NetworkInstance& instance);

  Table<v1::VirtualService> services_;
  Table<v1::Pool> pools_;
  Table<v1::SnatSet> snat_sets_;
  Table<v1::SourceNat> source_nats_;
  Table<v1::NetworkInstance> instances_;
  v1::Settings settings_;
  Index services_by_pool_, services_by_pool_and_kind_, pingers_by_pool_, services_by_snat_set_;
  Index services_by_key_, services_by_address_, open_services_by_address_, portless_by_address_;
  Index services_by_mark_;
  Names redirects_;
  std::unordered_map<std::string, std::map<uint32_t, Names>> ports_kept_by_pool_;
  std::unordered_map<std::string, std::map<uint32_t, Names>> instances_by_pool_;
  Index instances_by_number_, instances_by_link_;
  Index pools_by_server_, pools_by_address_;
  Index snat_sets_by_address_;
  Index rules_by_pool_, rules_by_snat_set_;
};

}  // namespace nezu::config
