// The server that a client stays on; that it still sends.
#include <algorithm>

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

template const tables::Member* Opening::pick_again<V4>(net::Packet&, const net::Tuple4&,
                                                       const tables::Service&, const tables::Pool&);
template const tables::Member* Opening::pick_again<V6>(net::Packet&, const net::Tuple6&,
                                                       const tables::Service&, const tables::Pool&);

}  // namespace nezu::path
