// The one writer of the published blocks: builds what has changed, links it, and publishes with one
// release store.
//
// One thread of the control plane. Nothing throws; memory of the writer's own (std containers) is
// used freely. A transaction is staged in free space, which nobody reads, and becomes visible as a
// whole; when the region is full it leaves no trace.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/tables/hash_index.h"
#include "dataplane/tables/heap.h"
#include "dataplane/tables/region.h"
#include "dataplane/tables/view.h"

namespace nezu::tables {

enum class Commit : uint8_t { published, unchanged, full };

/// A ring or an order of turns that a pool needs: built only when no pool has an equal one.
struct RingSource {
  uint64_t fingerprint = 0;
  std::function<std::vector<uint16_t>()> build;
};

/// How many prefixes of each length there are, by family.
class PrefixCounts {
 public:
  void add(const LocalAddress& address) { ++at(address); }
  void remove(const LocalAddress& address) { --at(address); }
  PrefixLengths lengths() const;

 private:
  uint32_t& at(const LocalAddress& address) {
    return counts_[!address.address.is_v4()][address.host_bits];
  }
  std::array<std::array<uint32_t, 129>, 2> counts_{};  ///< [0]: of those that are no prefixes
};

class Transaction;

class Writer {
 public:
  /// Takes over the region as the last writer left it. Null: the live blocks do not make sense
  /// (`error` says what), and nothing was changed.
  static std::unique_ptr<Writer> attach(const Region& region, std::string* error);

  View view() const { return View(region_.base(), region_.root(), region_.header().hash_seed); }
  uint64_t generation() const { return view().generation(); }
  uint64_t revision() const;

  /// Reuses what every live reader has passed. Cheap; called before each transaction and on a
  /// timer.
  void reclaim();
  /// The oldest generation that a live reader may be reading; UINT64_MAX without readers.
  uint64_t oldest_read();
  void set_ready();

  const Heap& heap() const { return heap_; }
  const Region& region() const { return region_; }

 private:
  friend class Transaction;
  /// Blocks that several owners may point at, found by their fingerprint.
  struct Shared {
    uint64_t offset = 0;
    uint32_t users = 0;
  };
  using SharedBlocks = std::unordered_map<uint64_t, Shared>;
  /// Slot -> hash of its key: what a directory that doubles is filled from.
  using Filed = std::unordered_map<uint32_t, uint64_t>;

  explicit Writer(const Region& region) : region_(region), heap_(region) {}
  std::string adopt();
  template <typename T, typename Visit>
  bool adopt_directory(Ref<Directory<T>> ref, Visit visit);
  bool adopt_hash(Ref<HashDirectory> ref);
  bool adopt_source_rules(Ref<SourceRules> ref);
  bool adopt_memberships(Ref<Memberships> ref);
  bool adopt_instance_access(Ref<InstanceAccesses> ref);
  template <typename T>
  bool adopt_shared(SharedBlocks& blocks, Ref<T> ref);

  const Region& region_;
  Heap heap_;
  SharedBlocks rings_, snat_sets_, access_lists_;
  Filed services_, addresses_;
  PrefixCounts prefixes_;
};

class Transaction {
 public:
  explicit Transaction(Writer& writer);
  ~Transaction();  ///< without commit: nothing has happened
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Each slot at most once. What equals the live block stages nothing. `service.snats`,
  // `service.access`, `pool.ring`, `pool.sequence`, `pool.member_count` and `address.rule_count`
  // are set here. `access`: as build_access_list made it.
  void put(const Service& service, std::span<const AddressId> snats, uint32_t ipv4_count,
           std::span<const uint8_t> access = {});
  void put(const Pool& pool, std::span<const Member> members, const RingSource* ring,
           const RingSource* sequence);
  void put(const Server& server);
  void put(const LocalAddress& address, std::span<const Rule> rules = {});
  void put(const Settings& settings);
  /// As build_source_rules made it; empty: no rules.
  void put_source_rules(std::span<const uint8_t> block);
  /// All of them, ordered by port and VLAN.
  void put(std::span<const Membership> memberships, std::span<const Bridge> bridges = {});
  /// All of them, ordered by instance; lists that deny nobody are left out.
  void put(std::span<const InstanceAccessSpec> lists);
  void remove(ServiceId id);
  void remove(PoolId id);
  void remove(ServerId id);
  void remove(AddressId id);

  /// Publishes, once. `unchanged`: nothing differs and the revision is the live one's.
  Commit commit(uint64_t revision);
  uint64_t staged_bytes() const { return staged_bytes_; }

 private:
  template <typename T>
  using Overlay = std::map<uint32_t, Ref<T>>;  // slot -> new block, none: removed

  uint64_t stage(const void* head, size_t head_bytes, const void* tail, size_t tail_bytes);
  template <typename T>
  Ref<T> stage(const T& block) {
    return {stage(&block, sizeof block, nullptr, 0)};
  }
  /// Gives `block` one more user, made by `make` when it is new.
  uint64_t share(Writer::SharedBlocks& blocks, uint64_t fingerprint,
                 const std::function<uint64_t()>& make);
  void unshare(Writer::SharedBlocks& blocks, uint64_t fingerprint);
  Ref<Ring> stage_ring(const RingSource* source);
  Ref<SnatSet> stage_snats(std::span<const AddressId> snats, uint32_t ipv4_count);
  Ref<AccessList> stage_access(std::span<const uint8_t> block);
  void release_shared_of(const Pool* pool);
  void release_shared_of(const Service* service);
  template <typename T>
  void replace(Overlay<T>& overlay, uint32_t slot, Ref<T> block, const T* live);
  template <typename T>
  Ref<Directory<T>> stage_directory(Ref<Directory<T>> live, const Overlay<T>& overlay);
  Ref<HashDirectory> stage_hash(Ref<HashDirectory> live, const Writer::Filed& filed,
                                const std::vector<HashChange>& changes);
  bool stage_pages(HashDirectory& head, std::vector<Ref<HashPage>>& pages,
                   const std::vector<HashChange>& changes);
  bool rebuild_pages(HashDirectory& head, std::vector<Ref<HashPage>>& pages,
                     const Writer::Filed& filed, const std::vector<HashChange>& changes);
  void abandon();
  void settle(uint64_t generation);

  Writer& writer_;
  View live_;
  Settings settings_;
  Ref<SourceRules> source_rules_;
  Ref<Memberships> memberships_;  ///< of the new root
  Ref<InstanceAccesses> instance_access_;
  Overlay<Service> services_;
  Overlay<Pool> pools_;
  Overlay<Server> servers_;
  Overlay<LocalAddress> addresses_;
  std::vector<HashChange> service_keys_, address_keys_;
  PrefixCounts prefixes_;
  struct SharedChange {
    Writer::SharedBlocks* blocks;
    uint64_t fingerprint;
  };
  std::vector<SharedChange> shared_, unshared_;
  std::vector<uint64_t> staged_;    // offsets of new blocks
  std::vector<uint64_t> replaced_;  // offsets of live blocks that the new root does not reach
  uint64_t staged_bytes_ = 0;
  bool full_ = false;
  bool done_ = false;
};

}  // namespace nezu::tables
