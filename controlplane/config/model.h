// The configuration in memory: the messages, found by name, and who refers to whom.
//
// A change is an Edit; applying one gives the Edit that undoes it, so a refused change costs its
// own size, not the configuration's. One thread at a time; nothing here throws.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "nezu/store/record.pb.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::config {

/// One list of the configuration, found by name.
template <typename T>
class Table {
 public:
  explicit Table(google::protobuf::RepeatedPtrField<T>* list) : list_(list) {}

  const T* find(const std::string& name) const {
    const auto at = places_.find(name);
    return at == places_.end() ? nullptr : &list_->Get(at->second);
  }
  /// Names in order, with their places in the list.
  const std::map<std::string, int>& places() const { return places_; }
  const T& at(int place) const { return list_->Get(place); }
  size_t size() const { return places_.size(); }

  void put(const T& object) {
    const auto [at, is_new] = places_.try_emplace(object.name(), list_->size());
    *(is_new ? list_->Add() : list_->Mutable(at->second)) = object;
  }
  void take(const std::string& name) {
    const auto at = places_.find(name);
    if (at == places_.end()) {
      return;
    }
    const int last = list_->size() - 1;
    if (at->second != last) {
      list_->SwapElements(at->second, last);
      places_[list_->Get(at->second).name()] = at->second;
    }
    list_->RemoveLast();
    places_.erase(at);
  }

 private:
  google::protobuf::RepeatedPtrField<T>* list_;
  std::map<std::string, int> places_;
};

using Names = std::set<std::string>;

class Model {
 public:
  Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const v1::Configuration& configuration() const { return configuration_; }
  /// A copy whose lists are ordered by name, as people and files want it.
  v1::Configuration ordered() const;
  const Table<v1::VirtualService>& services() const { return services_; }
  const Table<v1::Pool>& pools() const { return pools_; }
  const Table<v1::SnatSet>& snat_sets() const { return snat_sets_; }
  const v1::Settings& settings() const { return configuration_.settings(); }

  /// `edit` is normalised and names every object once. Returns what undoes it.
  store::Edit apply(const store::Edit& edit);

  /// Services that use this pool or SNAT set.
  const Names& users_of_pool(const std::string& pool) const;
  const Names& users_of_snat_set(const std::string& set) const;
  /// Services with the same address, port and protocol as this one, itself included.
  const Names& services_like(const v1::VirtualService& service) const;
  /// Services with this VIP, in its canonical form.
  const Names& services_at(uint32_t instance, const std::string& address) const;
  /// Pools that have this server.
  const Names& pools_of(const v1::RealServer& server) const;
  /// Pools with a server of this address.
  const Names& pools_at(uint32_t instance, const std::string& address) const;

 private:
  using Index = std::unordered_map<std::string, Names>;

  void put(const v1::VirtualService& service);
  void put(const v1::Pool& pool);
  void put(const v1::SnatSet& set);
  void take_service(const std::string& name);
  void take_pool(const std::string& name);
  void unlink(const v1::VirtualService& service);
  void unlink(const v1::Pool& pool);

  v1::Configuration configuration_;
  Table<v1::VirtualService> services_;
  Table<v1::Pool> pools_;
  Table<v1::SnatSet> snat_sets_;
  Index services_by_pool_, services_by_snat_set_, services_by_key_, services_by_address_;
  Index pools_by_server_, pools_by_address_;
};

}  // namespace nezu::config
