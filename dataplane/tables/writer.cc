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
      if (slot.exists() && !visit(slot.offset, *region_.at(slot))) return false;
    }
  }
  return true;
}

bool Writer::adopt_hash(Ref<HashDirectory> ref) {
  if (!ref.exists()) return true;
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

bool Writer::adopt_shared(SharedBlocks& blocks, uint64_t fingerprint, uint64_t offset,
                          uint64_t bytes) {
  Shared& shared = blocks[fingerprint];
  if (shared.users++ == 0) {
    shared.offset = offset;
    return heap_.adopt(offset, bytes);
  }
  return shared.offset == offset;
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
            services_[index(service.id)] = hash_of(service.key, seed);
            const Ref<SnatSet> set = service.snats;
            return heap_.adopt(at, sizeof service) &&
                   (!set.exists() || adopt_shared(snat_sets_, region_.at(set)->fingerprint,
                                                  set.offset, bytes_of(*region_.at(set))));
          });
  sound = sound && adopt_directory(root->pools, [&](uint64_t at, const Pool& pool) {
            for (const Ref<Ring> ring : {pool.ring, pool.sequence}) {
              if (ring.exists() && !adopt_shared(rings_, region_.at(ring)->fingerprint, ring.offset,
                                                 bytes_of(*region_.at(ring)))) {
                return false;
              }
            }
            return heap_.adopt(at, bytes_of(pool));
          });
  sound = sound && adopt_directory(root->servers, [&](uint64_t at, const Server& server) {
            return heap_.adopt(at, sizeof server);
          });
  sound = sound && adopt_directory(root->addresses, [&](uint64_t at, const LocalAddress& address) {
            addresses_[index(address.id)] = hash_of(address.instance, address.address, seed);
            return heap_.adopt(at, sizeof address);
          });
  sound = sound && adopt_hash(root->service_keys) && adopt_hash(root->address_keys);
  if (!sound) {
    return region_.path() + ": generation " + std::to_string(root->generation) +
           " does not make sense; stop the data plane and remove the file to start anew";
  }
  heap_.finish_adoption(root->generation);
  return {};
}

