#include <algorithm>
#include <cstring>

#include "dataplane/tables/shared_store.h"
#include "dataplane/tables/writer.h"

namespace nezu::tables {

Transaction::Transaction(Writer& writer)
    : writer_(writer), live_(writer.view()), prefixes_(writer.prefixes_) {
  writer.reclaim();
  if (!live_.is_ready()) return;
  settings_ = live_.settings();
  source_rules_ = live_.root()->source_rules;
  memberships_ = live_.root()->memberships;
  instance_access_ = live_.root()->instance_access;
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

Ref<AccessList> Transaction::stage_access(std::span<const uint8_t> block) {
  if (block.empty()) return {};
  return {share(writer_.access_lists_, net::load<uint64_t>(block.data()),
                [&] { return stage(block.data(), block.size(), nullptr, 0); })};
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
  if (service->access.exists()) {
    unshared_.push_back({&writer_.access_lists_, live_.at(service->access)->fingerprint});
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

void Transaction::put(const Service& wanted, std::span<const AddressId> snats, uint32_t ipv4_count,
                      std::span<const uint8_t> access) {
  Service service = wanted;
  const Service* live = live_.service(service.id);
  const size_t before = shared_.size();
  service.snats = stage_snats(snats, ipv4_count);
  service.access = stage_access(access);
  if (full_) return;
  if (live != nullptr && *live == service) {
    unshared_.insert(unshared_.end(), shared_.begin() + static_cast<ptrdiff_t>(before),
                     shared_.end());
    return;
  }
  const uint32_t slot = index(service.id);
  const bool was_filed = live != nullptr && is_filed(*live);
  if (was_filed && (!is_filed(service) || live->key != service.key)) {
    service_keys_.push_back({writer_.services_.at(slot), slot, false});
  }
  if (is_filed(service) && (!was_filed || live->key != service.key)) {
    service_keys_.push_back({hash_of(service.key, writer_.region_.header().hash_seed), slot, true});
  }
  if (live != nullptr) release_shared_of(live);
  replace(services_, slot, stage(service), live);
}

void Transaction::put(const Pool& wanted, std::span<const Member> members, const RingSource* ring,
                      const RingSource* sequence) {
  Pool pool = wanted;
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

void Transaction::put(const LocalAddress& wanted, std::span<const Rule> rules) {
  LocalAddress address = wanted;
  address.rule_count = static_cast<uint32_t>(rules.size());
  const LocalAddress* live = live_.address(address.id);
  if (live != nullptr && *live == address &&
      std::equal(rules.begin(), rules.end(), live->rules())) {
    return;
  }
  const uint32_t slot = index(address.id);
  const uint64_t hash = hash_of(address.instance, address.address,
                                writer_.region_.header().hash_seed, address.host_bits);
  if (live == nullptr || live->address != address.address || live->instance != address.instance ||
      live->host_bits != address.host_bits) {
    if (live != nullptr) address_keys_.push_back({writer_.addresses_.at(slot), slot, false});
    address_keys_.push_back({hash, slot, true});
  }
  if (live != nullptr) prefixes_.remove(*live);
  prefixes_.add(address);
  replace(addresses_, slot,
          Ref<LocalAddress>{stage(&address, sizeof address, rules.data(), rules.size_bytes())},
          live);
}

void Transaction::put(const Settings& settings) { settings_ = settings; }

void Transaction::remove(ServiceId id) {
  const Service* live = live_.service(id);
  if (live == nullptr) return;
  if (is_filed(*live)) {
    service_keys_.push_back({writer_.services_.at(index(id)), index(id), false});
  }
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
  prefixes_.remove(*live);
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
  root.source_rules = source_rules_;
  root.memberships = memberships_;
  root.instance_access = instance_access_;
  root.prefixes = prefixes_.lengths();
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
  for (const auto& [slot, block] : services_) {
    const Service* before = live_.service(ServiceId{slot});
    root.metered_count -= before != nullptr && before->traffic.exist() ? 1u : 0u;
    root.metered_count += block.exists() && live_.at(block)->traffic.exist() ? 1u : 0u;
  }
  const Ref<Root> staged = stage(root);
  if (full_) {
    abandon();
    return Commit::full;
  }
  if (live != nullptr) {
    replaced_.push_back(writer_.region_.header().root.load(std::memory_order_relaxed));
  }
  publish_word(writer_.region_.header().root, staged.offset);
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
  writer_.prefixes_ = prefixes_;
  writer_.heap_.show();
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
