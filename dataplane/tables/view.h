// What a worker sees of one generation: every look-up is a few loads from immutable blocks.
//
// Valid from Reader::latest() until that reader's next call. Any thread may hold one as long as its
// reader does not move on. Costs nothing to copy. Nothing here writes.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/net/hash.h"
#include "dataplane/tables/layout.h"

namespace nezu::tables {

/// The hash by which keys are filed: its upper half chooses the page, its lower half is the
/// fingerprint, of which the lowest bits are the home bucket.
inline uint64_t key_hash(const net::Address& address, uint64_t rest, uint64_t seed) {
  const auto low = net::load<uint64_t>(&address.bytes[0]);
  const auto high = net::load<uint64_t>(&address.bytes[8]);
  return net::mix64(net::mix64(net::mix64(seed ^ low) ^ high) ^ rest);
}
inline uint64_t hash_of(const ServiceKey& key, uint64_t seed) {
  return key_hash(key.address,
                  static_cast<uint64_t>(key.instance) << 32 | uint64_t{key.port} << 8 |
                      static_cast<uint64_t>(key.protocol),
                  seed);
}
inline uint64_t hash_of(net::Instance instance, const net::Address& address, uint64_t seed,
                        uint8_t host_bits = 0) {
  return key_hash(address, static_cast<uint64_t>(instance) | uint64_t{host_bits} << 32, ~seed);
}
/// Whether `root`'s pages of that many buckets: where `hash` is filed.
constexpr uint32_t page_of(uint64_t hash, uint32_t page_count) {
  return static_cast<uint32_t>(hash >> 32) & (page_count - 1);
}
constexpr uint32_t fingerprint_of(uint64_t hash) { return static_cast<uint32_t>(hash); }

class View {
 public:
  View() = default;
  View(const uint8_t* base, const Root* root, uint64_t seed)
      : base_(base), root_(root), seed_(seed) {}

  /// False until the control plane has published anything.
  bool is_ready() const { return root_ != nullptr; }
  uint64_t generation() const { return root_ != nullptr ? root_->generation : 0; }
  const Root* root() const { return root_; }
  const Settings& settings() const { return root_->settings; }
  /// Which VLANs of which ports are in which instance.
  std::span<const Membership> memberships() const {
    if (root_ == nullptr || !root_->memberships.exists()) return {};
    const Memberships* block = at(root_->memberships);
    return {block->all(), block->count};
  }
  std::span<const Bridge> bridges() const {
    if (root_ == nullptr || !root_->memberships.exists()) return {};
    const Memberships* block = at(root_->memberships);
    return {block->bridges(), block->bridge_count};
  }

  std::span<const InstanceAccess> instance_access() const {
    if (root_ == nullptr || !root_->instance_access.exists()) return {};
    return at(root_->instance_access)->all();
  }

  const Service* service(ServiceId id) const {
    return root_ != nullptr ? in(root_->services, index(id)) : nullptr;
  }
  const Pool* pool(PoolId id) const {
    return root_ != nullptr ? in(root_->pools, index(id)) : nullptr;
  }
  const Server* server(ServerId id) const {
    return root_ != nullptr ? in(root_->servers, index(id)) : nullptr;
  }
  const LocalAddress* address(AddressId id) const {
    return root_ != nullptr ? in(root_->addresses, index(id)) : nullptr;
  }
  const Service* service(const ServiceKey& key) const {
    if (root_ == nullptr) return nullptr;
    return find(root_->service_keys, root_->services, hash_of(key, seed_),
                [&key](const Service& service) { return service.key == key; });
  }
  const LocalAddress* address(net::Instance instance, const net::Address& address) const {
    if (root_ == nullptr) return nullptr;
    return find(root_->address_keys, root_->addresses, hash_of(instance, address, seed_),
                [&](const LocalAddress& local) {
                  return local.address == address && local.instance == instance &&
                         local.host_bits == 0;
                });
  }
  /// `first`: of the prefix. Only those whose length is in Root::prefixes exist.
  const LocalAddress* prefix(net::Instance instance, const net::Address& first,
                             uint8_t host_bits) const {
    return find(root_->address_keys, root_->addresses, hash_of(instance, first, seed_, host_bits),
                [&](const LocalAddress& local) {
                  return local.address == first && local.instance == instance &&
                         local.host_bits == host_bits;
                });
  }
  const Ring* ring(Ref<Ring> ref) const { return at(ref); }
  const SnatSet* snats(Ref<SnatSet> ref) const { return at(ref); }
  /// Null: no packet is masqueraded.
  const SourceRules* source_rules() const {
    return root_ != nullptr ? at(root_->source_rules) : nullptr;
  }

  template <typename T>
  const T* at(Ref<T> ref) const {
    return ref.exists() ? reinterpret_cast<const T*>(base_ + ref.offset) : nullptr;
  }
  /// Calls `visit(const T&)` for every slot in use.
  template <typename T, typename Visit>
  void each(Ref<Directory<T>> ref, Visit visit) const {
    const Directory<T>* directory = at(ref);
    if (directory == nullptr) return;
    for (const Ref<Page<T>> page_ref : directory->pages) {
      const Page<T>* page = at(page_ref);
      if (page == nullptr) continue;
      for (const Ref<T> slot : page->slots) {
        if (slot.exists()) visit(*at(slot));
      }
    }
  }

 private:
  template <typename T>
  const T* in(Ref<Directory<T>> ref, uint32_t slot) const {
    const Directory<T>* directory = at(ref);
    if (directory == nullptr || slot >= kMaxSlots) return nullptr;
    const Page<T>* page = at(directory->pages[slot / kPageSlots]);
    return page != nullptr ? at(page->slots[slot % kPageSlots]) : nullptr;
  }

  template <typename T, typename Match>
  const T* find(Ref<HashDirectory> ref, Ref<Directory<T>> blocks, uint64_t hash,
                Match matches) const {
    const HashDirectory* directory = at(ref);
    if (directory == nullptr) return nullptr;
    const HashPage* page = at(directory->pages()[page_of(hash, directory->page_count)]);
    if (page == nullptr) return nullptr;
    const uint32_t fingerprint = fingerprint_of(hash);
    for (uint32_t i = 0; i < kPageBuckets; ++i) {
      const HashBucket& bucket = page->buckets[(fingerprint + i) % kPageBuckets];
      for (const HashCell& cell : bucket.cells) {
        if (cell.slot == kNoSlot) return nullptr;
        if (cell.fingerprint != fingerprint) continue;
        const T* block = in(blocks, cell.slot);
        if (block != nullptr && matches(*block)) return block;
      }
    }
    return nullptr;
  }

  const uint8_t* base_ = nullptr;
  const Root* root_ = nullptr;
  uint64_t seed_ = 0;
};

}  // namespace nezu::tables
