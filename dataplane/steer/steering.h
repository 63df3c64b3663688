// Whose packet is this: direction, shard and owner of a packet that the receiver's own table does
// not know.
//
// One object for all workers, constant after construction. A flow's shard comes from its client
// alone (address and port), whichever side the packet is from, so that both directions meet at one
// owner without any shared memory. Server addresses never enter the rule: draining or removing a
// server changes no owner. Where any destination may be a service's (`redirect`), the side of the
// port tells client and server apart.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/entry.h"
#include "dataplane/net/hash.h"
#include "dataplane/net/packet.h"
#include "dataplane/tables/match.h"

namespace nezu::steer {

/// Microsoft's example key, which NICs ship with: flows in files and on peers were sharded by it.
net::ToeplitzKey default_key();

/// What the rule says about a packet.
struct Place {
  flow::Direction direction = flow::Direction::to_server;
  uint8_t shard = 0;
  /// The destination, when it is an address of ours; null: somebody else's.
  const tables::LocalAddress* local = nullptr;
};

/// Whose the destination is, and by which side the packet came in.
struct Whose {
  const tables::LocalAddress* local = nullptr;   ///< ours; null: somebody else's
  const tables::LocalAddress* prefix = nullptr;  ///< as in tables::Match
  net::Side side = net::Side::unknown;
};

class Steering {
 public:
  /// `seed`: of the flow hash; another one at each start.
  Steering(uint16_t workers, uint64_t seed, const net::ToeplitzKey& key = default_key());

  /// The tuple as it stands in the packet; for ICMP errors the mirrored inner one.
  Place place(const net::Tuple4& tuple, const tables::View& view,
              net::Side side = net::Side::unknown) const;
  Place place(const net::Tuple6& tuple, const tables::View& view,
              net::Side side = net::Side::unknown) const;
  /// The same when it is known whose the destination is. An IPv4 client that IPv6 servers see
  /// inside a prefix of the settings (RFC 6052) is the IPv4 client.
  Place place(const net::Tuple4& tuple, const Whose& whose, const tables::Settings&) const;
  Place place(const net::Tuple6& tuple, const Whose& whose, const tables::Settings& settings) const;

  uint16_t owner(uint8_t shard) const { return owners_[shard]; }
  uint16_t workers() const { return workers_; }
  /// How many shards are that worker's.
  uint32_t shards_of(uint16_t worker) const;
  const net::FlowHash& flow_hash() const { return flow_hash_; }
  const net::ShardHash& shard_hash() const { return shard_hash_; }

 private:
  template <typename Tuple>
  Place place_in(const Tuple& tuple, const Whose& whose) const;

  uint16_t workers_;
  std::array<uint16_t, tables::kShardCount> owners_;
  net::ShardHash shard_hash_;
  net::FlowHash flow_hash_;
};

}  // namespace nezu::steer