uint64_t Writer::oldest_read() {
  // Against Reader::attach: see there.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  uint64_t oldest = UINT64_MAX;
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    ReaderLine& line = region_.reader(i);
    uint64_t owner = line.owner.load(std::memory_order_acquire);
    if (owner == 0) continue;
    const uint64_t generation = line.generation.load(std::memory_order_acquire);
    // Only one that holds something back is worth the look at its process.
    if (generation < this->generation() && !is_alive(line)) {
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

// --- a transaction ------------------------------------------------------------------------------

Transaction::Transaction(Writer& writer) : writer_(writer), live_(writer.view()) {
  writer.reclaim();
  if (live_.is_ready()) settings_ = live_.settings();
}

Transaction::~Transaction() {
  if (!done_) abandon();
}

uint64_t Transaction::stage(const void* head, size_t head_bytes, const void* tail,
                            size_t tail_bytes) {
  if (full_) return 0;
  const uint64_t offset = writer_.heap_.allocate(head_bytes + tail_bytes);
  if (offset == 0) {
    full_ = true;
    return 0;
  }
  staged_.push_back(offset);
  staged_bytes_ += head_bytes + tail_bytes;
  uint8_t* to = writer_.region_.base() + offset;
  store_bytes(to, head, head_bytes);
  if (tail_bytes != 0) store_bytes(to + head_bytes, tail, tail_bytes);
  return offset;
}

uint64_t Transaction::share(Writer::SharedBlocks& blocks, uint64_t fingerprint,
                            const std::function<uint64_t()>& make) {
  auto found = blocks.find(fingerprint);
  if (found == blocks.end()) {
    const uint64_t offset = make();
    if (offset == 0) return 0;
    found = blocks.emplace(fingerprint, Writer::Shared{offset, 0}).first;
  }
  ++found->second.users;
  shared_.push_back({&blocks, fingerprint});
  return found->second.offset;
}

Ref<Ring> Transaction::stage_ring(const RingSource* source) {
  if (source == nullptr) return {};
  return {share(writer_.rings_, source->fingerprint, [&]() -> uint64_t {
    const std::vector<uint16_t> entries = source->build();
    Ring ring;
    ring.size = static_cast<uint32_t>(entries.size());
    ring.fingerprint = source->fingerprint;
    return stage(&ring, sizeof ring, entries.data(), entries.size() * sizeof(uint16_t));
  })};
}

Ref<SnatSet> Transaction::stage_snats(std::span<const AddressId> snats, uint32_t ipv4_count) {
  if (snats.empty()) return {};
  SnatSet set;
  set.count = static_cast<uint32_t>(snats.size());
  set.ipv4_count = ipv4_count;
  uint64_t hash = net::mix64(snats.size() << 32 | ipv4_count);
  for (const AddressId id : snats) hash = net::mix64(hash ^ index(id));
  set.fingerprint = hash;
  return {share(writer_.snat_sets_, hash,
                [&] { return stage(&set, sizeof set, snats.data(), snats.size_bytes()); })};
}

void Transaction::release_shared_of(const Pool* pool) {
  for (const Ref<Ring> ring : {pool->ring, pool->sequence}) {
    if (ring.exists()) unshared_.push_back({&writer_.rings_, live_.at(ring)->fingerprint});
  }
}
void Transaction::release_shared_of(const Service* service) {
  if (service->snats.exists()) {
    unshared_.push_back({&writer_.snat_sets_, live_.at(service->snats)->fingerprint});
  }
}

template <typename T>
void Transaction::replace(Overlay<T>& overlay, uint32_t slot, Ref<T> block, const T* live) {
  overlay[slot] = block;
  if (live != nullptr) {
    replaced_.push_back(
        static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(live) - writer_.region_.base()));
  }
}

void Transaction::put(Service service, std::span<const AddressId> snats, uint32_t ipv4_count) {
  const Service* live = live_.service(service.id);
  service.snats = stage_snats(snats, ipv4_count);
  if (full_) return;
  if (live != nullptr && *live == service) {
    if (service.snats.exists()) unshared_.push_back(shared_.back());
    return;
  }
  const uint64_t hash = hash_of(service.key, writer_.region_.header().hash_seed);
  if (live == nullptr || !(live->key == service.key)) {
    if (live != nullptr) {
      service_keys_.push_back({writer_.services_.at(index(service.id)), index(service.id), false});
    }
    service_keys_.push_back({hash, index(service.id), true});
  }
  if (live != nullptr) release_shared_of(live);
  replace(services_, index(service.id), stage(service), live);
}

void Transaction::put(Pool pool, std::span<const Member> members, const RingSource* ring,
                      const RingSource* sequence) {
  const Pool* live = live_.pool(pool.id);
  pool.member_count = static_cast<uint32_t>(members.size());
  const size_t before = shared_.size();
  pool.ring = stage_ring(ring);
  pool.sequence = stage_ring(sequence);
  if (full_) return;
  if (live != nullptr && *live == pool &&
      std::equal(members.begin(), members.end(), live->members())) {
    unshared_.insert(unshared_.end(), shared_.begin() + static_cast<ptrdiff_t>(before),
                     shared_.end());
    return;
  }
  if (live != nullptr) release_shared_of(live);
  replace(pools_, index(pool.id),
          Ref<Pool>{stage(&pool, sizeof pool, members.data(), members.size_bytes())}, live);
}

void Transaction::put(const Server& server) {
  const Server* live = live_.server(server.id);
  if (live != nullptr && *live == server) return;
  replace(servers_, index(server.id), stage(server), live);
}

void Transaction::put(const LocalAddress& address) {
  const LocalAddress* live = live_.address(address.id);
  if (live != nullptr && *live == address) return;
  const uint32_t slot = index(address.id);
  const uint64_t hash =
      hash_of(address.instance, address.address, writer_.region_.header().hash_seed);
  if (live == nullptr || live->address != address.address || live->instance != address.instance) {
    if (live != nullptr) address_keys_.push_back({writer_.addresses_.at(slot), slot, false});
    address_keys_.push_back({hash, slot, true});
  }
  replace(addresses_, slot, stage(address), live);
}

void Transaction::put(const Settings& settings) { settings_ = settings; }

void Transaction::remove(ServiceId id) {
  const Service* live = live_.service(id);
  if (live == nullptr) return;
  service_keys_.push_back({writer_.services_.at(index(id)), index(id), false});
  release_shared_of(live);
  replace(services_, index(id), Ref<Service>{}, live);
}
void Transaction::remove(PoolId id) {
  const Pool* live = live_.pool(id);
  if (live == nullptr) return;
  release_shared_of(live);
  replace(pools_, index(id), Ref<Pool>{}, live);
}
void Transaction::remove(ServerId id) {
  if (const Server* live = live_.server(id)) replace(servers_, index(id), Ref<Server>{}, live);
}
void Transaction::remove(AddressId id) {
  const LocalAddress* live = live_.address(id);
  if (live == nullptr) return;
  address_keys_.push_back({writer_.addresses_.at(index(id)), index(id), false});
  replace(addresses_, index(id), Ref<LocalAddress>{}, live);
}

template <typename T>
Ref<Directory<T>> Transaction::stage_directory(Ref<Directory<T>> live, const Overlay<T>& overlay) {
  if (overlay.empty()) return live;
  Directory<T> directory;
  if (live.exists()) {
    directory = *live_.at(live);
    replaced_.push_back(live.offset);
  }
  for (auto change = overlay.begin(); change != overlay.end();) {
    const uint32_t number = change->first / kPageSlots;
    Ref<Page<T>>& ref = directory.pages[number];
    Page<T> page;
    if (ref.exists()) {
      page = *live_.at(ref);
      replaced_.push_back(ref.offset);
    }
    for (; change != overlay.end() && change->first / kPageSlots == number; ++change) {
      page.slots[change->first % kPageSlots] = change->second;
    }
    const bool used = std::any_of(page.slots.begin(), page.slots.end(),
                                  [](Ref<T> slot) { return slot.exists(); });
    ref = used ? stage(page) : Ref<Page<T>>{};
  }
  return stage(directory);
}

bool Transaction::stage_pages(HashDirectory& head, std::vector<Ref<HashPage>>& pages,
                              const std::vector<HashChange>& changes) {
  std::map<uint32_t, PageEntries> changed;
  for (const HashChange& change : changes) {
    const uint32_t number = page_of(change.hash, head.page_count);
    auto entry = changed.find(number);
    if (entry == changed.end()) {
      entry = changed.emplace(number, entries_of(live_.at(pages[number]))).first;
    }
    if (change.added) {
      entry->second.push_back({fingerprint_of(change.hash), change.slot});
    } else {
      std::erase_if(entry->second,
                    [&change](const HashCell& cell) { return cell.slot == change.slot; });
    }
  }
  std::map<uint32_t, HashPage> built;
  for (const auto& [number, entries] : changed) {
    const auto page = page_with(entries);
    if (!page) return false;
    if (!entries.empty()) built.emplace(number, *page);
  }
  for (const auto& [number, entries] : changed) {
    if (pages[number].exists()) replaced_.push_back(pages[number].offset);
    pages[number] = entries.empty() ? Ref<HashPage>{} : stage(built.at(number));
  }
  return true;
}

bool Transaction::rebuild_pages(HashDirectory& head, std::vector<Ref<HashPage>>& pages,
                                const Writer::Filed& filed,
                                const std::vector<HashChange>& changes) {
  Writer::Filed all = filed;
  for (const HashChange& change : changes) {
    if (change.added) {
      all[change.slot] = change.hash;
    } else {
      all.erase(change.slot);
    }
  }
  for (const Ref<HashPage> page : pages) {
    if (page.exists()) replaced_.push_back(page.offset);
  }
  while (head.page_count < kMostHashPages) {
    head.page_count *= 2;
    std::vector<PageEntries> entries(head.page_count);
    for (const auto& [slot, hash] : all) {
      entries[page_of(hash, head.page_count)].push_back({fingerprint_of(hash), slot});
    }
    if (std::any_of(entries.begin(), entries.end(),
                    [](const PageEntries& page) { return !page_with(page); })) {
      continue;
    }
    pages.assign(head.page_count, {});
    for (uint32_t i = 0; i < head.page_count; ++i) {
      if (!entries[i].empty()) pages[i] = stage(*page_with(entries[i]));
    }
    return true;
  }
  return false;
}

Ref<HashDirectory> Transaction::stage_hash(Ref<HashDirectory> live, const Writer::Filed& filed,
                                           const std::vector<HashChange>& changes) {
  if (changes.empty()) return live;
  HashDirectory head;
  head.page_count = 1;
  std::vector<Ref<HashPage>> pages(1);
  if (live.exists()) {
    const HashDirectory& directory = *live_.at(live);
    head = directory;
    pages.assign(directory.pages(), directory.pages() + directory.page_count);
    replaced_.push_back(live.offset);
  }
  for (const HashChange& change : changes) {
    head.entry_count += change.added ? 1u : ~0u;
  }
  if (!stage_pages(head, pages, changes) && !rebuild_pages(head, pages, filed, changes)) {
    full_ = true;
    return {};
  }
  return {stage(&head, sizeof head, pages.data(), pages.size() * sizeof(Ref<HashPage>))};
}

Commit Transaction::commit(uint64_t revision) {
  const Root* live = live_.root();
  Root root = live != nullptr ? *live : Root{};
  root.services = stage_directory(root.services, services_);
  root.pools = stage_directory(root.pools, pools_);
  root.servers = stage_directory(root.servers, servers_);
  root.addresses = stage_directory(root.addresses, addresses_);
  root.service_keys = stage_hash(root.service_keys, writer_.services_, service_keys_);
  root.address_keys = stage_hash(root.address_keys, writer_.addresses_, address_keys_);
  if (!full_ && live != nullptr && staged_.empty() && replaced_.empty() &&
      live->revision == revision && live->settings == settings_) {
    settle(live->generation);
    return Commit::unchanged;
  }
  root.layout = layout_hash();
  root.generation += 1;
  root.revision = revision;
  root.settings = settings_;
  const auto count = [](auto& counter, const auto& overlay, auto lives) {
    for (const auto& [slot, block] : overlay) {
      counter += (block.exists() ? 1u : 0u) - (lives(slot) != nullptr ? 1u : 0u);
    }
  };
  count(root.service_count, services_,
        [&](uint32_t slot) { return live_.service(ServiceId{slot}); });
  count(root.pool_count, pools_, [&](uint32_t slot) { return live_.pool(PoolId{slot}); });
  count(root.server_count, servers_, [&](uint32_t slot) { return live_.server(ServerId{slot}); });
  count(root.address_count, addresses_,
        [&](uint32_t slot) { return live_.address(AddressId{slot}); });
  const Ref<Root> staged = stage(root);
  if (full_) {
    abandon();
    return Commit::full;
  }
  if (live != nullptr) {
    replaced_.push_back(writer_.region_.header().root.load(std::memory_order_relaxed));
  }
  // The one store that publishes.
#if NEZU_MUTANT == 3  // tests prove that they would notice
  store_word(writer_.region_.header().root, staged.offset, std::memory_order_relaxed);
#else
  store_word(writer_.region_.header().root, staged.offset, std::memory_order_release);
#endif
  settle(root.generation);
  return Commit::published;
}

/// After publication: what the new root does not reach is retired, and the writer's own books agree
/// with it.
void Transaction::settle(uint64_t generation) {
  done_ = true;
  for (const uint64_t offset : replaced_) writer_.heap_.retire(offset, generation);
  for (const SharedChange& change : unshared_) {
    const auto found = change.blocks->find(change.fingerprint);
    if (--found->second.users == 0) {
      writer_.heap_.retire(found->second.offset, generation);
      change.blocks->erase(found);
    }
  }
  const auto file = [](Writer::Filed& filed, const std::vector<HashChange>& changes) {
    for (const HashChange& change : changes) {
      if (change.added) {
        filed[change.slot] = change.hash;
      } else {
        filed.erase(change.slot);
      }
    }
  };
  file(writer_.services_, service_keys_);
  file(writer_.addresses_, address_keys_);
}

void Transaction::abandon() {
  done_ = true;
  for (const SharedChange& change : shared_) {
    const auto found = change.blocks->find(change.fingerprint);
    if (--found->second.users == 0) change.blocks->erase(found);
  }
  for (const uint64_t offset : staged_) writer_.heap_.free_unpublished(offset);
}

}  // namespace nezu::tables
