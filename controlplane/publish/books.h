// Which slot each configured object has, and which slots still wait for their last flow.
//
// Written by the publisher's one thread. Adopted from the live blocks at start: names and
// identities stand in them, so that nothing else has to survive a crash.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/compile/touched.h"
#include "dataplane/tables/slots.h"
#include "dataplane/tables/writer.h"

namespace nezu::publish {

using compile::AddressKey;

/// In the book of services, where source NAT rules have their slots: no service has such a name.
std::string rule_key(std::string_view name);

/// All workers' counters of a slot, added up.
tables::CounterBase counters_of(const tables::Region& region, tables::ServiceId id);
tables::CounterBase counters_of(const tables::Region& region, tables::ServerId id);
/// All workers' flows that count on a slot.
uint64_t flows_of(const tables::Region& region, tables::ServiceId id);
uint64_t flows_of(const tables::Region& region, tables::ServerId id);
uint64_t flows_of(const tables::Region& region, tables::AddressId id);

/// All objects of one kind.
template <typename Key, typename Id>
struct Book {
  Book(uint32_t capacity, std::function<bool(uint32_t)> is_idle)
      : slots(capacity, std::move(is_idle)) {}

  tables::Slots slots;
  std::map<Key, Id> ids;  ///< the retired ones too
  std::set<Key> retired;  ///< configured no more: they go when their last flow has ended
};

struct Books {
  explicit Books(const tables::Region& region);
  /// False: two live blocks claim one slot, or one is out of range.
  bool adopt(const tables::Region& region, const tables::View& view);
  /// Adds all that is shown.
  void touch_all(compile::Touched& touched) const;

  Book<std::string, tables::ServiceId> services;  ///< by name; rules by rule_key
  Book<std::string, tables::PoolId> pools;
  Book<tables::ServerIdentity, tables::ServerId> servers;
  Book<AddressKey, tables::AddressId> addresses;
};

/// What one publication does to a book: slots are taken at once, all else waits for `settle`.
template <typename Key, typename Id>
class Draft {
 public:
  explicit Draft(Book<Key, Id>& book) : book_(book) {}

  /// The slot that `key` has or is given; none: all are in use.
  Id open(const Key& key) {
    if (book_.retired.contains(key)) back_.push_back(key);
    if (const auto known = book_.ids.find(key); known != book_.ids.end()) return known->second;
    const auto [entry, is_new] = fresh_.try_emplace(key, tables::no_id<Id>());
    if (is_new) entry->second = static_cast<Id>(book_.slots.allocate());
    return entry->second;
  }
  Id find(const Key& key) const {
    const auto known = book_.ids.find(key);
    if (known != book_.ids.end()) return known->second;
    const auto fresh = fresh_.find(key);
    return fresh != fresh_.end() ? fresh->second : tables::no_id<Id>();
  }
  bool is_fresh(const Key& key) const { return fresh_.contains(key); }
  void retire(const Key& key) { retired_.push_back(key); }
  void drop(const Key& key) { gone_.push_back(key); }

  /// It was published: `generation` is the first that shows it.
  void settle(uint64_t generation, net::Instant now) {
    for (const Key& key : back_) book_.retired.erase(key);
    book_.retired.insert(retired_.begin(), retired_.end());
    for (const Key& key : gone_) {
      const auto entry = book_.ids.find(key);
      book_.slots.retire(tables::index(entry->second), generation, now);
      book_.ids.erase(entry);
      book_.retired.erase(key);
    }
    book_.ids.merge(fresh_);
  }
  void undo() {
    for (const auto& [key, id] : fresh_) {
      if (tables::is_slot(id)) book_.slots.give_back(tables::index(id));
    }
  }

 private:
  Book<Key, Id>& book_;
  std::map<Key, Id> fresh_;
  std::vector<Key> back_, retired_, gone_;
};

}  // namespace nezu::publish
