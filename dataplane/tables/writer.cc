#include "dataplane/tables/writer.h"

#include <unistd.h>

#include <algorithm>

#include "dataplane/tables/reader.h"
#include "dataplane/tables/shared_store.h"

namespace nezu::tables {

namespace {

uint64_t bytes_of(const Pool& pool) { return sizeof(Pool) + pool.member_count * sizeof(Member); }
uint64_t bytes_of(const Ring& ring) { return sizeof(Ring) + ring.size * sizeof(uint16_t); }
uint64_t bytes_of(const SnatSet& set) { return sizeof(SnatSet) + set.count * sizeof(AddressId); }
uint64_t bytes_of(const AccessList& list) { return list.bytes(); }
uint64_t bytes_of(const Memberships& block) {
  return sizeof(Memberships) + block.count * sizeof(Membership) +
         block.bridge_count * sizeof(Bridge);
}
uint64_t bytes_of(const LocalAddress& local) {
  return sizeof(LocalAddress) + local.rule_count * sizeof(Rule);
}
uint64_t bytes_of(const HashDirectory& directory) {
  return sizeof(HashDirectory) + directory.page_count * sizeof(Ref<HashPage>);
}

}  // namespace

std::unique_ptr<Writer> Writer::attach(const Region& region, std::string* error) {
  std::unique_ptr<Writer> writer(new Writer(region));
  std::string problem = writer->adopt();
  if (!problem.empty()) {
    if (error != nullptr) *error = std::move(problem);
    return nullptr;
  }
  store_word(region.header().writer_pid, static_cast<uint64_t>(getpid()),
             std::memory_order_relaxed);
  return writer;
}

PrefixLengths PrefixCounts::lengths() const {
  PrefixLengths lengths;
  for (uint32_t bits = 1; bits <= 128; ++bits) {
    const uint64_t bit = uint64_t{1} << ((bits - 1) % 64);
    if (bits <= 32 && counts_[0][bits] != 0) lengths.words[0] |= bit;
    if (counts_[1][bits] != 0) lengths.words[1 + (bits - 1) / 64] |= bit;
  }
  return lengths;
}

uint64_t Writer::revision() const {
  const Root* root = region_.root();
  return root != nullptr ? root->revision : 0;
}

void Writer::set_ready() {
  store_word(region_.header().state, static_cast<uint32_t>(RegionState::ready),
             std::memory_order_release);
}

template <typename T, typename Visit>
bool Writer::adopt_directory(Ref<Directory<T>> ref, Visit visit) {
  if (!ref.exists()) return true;
  if (!heap_.adopt(ref.offset, sizeof(Directory<T>))) return false;
  for (const Ref<Page<T>> page : region_.at(ref)->pages) {
    if (!page.exists()) continue;
    if (!heap_.adopt(page.offset, sizeof(Page<T>))) return false;
    for (const Ref<T> slot : region_.at(page)->slots) {
      if (!slot.exists()) continue;
      if (!heap_.contains(slot.offset, sizeof(T))) return false;
      if (!visit(slot.offset, *region_.at(slot))) return false;
    }
  }
  return true;
}

bool Writer::adopt_hash(Ref<HashDirectory> ref) {
  if (!ref.exists()) return true;
  if (!heap_.contains(ref.offset, sizeof(HashDirectory))) return false;
  const HashDirectory& directory = *region_.at(ref);
  if (directory.page_count > kMostHashPages || !heap_.adopt(ref.offset, bytes_of(directory))) {
    return false;
  }
  for (uint32_t i = 0; i < directory.page_count; ++i) {
    const Ref<HashPage> page = directory.pages()[i];
    if (page.exists() && !heap_.adopt(page.offset, sizeof(HashPage))) return false;
  }
  return true;
}

bool Writer::adopt_memberships(Ref<Memberships> ref) {
  if (!ref.exists()) return true;
  return heap_.contains(ref.offset, sizeof(Memberships)) &&
         heap_.adopt(ref.offset, bytes_of(*region_.at(ref)));
}

bool Writer::adopt_instance_access(Ref<InstanceAccesses> ref) {
  if (!ref.exists()) return true;
  if (!heap_.contains(ref.offset, sizeof(InstanceAccesses))) return false;
  const InstanceAccesses& block = *region_.at(ref);
  if (!heap_.adopt(ref.offset, sizeof block + block.all().size_bytes())) return false;
  return std::ranges::all_of(block.all(), [this](const InstanceAccess& one) {
    return one.list.exists() && adopt_shared(access_lists_, one.list);
  });
}

template <typename T>
bool Writer::adopt_shared(SharedBlocks& blocks, Ref<T> ref) {
  if (!ref.exists()) return true;
  if (!heap_.contains(ref.offset, sizeof(T))) return false;
  const T& block = *region_.at(ref);
  Shared& shared = blocks[block.fingerprint];
  if (shared.users++ > 0) return shared.offset == ref.offset;
  shared.offset = ref.offset;
  return heap_.adopt(ref.offset, bytes_of(block));
}

bool Writer::adopt_source_rules(Ref<SourceRules> ref) {
  if (!ref.exists()) return true;
  return heap_.contains(ref.offset, sizeof(SourceRules)) &&
         heap_.adopt(ref.offset, region_.at(ref)->bytes());
}

std::string Writer::adopt() {
  const Root* root = region_.root();
  const uint64_t live = region_.header().root.load(std::memory_order_acquire);
  if (live == 0) {
    heap_.finish_adoption(0);
    return {};
  }
  const uint64_t seed = region_.header().hash_seed;
  bool sound = heap_.adopt(live, sizeof(Root)) && root->layout == layout_hash();
  sound = sound && adopt_directory(root->services, [&](uint64_t at, const Service& service) {
            if (is_filed(service)) services_[index(service.id)] = hash_of(service.key, seed);
            return heap_.adopt(at, sizeof service) && adopt_shared(snat_sets_, service.snats) &&
                   adopt_shared(access_lists_, service.access);
          });
  sound = sound && adopt_directory(root->pools, [&](uint64_t at, const Pool& pool) {
            return heap_.adopt(at, bytes_of(pool)) && adopt_shared(rings_, pool.ring) &&
                   adopt_shared(rings_, pool.sequence);
          });
  sound = sound && adopt_directory(root->servers, [&](uint64_t at, const Server& server) {
            return heap_.adopt(at, sizeof server);
          });
  sound = sound && adopt_directory(root->addresses, [&](uint64_t at, const LocalAddress& address) {
            addresses_[index(address.id)] =
                hash_of(address.instance, address.address, seed, address.host_bits);
            const bool known = address.host_bits <= (address.address.is_v4() ? 32 : 128);
            if (known) prefixes_.add(address);
            return known && heap_.adopt(at, bytes_of(address));
          });
  sound = sound && adopt_source_rules(root->source_rules);
  sound = sound && adopt_memberships(root->memberships);
  sound = sound && adopt_instance_access(root->instance_access);
  sound = sound && adopt_hash(root->service_keys) && adopt_hash(root->address_keys);
  if (!sound || !heap_.finish_adoption(root->generation)) {
    return region_.path() +
           ": what it shows does not make sense; stop the data plane and remove the file to start "
           "anew";
  }
  return {};
}

uint64_t Writer::oldest_read() {
  const uint64_t live = generation();
  uint64_t oldest = UINT64_MAX;
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    ReaderLine& line = region_.reader(i);
    // Sequentially consistent against Reader::attach: see there.
    uint64_t owner = line.owner.load(std::memory_order_seq_cst);
    if (owner == 0) continue;
#if NEZU_MUTANT == 5  // tests prove that they would notice
    const uint64_t generation = line.generation.load(std::memory_order_relaxed);
#else
    const uint64_t generation = line.generation.load(std::memory_order_acquire);
#endif
    // Only one that holds something back is worth the look at its process.
    if (generation < live && !process_lives(owner)) {
      line.owner.compare_exchange_strong(owner, 0);
      continue;
    }
    oldest = std::min(oldest, generation);
  }
  return oldest;
}

void Writer::reclaim() {
  if (heap_.has_retired()) heap_.reclaim(oldest_read());
}

}  // namespace nezu::tables
