// One worker's flows: entries by number, found by either tuple, hung into timing wheels.
//
// Only its worker touches it. Memory comes from outside, all at once (flow/file.h, or a test's),
// and nothing is allocated after construction. Entries are authoritative; buckets, links and wheels
// are built from them (flow/rebuild.h). The table knows nothing of services, ports or counters:
// whoever erases a flow releases what it holds elsewhere first.
//
// When it is full the caller recycles: `oldest` closed, then embryonic; never a live one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/flow/bucket.h"
#include "dataplane/flow/entry.h"
#include "dataplane/flow/relay.h"
#include "dataplane/flow/splice.h"
#include "dataplane/flow/wheel.h"
#include "dataplane/net/hash.h"

namespace nezu::flow {

struct Capacity {
  uint32_t narrow = 1 << 20;  ///< IPv4 flows
  uint32_t wide = 1 << 18;    ///< all others, also those of two families
  uint32_t splices = 0;       ///< of both: TCP flows whose lengths change (flow/splice.h)
  bool operator==(const Capacity&) const = default;
};

/// Where everything lies in a table's memory.
struct Extent {
  explicit Extent(Capacity capacity);
  size_t narrow = 0, wide = 0, links = 0, free = 0, buckets = 0, splices = 0,
         relays = 0;  ///< offsets
  uint32_t bucket_count = 0;
  size_t bytes = 0;
};

class Table {
 public:
  /// `memory`: at least Extent(capacity).bytes, aligned to 64; entries in it that are not valid are
  /// free. Valid ones are not known until `adopt` (flow/rebuild.h), or are `retract`ed.
  Table(std::span<std::byte> memory, Capacity capacity, const net::FlowHash& hash, net::Tick now);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // --- looking up -----------------------------------------------------------------------------
  /// The flow of every undecided packet of a burst that has a tuple of its own, or an inner one:
  /// sets `hash`, and `flow` to what was found or kNoFlow. An ICMP error belongs to the tuple that
  /// mirrors its inner one.
  void find(net::Burst& burst) const {
    ask(burst, 0, burst.count);
    guess(burst, 0, burst.count);
    confirm(burst);
  }
  /// The same in three steps over packets from `from` to before `to`, so that other work can be
  /// done while memory answers: `ask` sets the hash and asks for its bucket, `guess` asks for the
  /// entry that the bucket points at, `confirm` compares keys. Packets that found no flow.
  void ask(net::Burst& burst, uint32_t from, uint32_t to) const;
  void guess(net::Burst& burst, uint32_t from, uint32_t to) const;
  uint32_t confirm(net::Burst& burst) const;
  /// A Tuple6 may be the IPv4 side of a mixed flow (flow/entry.h).
  FlowId find(const net::Tuple4& tuple) const { return find(tuple, hash_of(tuple)); }
  FlowId find(const net::Tuple6& tuple) const { return find(tuple, hash_of(tuple)); }
  FlowId find(const net::Tuple4& tuple, uint64_t hash) const;
  FlowId find(const net::Tuple6& tuple, uint64_t hash) const;

  Entry4& narrow(FlowId id) { return narrow_[id.entry()]; }
  const Entry4& narrow(FlowId id) const { return narrow_[id.entry()]; }
  Entry6& wide(FlowId id) { return wide_[id.entry()]; }
  const Entry6& wide(FlowId id) const { return wide_[id.entry()]; }
  Track& track(FlowId id) {
    return id.wide() ? wide_[id.entry()].track : narrow_[id.entry()].track;
  }
  const Track& track(FlowId id) const {
    return id.wide() ? wide_[id.entry()].track : narrow_[id.entry()].track;
  }
  void prefetch(FlowId id) const {
    if (id.wide()) {
      __builtin_prefetch(&wide_[id.entry()]);
      __builtin_prefetch(reinterpret_cast<const char*>(&wide_[id.entry()]) + 64);
    } else {
      __builtin_prefetch(&narrow_[id.entry()]);
    }
  }

