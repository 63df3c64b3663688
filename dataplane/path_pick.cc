// The server that a client stays on; that it still sends. The servers that a destination stays on.
#include <algorithm>
#include <array>
#include <span>

#include "dataplane/path_explain.h"
#include "dataplane/path_open.h"
#include "dataplane/steer/persistence.h"

namespace nezu::path {
namespace {

using net::Reason;
using steer::Persistence;

steer::PersistentClient client_of(const tables::Persistence& kept, net::Instance instance,
                                  const net::Address& address) {
  const uint32_t host_bits = address.is_v4() ? kept.host_bits4 : kept.host_bits6;
  return {kept.scope, net::masked(address, host_bits), instance};
}

bool may_serve(const tables::Persistence& kept, const tables::Pool& pool,
               const tables::Member& member) {
  if (member.state == tables::ServerState::ready) {
    return member.weight != 0 || kept.keeps_draining != 0;
  }
  // With nobody else there, who drains serves all.
  return member.state == tables::ServerState::draining &&
         (kept.keeps_draining != 0 || pool.ready_count == 0);
}

/// The server itself, or (services of one mark may have it by other ports) one at its address.
const tables::Member* member_at(const tables::View& view, const tables::Pool& pool,
                                uint16_t server) {
  const tables::Server* wanted = view.server(tables::ServerId{server});
  if (wanted == nullptr) return nullptr;
  const net::Address& address = wanted->identity.address;
  const std::span members(pool.members(), pool.member_count);
  const auto first = std::lower_bound(
      members.begin(), members.end(), address,
      [](const tables::Member& one, const net::Address& at) { return one.address < at; });
  const tables::Member* found = nullptr;
  for (auto one = first; one != members.end() && one->address == address; ++one) {
    if (index(one->server) == server) return &*one;
    if (found == nullptr) found = &*one;
  }
  return found;
}

tables::ServerIdentity identity_of(const tables::View& view, const tables::Member& member) {
  const tables::Server* server = view.server(member.server);
  return server != nullptr ? server->identity : tables::ServerIdentity{};
}

}  // namespace

template <typename F>
const tables::Member* Opening::pick_again(net::Packet& packet, const typename F::Tuple& tuple,
                                          const tables::Service& service,
                                          const tables::Pool& pool) {
  Path::State& state = turn_->state;
  Persistence& table = *state.setup.persistence;
  const tables::Persistence& kept = service.persistence;
  const auto client = client_of(kept, tuple.instance, address_of(tuple.source));
  const uint64_t hash = table.hash(client);
  const auto of_table = [&](uint16_t server) {
    const tables::Member* member = member_at(turn_->view, pool, server);
    const bool good =
        member != nullptr && may_serve(kept, pool, *member) && !state.scheduling.is_full(*member);
    return good ? member : nullptr;
  };
  const uint16_t known = table.find(hash, turn_->tick);
  if (known != Persistence::kNobody) {
    if (const tables::Member* member = of_table(known)) {
      table.touch(hash, turn_->tick, turn_->tick, kept.timeout_s);
      return member;
    }
  }
  const tables::Member* chosen = choose<F>(packet, tuple, service, pool);
  if (chosen == nullptr) return nullptr;
  const auto server = static_cast<uint16_t>(index(chosen->server));
  const Persistence::Kept now = table.keep(client, hash, server, identity_of(turn_->view, *chosen),
                                           known, turn_->tick, kept.timeout_s);
  if (now.forgot) state.line.persistence_forgotten.add(1);
  if (now.server == server) return chosen;
  const tables::Member* theirs = of_table(now.server);
  return theirs != nullptr ? theirs : chosen;
}

namespace {

/// LVS's rules (lblc, lblcr): a destination is forgotten after a day without a new flow; who joined
/// its set leaves after six minutes.
constexpr uint32_t kLocalLife = 86400, kJoinedLife = 360;

/// The servers that a destination's flows go to.
class Locals {
 public:
  Locals(Turn& turn, const tables::Service& service, const tables::Pool& pool,
         const net::Address& destination)
      : turn_(turn), table_(*turn.state.setup.persistence) {
    const uint32_t most = pool.locality == tables::Locality::set ? tables::kLocalServers : 1;
    for (count_ = 0; count_ < most; ++count_) {
      One& one = all_[count_];
      one.who = {tables::scope_of_destination(service.identity, count_), destination,
                 service.key.instance};
      one.hash = table_.hash(one.who);
      one.known = table_.find(one.hash, turn.tick);
      const tables::Member* member = member_at(turn.view, pool, one.known);
      if (one.known != Persistence::kNobody && member != nullptr && serves(*member)) {
        one.member = member;
      }
    }
  }

