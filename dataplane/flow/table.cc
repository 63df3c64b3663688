#include "dataplane/flow/table.h"

#include <algorithm>
#include <cassert>

namespace nezu::flow {
namespace {

constexpr size_t kLine = 64;
constexpr uint32_t kSentinels = Wheel::kSlots * static_cast<uint32_t>(kStageCount);

/// Answers that never come need no key.
bool has_both_keys(const Track& track) { return !tables::is_one_way(track.mode); }

constexpr size_t rounded(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

}  // namespace

Extent::Extent(Capacity capacity) {
  wide = narrow + capacity.narrow * sizeof(Entry4);
  links = wide + capacity.wide * sizeof(Entry6);
  const size_t nodes = size_t{capacity.narrow} + capacity.wide + 2 * kSentinels;
  free = links + rounded(nodes * sizeof(Links));
  buckets = free + rounded((size_t{capacity.narrow} + capacity.wide) * sizeof(uint32_t));
  bucket_count = Buckets::count_for(uint64_t{capacity.narrow} + capacity.wide);
  splices = buckets + bucket_count * sizeof(Bucket);
  relays = splices + rounded(capacity.splices * sizeof(Splice));
  bytes = relays + rounded(kRelays * sizeof(Relay));
}

template <>
Entry4* Table::entries<Entry4>() {
  return narrow_;
}
template <>
Entry6* Table::entries<Entry6>() {
  return wide_;
}

Table::Table(std::span<std::byte> memory, Capacity capacity, const net::FlowHash& hash,
             net::Tick now)
    : capacity_(capacity), hash_(hash) {
  const Extent extent(capacity);
  assert(memory.size() >= extent.bytes);
  std::byte* base = memory.data();
  narrow_ = reinterpret_cast<Entry4*>(base + extent.narrow);
  wide_ = reinterpret_cast<Entry6*>(base + extent.wide);
  relays_ = reinterpret_cast<Relay*>(base + extent.relays);
  buckets_ = Buckets(reinterpret_cast<Bucket*>(base + extent.buckets), extent.bucket_count);
  buckets_.clear();
  splices_ = {reinterpret_cast<Splice*>(base + extent.splices), capacity.splices};
  auto* links = reinterpret_cast<Links*>(base + extent.links);
  auto* free = reinterpret_cast<uint32_t*>(base + extent.free);
  build_pool<Entry4>(pools_[0], links, free, capacity.narrow, now);
  build_pool<Entry6>(pools_[1], links + capacity.narrow + kSentinels, free + capacity.narrow,
                     capacity.wide, now);
}

template <typename Entry>
void Table::build_pool(Pool& pool, Links* links, uint32_t* free, uint32_t capacity, net::Tick now) {
  pool.links = links;
  pool.free = free;
  pool.used = capacity;
  for (uint32_t stage = 0; stage < kStageCount; ++stage) {
    pool.wheels[stage] = Wheel(links, capacity + stage * Wheel::kSlots, now);
  }
  const Entry* all = entries<Entry>();
  for (uint32_t i = capacity; i-- > 0;) {
    if (all[i].track.valid == 0) pool.free[capacity - pool.used--] = i;
  }
}

// --- changing -----------------------------------------------------------------------------------

bool Table::file(FlowId id, uint64_t to_server, uint64_t to_client, bool both) {
  const uint32_t there = id.towards(Direction::to_server).word();
  if (!buckets_.insert(to_server, there)) return false;
  if (!both) return true;
  if (buckets_.insert(to_client, id.towards(Direction::to_client).word())) return true;
  buckets_.erase(to_server, there);
  return false;
}

void Table::hang(FlowId id, const Track& track) {
  Pool& pool = pools_[id.wide()];
  const auto stage = static_cast<size_t>(track.stage);
  pool.wheels[stage].link(id.entry(), track.deadline);
  ++pool.stages[stage];
}

void Table::free_entry(FlowId id) {
  Pool& pool = pools_[id.wide()];
  pool.free[capacity(id.wide()) - pool.used--] = id.entry();
}

template <typename Entry, typename Tuple, typename Half>
Table::Inserted Table::insert_in(const Tuple& to_server, uint64_t there, const Half& to_client,
                                 uint64_t back, const Track& track) {
  constexpr bool kWide = std::is_same_v<Entry, Entry6>;
  Pool& pool = pools_[kWide];
  if (pool.used == capacity(kWide)) return {FlowId(), net::Reason::flow_table_full, FlowId()};
  const FlowId id(kWide, pool.free[capacity(kWide) - pool.used - 1], Direction::to_server);
  Entry& entry = entries<Entry>()[id.entry()];
  entry.to_server = to_server;
  entry.to_client = to_client;
  entry.track = track;
  entry.track.valid = 0;
  const bool both = has_both_keys(track);
  // With `nat` a client may use one port towards two VIPs of the same server.
  if (both && buckets_.may_hold(back)) {
    const FlowId other = find(tuple_to_client(entry), back);
    if (other.exists()) {
      return {FlowId(), net::Reason::answers_ambiguous, other.towards(Direction::to_server)};
    }
  }
  if (!file(id, there, back, both)) return {FlowId(), net::Reason::flow_bucket_full, FlowId()};
  ++pool.used;
  hang(id, track);
  entry.track.publish();
  return {id, net::Reason::none, FlowId()};
}

Table::Inserted Table::insert(const net::Tuple4& to_server, const Half4& to_client,
                              const Track& track) {
  return insert(to_server, hash_of(to_server), to_client,
                hash_of(tuple_to_client(to_server, to_client)), track);
}
Table::Inserted Table::insert(const net::Tuple6& to_server, const Half6& to_client,
                              const Track& track) {
  return insert(to_server, hash_of(to_server), to_client,
                hash_of(tuple_to_client(to_server, to_client)), track);
}
Table::Inserted Table::insert(const net::Tuple4& to_server, uint64_t there, const Half4& to_client,
                              uint64_t back, const Track& track) {
  return insert_in<Entry4>(to_server, there, to_client, back, track);
}
Table::Inserted Table::insert(const net::Tuple6& to_server, uint64_t there, const Half6& to_client,
                              uint64_t back, const Track& track) {
  return insert_in<Entry6>(to_server, there, to_client, back, track);
}

void Table::prefetch_for_insert(bool wide, uint64_t back, uint32_t waiting) const {
  buckets_.prefetch(back);
  const Pool& pool = pools_[wide];
  const uint32_t left = capacity(wide) - pool.used;
  if (waiting >= left) return;
  const uint32_t entry = pool.free[left - 1 - waiting];
  prefetch(FlowId(wide, entry, Direction::to_server));
  __builtin_prefetch(&pool.links[entry]);
}

Table::Leaving Table::leaving(FlowId id) const {
  const auto keys = [this, id](const auto& entry) {
    return Leaving{id, hash_of(entry.to_server), hash_of(tuple_to_client(entry))};
  };
  return id.wide() ? keys(wide(id)) : keys(narrow(id));
}

void Table::prefetch(const Leaving& flow) const {
  buckets_.prefetch(flow.there);
  buckets_.prefetch(flow.back);
  __builtin_prefetch(&pools_[flow.id.wide()].links[flow.id.entry()]);
}

void Table::erase(const Leaving& flow) {
  const FlowId id = flow.id;
  Track& at = track(id);
  at.retract();
  buckets_.erase(flow.there, id.towards(Direction::to_server).word());
  if (has_both_keys(at)) buckets_.erase(flow.back, id.towards(Direction::to_client).word());
  Pool& pool = pools_[id.wide()];
  const auto stage = static_cast<size_t>(at.stage);
  pool.wheels[stage].unlink(id.entry());
  --pool.stages[stage];
  free_entry(id);
}

void Table::move(FlowId id, Stage stage) {
  Track& at = track(id);
  Pool& pool = pools_[id.wide()];
  const auto from = static_cast<size_t>(at.stage), to = static_cast<size_t>(stage);
  pool.wheels[from].unlink(id.entry());
  pool.wheels[to].link(id.entry(), at.deadline);
  --pool.stages[from];
  ++pool.stages[to];
  at.stage = stage;
}

// --- time and fullness --------------------------------------------------------------------------

bool Table::has_due(net::Tick now) const {
  const auto is_due = [now](const Wheel& wheel) { return wheel.has_due(now); };
  return std::any_of(pools_[0].wheels.begin(), pools_[0].wheels.end(), is_due) ||
         std::any_of(pools_[1].wheels.begin(), pools_[1].wheels.end(), is_due);
}

uint32_t Table::expired(net::Tick now, std::span<FlowId> out) {
  constexpr uint32_t kBatch = 256;
  std::array<uint32_t, kBatch> nodes;  // NOLINT: filled up to what `due` returns
  uint32_t count = 0;
  for (const bool wide : {false, true}) {
    Links* links = pools_[wide].links;
    for (Wheel& wheel : pools_[wide].wheels) {
      if (!wheel.has_due(now)) continue;
      const size_t room = std::min<size_t>(kBatch, out.size() - count);
      const uint32_t found = wheel.due(now, std::span(nodes).first(room));
      for (uint32_t i = 0; i < found; ++i) prefetch(FlowId(wide, nodes[i], Direction::to_server));
      for (uint32_t i = 0; i < found; ++i) {
        const FlowId id(wide, nodes[i], Direction::to_server);
        const net::Tick deadline = track(id).deadline;
        if (!net::has_passed(deadline, now)) {
          wheel.link(nodes[i], deadline);
          continue;
        }
        // Hangs by itself: `erase` takes it down from wherever it hangs.
        links[nodes[i]] = {nodes[i], nodes[i]};
        out[count++] = id;
      }
    }
  }
  return count;
}

FlowId Table::oldest(bool wide, Stage stage) {
  const uint32_t node = pools_[wide].wheels[static_cast<size_t>(stage)].oldest();
  return node == Wheel::kNone ? FlowId() : FlowId(wide, node, Direction::to_server);
}

uint32_t Table::oldest(bool wide, Stage stage, std::span<FlowId> out) {
  constexpr size_t kBatch = 256;
  std::array<uint32_t, kBatch> nodes;  // NOLINT: filled up to `count`
  const uint32_t count = pools_[wide].wheels[static_cast<size_t>(stage)].oldest(
      std::span(nodes).first(std::min(kBatch, out.size())));
  for (uint32_t i = 0; i < count; ++i) {
    out[i] = FlowId(wide, nodes[i], Direction::to_server);
    prefetch(out[i]);
  }
  return count;
}

// --- rebuilding ---------------------------------------------------------------------------------

template <typename Entry>
bool Table::adopt_in(FlowId id) {
  Entry& entry = entries<Entry>()[id.entry()];
  const auto to_client = tuple_to_client(entry);
  const uint64_t there = hash_of(entry.to_server), back = hash_of(to_client);
  const bool both = has_both_keys(entry.track);
  if (find(entry.to_server, there).exists() || (both && find(to_client, back).exists()) ||
      !file(id, there, back, both)) {
    discard(id);
    return false;
  }
  hang(id, entry.track);
  return true;
}

bool Table::adopt(FlowId id) { return id.wide() ? adopt_in<Entry6>(id) : adopt_in<Entry4>(id); }

void Table::discard(FlowId id) {
  track(id).retract();
  free_entry(id);
}

// --- for tests ----------------------------------------------------------------------------------

const char* Table::audit() const {
  uint64_t expected = 0;
  for (const bool wide : {false, true}) {
    const Pool& pool = pools_[wide];
    uint32_t valid = 0, unused = 0;
    std::array<uint32_t, kStageCount> stages{};
    for (uint32_t i = 0; i < capacity(wide); ++i) {
      const FlowId id(wide, i, Direction::to_server);
      const Track& at = track(id);
      if (at.valid == 0) continue;
      ++valid;
      ++stages[static_cast<size_t>(at.stage)];
      const bool both = has_both_keys(at);
      expected += both ? 2 : 1;
      const FlowId there = wide ? find(this->wide(id).to_server) : find(narrow(id).to_server);
      const FlowId back =
          wide ? find(tuple_to_client(this->wide(id))) : find(tuple_to_client(narrow(id)));
      if (there != id) return "a valid entry is not found by the tuple of its client";
      if (both && back != id.towards(Direction::to_client)) return "... of its server";
      const Links& links = pool.links[i];
      if (pool.links[links.next].previous != i || pool.links[links.previous].next != i) {
        return "a valid entry hangs in no wheel";
      }
    }
    for (; unused < capacity(wide) - pool.used; ++unused) {
      const FlowId id(wide, pool.free[unused], Direction::to_server);
      if (track(id).valid != 0) return "a free entry is valid";
    }
    if (valid != pool.used) return "the number of flows is wrong";
    if (stages != pool.stages) return "the numbers of the stages are wrong";
    if (valid + unused != capacity(wide)) return "an entry is neither valid nor free";
  }
  uint64_t keys = 0;
  for (uint32_t i = 0; i < buckets_.count(); ++i) {
    keys += Bucket::kCells - static_cast<uint32_t>(__builtin_popcount(buckets_[i].vacant()));
  }
  return keys == expected ? nullptr : "keys of no flow";
}

}  // namespace nezu::flow