  // --- changing -------------------------------------------------------------------------------
  struct Inserted {
    FlowId id;  ///< towards the server; exists() only if it worked
    /// flow_table_full; flow_bucket_full: no cell; answers_ambiguous: the answers' tuple is another
    /// flow's (of a mode in which answers come through us; else they are not filed).
    net::Reason reason = net::Reason::none;
    FlowId other;  ///< answers_ambiguous: that flow, towards the server
  };
  /// `to_server` may not be there already. `track.stage` and `track.deadline` say where it hangs.
  Inserted insert(const net::Tuple4& to_server, const Half4& to_client, const Track& track);
  Inserted insert(const net::Tuple6& to_server, const Half6& to_client, const Track& track);
  /// The same when both hashes are known.
  Inserted insert(const net::Tuple4& to_server, uint64_t there, const Half4& to_client,
                  uint64_t back, const Track& track);
  Inserted insert(const net::Tuple6& to_server, uint64_t there, const Half6& to_client,
                  uint64_t back, const Track& track);
  /// Asks for what inserting a flow will touch, `waiting` others being inserted before it.
  void prefetch_for_insert(bool wide, uint64_t back, uint32_t waiting) const;
  /// A flow with the hashes of its keys, by which it is erased.
  struct Leaving {
    FlowId id;
    uint64_t there = 0, back = 0;
  };
  Leaving leaving(FlowId id) const;
  /// Asks for the lines that `erase` will need.
  void prefetch(const Leaving& flow) const;
  void erase(const Leaving& flow);
  void erase(FlowId id) { erase(leaving(id)); }
  /// The entry's stage and the wheel that it hangs in; its deadline is set already.
  void move(FlowId id, Stage stage);

  // --- time and fullness -------------------------------------------------------------------------
  /// Some may be; else `expired` finds none.
  bool has_due(net::Tick now) const;
  /// Flows that are idle beyond their deadline, at most 256 of each wheel looked at; they stay in
  /// the table and must be erased by the caller now.
  uint32_t expired(net::Tick now, std::span<FlowId> out);
  /// About the one that would expire first; the caller may erase it.
  FlowId oldest(bool wide, Stage stage);
  /// Up to `out.size()` of those that would expire first, oldest first, asked for from memory.
  uint32_t oldest(bool wide, Stage stage, std::span<FlowId> out);

  // --- rebuilding -------------------------------------------------------------------------------
  /// A valid entry that the table does not know yet: files it. False: its keys are taken or find no
  /// place; it has been freed.
  bool adopt(FlowId id);
  /// Frees a valid entry that is not to be adopted.
  void discard(FlowId id);

  uint32_t capacity(bool wide) const { return wide ? capacity_.wide : capacity_.narrow; }
  uint32_t count(bool wide) const { return pools_[wide].used; }
  uint32_t count(bool wide, Stage stage) const {
    return pools_[wide].stages[static_cast<size_t>(stage)];
  }
  /// Of this worker; the table only holds their memory.
  std::span<Relay> relay_memory() const { return {relays_, kRelays}; }
  const net::FlowHash& hash() const { return hash_; }
  /// Under which a key is filed.
  uint64_t hash_of(const net::Tuple4& tuple) const { return hash_(tuple); }
  uint64_t hash_of(const net::Tuple6& tuple) const {
    if (is_mapped(tuple.source)) [[unlikely]]
      return hash_(unmapped(tuple));
    return hash_(tuple);
  }

  /// Their memory lies behind the table's own; what is in it is not the table's business.
  std::span<Splice> splices() const { return splices_; }

  /// Looks at everything; for tests: what does not fit together, or nothing.
  const char* audit() const;

 private:
  /// What narrow and wide entries have one of each.
  struct Pool {
    Links* links = nullptr;    ///< by entry, then the wheels' sentinels
    uint32_t* free = nullptr;  ///< stack of free entries, `capacity - used` of them
    uint32_t used = 0;
    std::array<uint32_t, kStageCount> stages{};
    std::array<Wheel, kStageCount> wheels;
  };

  template <typename Entry>
  Entry* entries();
  template <typename Entry>
  const Entry* entries() const;
  template <typename Entry, typename Tuple>
  FlowId find_in(const Tuple& tuple, uint64_t hash) const;
  template <typename Entry, typename Tuple>
  FlowId match(const Bucket& bucket, uint16_t tag, const Tuple& tuple) const;
  template <typename Entry, typename Tuple, typename Half>
  Inserted insert_in(const Tuple& to_server, uint64_t there, const Half& to_client, uint64_t back,
                     const Track& track);
  template <typename Entry>
  bool adopt_in(FlowId id);
  bool file(FlowId id, uint64_t to_server, uint64_t to_client, bool both);
  void hang(FlowId id, const Track& track);
  void free_entry(FlowId id);
  template <typename Entry>
  void build_pool(Pool& pool, Links* links, uint32_t* free, uint32_t capacity, net::Tick now);

  Capacity capacity_;
  const net::FlowHash hash_;
  Entry4* narrow_;
  Entry6* wide_;
  Relay* relays_;
  Buckets buckets_;
  std::span<Splice> splices_;
  std::array<Pool, 2> pools_;  ///< by FlowId::wide()
};

}  // namespace nezu::flow