  /// With the fewest flows for its weight; null: nobody serves it yet.
  const tables::Member* least() {
    const tables::Member* least = nullptr;
    for (const One& one : std::span(all_).first(count_)) {
      if (one.member == nullptr) continue;
      if (least == nullptr ||
          flows(*one.member) * least->weight < flows(*least) * one.member->weight) {
        least = one.member;
      }
    }
    return least;
  }
  /// It has more than its capacity while another has less than half of its own.
  bool must_move(const tables::Member& from, const tables::Member& to) {
    return flows(from) > from.weight && flows(to) * 2 < to.weight;
  }
  void keep() { table_.touch(all_[0].hash, turn_.tick, turn_.tick, kLocalLife); }
  /// It serves the destination from now on: alone, or beside others.
  void take(const tables::Member& member) {
    const auto server = static_cast<uint16_t>(index(member.server));
    uint32_t place = 0;
    while (place + 1 < count_ && all_[place].member != nullptr) ++place;
    const Persistence::Kept kept =
        table_.keep(all_[place].who, all_[place].hash, server, identity_of(turn_.view, member),
                    all_[place].known, turn_.tick, place == 0 ? kLocalLife : kJoinedLife);
    if (kept.forgot) turn_.state.line.persistence_forgotten.add(1);
  }

 private:
  struct One {
    steer::PersistentClient who;
    uint64_t hash = 0;
    uint16_t known = Persistence::kNobody;
    const tables::Member* member = nullptr;
  };
  uint64_t flows(const tables::Member& member) const {
    return turn_.state.scheduling.flows_of(member);
  }
  bool serves(const tables::Member& member) {
    return member.state == tables::ServerState::ready && member.weight != 0 &&
           !turn_.state.scheduling.is_full(member);
  }

  Turn& turn_;
  Persistence& table_;
  std::array<One, tables::kLocalServers> all_;
  uint32_t count_ = 0;
};

}  // namespace

template <typename F>
const tables::Member* Opening::pick_near(const typename F::Tuple& tuple,
                                         const tables::Service& service, const tables::Pool& pool) {
  Locals locals(*turn_, service, pool, address_of(tuple.destination));
  const tables::Member* known = locals.least();
  const tables::Member* chosen =
      turn_->state.scheduling.pick(turn_->view, service, pool, admit::Client{});
  if (known != nullptr && (chosen == nullptr || !locals.must_move(*known, *chosen))) {
    locals.keep();
    return known;
  }
  if (chosen != nullptr) locals.take(*chosen);
  return chosen;
}

/// Beside those who ask: of whom they do.
uint16_t lend_clients(Turn& turn, const steer::Persistence& live, const tables::Service& service,
                      net::Instance instance, const net::Address& source,
                      const net::Address& destination) {
  const auto lend = [&](const steer::PersistentClient& who) {
    const uint64_t hash = live.hash(who);
    const uint16_t server = live.find(hash, turn.tick);
    if (server != Persistence::kNobody) {
      turn.state.setup.persistence->keep(who, hash, server, {}, Persistence::kNobody, turn.tick,
                                         kLocalLife);
    }
    return server;
  };
  const tables::Pool* pool = turn.view.pool(service.pool);
  if (pool != nullptr && pool->locality != tables::Locality::none) {
    for (uint32_t place = 0; place < tables::kLocalServers; ++place) {
      lend({tables::scope_of_destination(service.identity, place), destination,
            service.key.instance});
    }
  }
  if (!service.persistence.exists()) return Persistence::kNobody;
  return lend(client_of(service.persistence, instance, source));
}

namespace {

constexpr uint32_t kWalkTicks = 16 * net::kTicksPerSecond;
constexpr uint32_t kWalkPerTurn = 256;

template <typename Entry>
void tell_present(Persistence& table, const tables::View& view, const Entry& entry, net::Tick now) {
  const tables::Service* service = view.service(tables::ServiceId{entry.track.service});
  if (service == nullptr || !service->persistence.exists()) return;
  const auto client =
      client_of(service->persistence, entry.to_server.instance, address_of(entry.to_server.source));
  table.touch(table.hash(client), now, entry.track.deadline - entry.track.timeout,
              service->persistence.timeout_s);
}

}  // namespace

/// A flow that goes on keeps its client known: nothing of that is written per packet.
void keep_present(Path::State& state, const tables::View& view, net::Tick now) {
  Persistence* table = state.setup.persistence;
  if (table == nullptr || table->count() == 0 || !view.is_ready()) return;
  Presence& presence = state.presence;
  const flow::Table& flows = state.flows;
  const uint64_t all = uint64_t{flows.capacity(false)} + flows.capacity(true);
  if (const uint32_t passed = now - presence.since; passed != 0) {
    presence.since = now;
    presence.owed = static_cast<uint32_t>(
        std::min(all, presence.owed + all * std::min(passed, kWalkTicks) / kWalkTicks + 1));
  }
  const uint32_t slice = std::min(presence.owed, kWalkPerTurn);
  if (slice == 0) return;
  presence.owed -= slice;
  if (!presence.sweep.running()) presence.sweep.begin();
  presence.sweep.slice(flows, slice, [&](flow::FlowId id) {
    id.wide() ? tell_present(*table, view, flows.wide(id), now)
              : tell_present(*table, view, flows.narrow(id), now);
    return true;
  });
}

template const tables::Member* Opening::pick_near<V4>(const net::Tuple4&, const tables::Service&,
                                                      const tables::Pool&);
template const tables::Member* Opening::pick_near<V6>(const net::Tuple6&, const tables::Service&,
                                                      const tables::Pool&);
template const tables::Member* Opening::pick_again<V4>(net::Packet&, const net::Tuple4&,
                                                       const tables::Service&, const tables::Pool&);
template const tables::Member* Opening::pick_again<V6>(net::Packet&, const net::Tuple6&,
                                                       const tables::Service&, const tables::Pool&);

}  // namespace nezu::path
