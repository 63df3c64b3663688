#include "dataplane/steer/steering.h"

#include <algorithm>

#include "dataplane/net/endian.h"

namespace nezu::steer {

net::ToeplitzKey default_key() {
  return {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
          0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
          0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
}

Steering::Steering(uint16_t workers, uint64_t seed, const net::ToeplitzKey& key)
    : workers_(workers), shard_hash_(key), flow_hash_(seed) {
  for (uint32_t shard = 0; shard < tables::kShardCount; ++shard) {
    owners_[shard] = static_cast<uint16_t>(shard % workers);
  }
}

uint32_t Steering::shards_of(uint16_t worker) const {
  return static_cast<uint32_t>(std::count(owners_.begin(), owners_.end(), worker));
}

template <typename Tuple>
Place Steering::place_in(const Tuple& tuple, const Whose& whose) const {
  using flow::Direction;
  const tables::LocalAddress* local = whose.local;
  const uint16_t port = net::swap16(tuple.destination_port);
  const auto by_client = [&](Direction direction) -> Place {
    return direction == Direction::to_server
               ? Place{direction, shard_hash_(tuple.source, tuple.source_port), local}
               : Place{direction, shard_hash_(tuple.destination, tuple.destination_port), local};
  };
  const bool has_port = net::has_ports(tuple.protocol) || net::is_icmp(tuple.protocol);
  const tables::LocalAddress* prefix = whose.prefix;
  const bool is_portless = !has_port && ((local != nullptr && local->portless != 0) ||
                                         (prefix != nullptr && prefix->portless != 0));
  if (local == nullptr) {
    const bool to_server =
        prefix != nullptr && (prefix->by_side == 0 || whose.side == net::Side::clients);
    if (to_server && is_portless) return {Direction::to_server, tables::kPortlessShard, local};
    return by_client(to_server ? Direction::to_server : Direction::to_client);
  }
  if (local->kind == tables::AddressKind::snat) {
    if (port >= tables::kSnatFirstPort) {
      return {Direction::to_client, static_cast<uint8_t>(tables::shard_of_snat_port(port)), local};
    }
    if (!has_port) return {Direction::to_client, tables::kPortlessShard, local};
    return by_client(Direction::to_client);
  }
  if (is_portless) return {Direction::to_server, tables::kPortlessShard, local};
  return by_client(Direction::to_server);
}

Place Steering::place(const net::Tuple4& tuple, const Whose& whose, const tables::Settings&) const {
  return place_in(tuple, whose);
}
Place Steering::place(const net::Tuple6& tuple, const Whose& whose,
                      const tables::Settings& settings) const {
  Place place = place_in(tuple, whose);
  if (whose.local != nullptr || place.direction == flow::Direction::to_server) return place;
  for (const net::EmbeddingPrefix& prefix : settings.client_prefixes) {
    if (!prefix.exists()) break;
    if (!net::embeds(prefix, tuple.destination)) continue;
    place.shard =
        shard_hash_(net::extracted(prefix.length, tuple.destination), tuple.destination_port);
    break;
  }
  return place;
}
Place Steering::place(const net::Tuple4& tuple, const tables::View& view, net::Side side) const {
  const tables::Match match =
      tables::match(view, tuple.instance, net::Address::v4_raw(tuple.destination), tuple.protocol,
                    net::swap16(tuple.destination_port), {});
  return place_in(tuple, {match.local, match.prefix, side});
}
Place Steering::place(const net::Tuple6& tuple, const tables::View& view, net::Side side) const {
  const tables::Match match =
      tables::match(view, tuple.instance, net::Address::v6(tuple.destination.data()),
                    tuple.protocol, net::swap16(tuple.destination_port), {});
  const Whose whose{match.local, match.prefix, side};
  return view.is_ready() ? place(tuple, whose, view.settings()) : place_in(tuple, whose);
}

}  // namespace nezu::steer
