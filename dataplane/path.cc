#include "dataplane/path.h"

#include "dataplane/path_open.h"
#include "dataplane/path_stages.h"
#include "dataplane/steer/calls.h"
#include "dataplane/tables/region.h"

namespace nezu::path {
namespace {

/// This worker's, then all others'.
std::vector<const tables::ServerCounters*> gauges_of(const Setup& setup) {
  std::vector<const tables::ServerCounters*> gauges{setup.servers};
  gauges.insert(gauges.end(), setup.other_servers.begin(), setup.other_servers.end());
  return gauges;
}

}  // namespace

Path::State::State(const Setup& given)
    : setup(given),
      flows(*given.flows),
      steering(*given.steering),
      strangers(given.steering->workers()),
      line(*given.line),
      scheduling(given.sizes, given.worker, given.steering->workers(), gauges_of(given)),
      ports(given.snat_lines),
      splices(given.flows->splices()),
      relays(given.flows->relay_memory()),
      ways(given.sizes.servers),
      sender_hops(std::make_unique<route::NextHop[]>(flow::kRelays)),
      opening(std::make_unique<Opening>()),
      counted(*given.flows) {
  ending.swept_for = std::make_unique<net::Instant[]>(given.sizes.servers);
  // Workers announce the ports of other shards than their own, too: each begins elsewhere.
  active_ports.fill(static_cast<uint8_t>(given.worker * 37 % tables::kSnatSlicePorts));
}
Path::State::~State() = default;

Path::Path(const Setup& setup) : state_(std::make_unique<State>(setup)) {}
Path::~Path() = default;

void Path::run(net::Burst& burst, const tables::View& view, const route::Routes& routes,
               net::Instant now, From from) {
  state_->turn_at = now;
  Turn turn(*state_, burst, view, routes, now);
  turn.is_own = from == From::ourselves;
  turn.is_metered = from != From::others;
  run_stages(turn, [](int) {});
}

void Path::receive(net::Burst& burst, const tables::View& view, const route::Routes& routes,
                   net::Instant now) {
  uint64_t bytes = 0;
  for (const net::Packet& packet : burst.all()) bytes += packet.length;
  state_->line.received.add(burst.count);
  state_->line.received_bytes.add(bytes);
  run(burst, view, routes, now);
}

void Path::take(net::Burst& burst, const tables::View& view, const route::Routes& routes,
                net::Instant now) {
  for (net::Packet& packet : burst.all()) packet.handed_over = true;
  state_->line.taken_over.add(burst.count);
  run(burst, view, routes, now);
}

void Path::resume(net::Burst& burst, const tables::View& view, const route::Routes& routes,
                  net::Instant now) {
  for (net::Packet& packet : burst.all()) packet.handed_over = true;
  run(burst, view, routes, now, From::pieces);
}

void Path::originate(net::Burst& burst, const tables::View& view, const route::Routes& routes,
                     net::Instant now) {
  for (net::Packet& packet : burst.all()) packet.handed_over = true;
  run(burst, view, routes, now, From::ourselves);
}

void Path::housekeep(const tables::View& view, const route::Routes& routes, net::Instant now) {
  const net::Tick tick = net::to_tick(now);
  state_->turn_at = now;
  state_->trains.expire(tick);
  state_->ports.note_time(tick);
  expire(*state_, view, routes, tick);
  recycle_ahead(*state_, view, tick);
  if (steer::Announcements* all = state_->setup.announcements) {
    all->expire(state_->setup.worker, tick);
  }
  if (steer::Calls* all = state_->setup.calls) all->expire(state_->setup.worker, tick);
  end_flows_of_gone(*state_, view, routes, now);
  keep_present(*state_, view, tick);
  run_errand(*state_, now);
  answer_question(*state_, view, now);
  report(*state_, view, tick);
}

uint32_t Path::release(std::span<steer::Given> out) { return state_->trains.release(out); }

uint32_t Path::farewells(std::span<Farewell> out) { return state_->farewells.take(out); }

Setup setup_of(const tables::Region& region, uint16_t worker, uint16_t workers) {
  Setup setup;
  setup.worker = worker;
  setup.line = &region.worker(worker);
  setup.services = region.services_of(worker);
  setup.servers = region.servers_of(worker);
  setup.addresses = region.addresses_of(worker);
  setup.sizes = region.header().sizes;
  for (uint16_t other = 0; other < workers; ++other) {
    if (other == worker) continue;
    setup.other_services.push_back(region.services_of(other));
    setup.other_servers.push_back(region.servers_of(other));
  }
  return setup;
}

Desk& Path::desk() { return state_->desk; }

}  // namespace nezu::path
