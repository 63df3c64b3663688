#include "dataplane/worker.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <string>

#include "dataplane/device/eal.h"
#include "dataplane/tables/region.h"

namespace nezu::dataplane {
namespace {

/// Empty turns before a sleep, and how long sleeps become: an idle path answers within this.
constexpr uint32_t kPatience = 32;
constexpr uint32_t kShortestNap = 20'000, kLongestNap = 500'000;  // ns
constexpr uint64_t kShowAlive = 50'000'000;                       // ns
/// A turn ends within 100 us under any load. After half of that no further queue is read: what one
/// burst, the packets of other workers and the housekeeping may take has room in the other half.
constexpr uint64_t kLongTurn = 100, kReceiveUntil = 50;  // us

}  // namespace

Worker::Worker(const Parts& parts)
    : is_(parts),
      errands_(parts.ports),
      recorder_(*parts.region, parts.number, device::Gate::buffers()) {}

void Worker::run(const std::atomic<bool>& stop) {
  pthread_setname_np(pthread_self(), ("worker-" + std::to_string(is_.number)).c_str());
  prctl(PR_SET_TIMERSLACK, 1000);
  is_.line->tsc_hz.set(device::tsc_hz());
  is_.line->longest_turn.set(0);
  long_turn_ = device::tsc_hz() / 1'000'000 * kLongTurn;
  receive_until_ = device::tsc_hz() / 1'000'000 * kReceiveUntil;
  is_.gate->show_to(&recorder_);
  while (!stop.load(std::memory_order_relaxed)) turn();
  is_.gate->show_to(nullptr);
  is_.gate->flush();
  is_.routes->leave(is_.number);
}

/// Everything that a turn does, in order.
void Worker::turn() {
  const uint64_t began = device::tsc();
  const tables::View view = is_.reader->latest();  // the only place where new tables enter
  const route::Routes& routes = is_.routes->read(is_.number);
  const net::Instant now = tables::boot_time();  // one reading serves the whole turn
  load_ = {};
  routes_ = &routes;
  recorder_.turn(routes.spaces(), now);
  receive(view, routes, now, began);
  take(view, routes, now);
  count_refusals();
  is_.path->housekeep(view, routes, now);
  say_farewells(view, routes, now);
  load_.packets += is_.gate->flush();
  rest(began, now);
}

/// A burst from each queue, as long as there is time; those left over are the first ones next turn.
void Worker::receive(const tables::View& view, const route::Routes& routes, net::Instant now,
                     uint64_t began) {
  const uint32_t sources = is_.gate->sources();
  for (uint32_t i = 0; i < sources; ++i) {
    if (i != 0 && device::tsc() - began > receive_until_) break;
    const uint32_t source = next_source_;
    next_source_ = source + 1 < sources ? source + 1 : 0;
    is_.gate->receive(source, burst_);
    if (burst_.count == 0) continue;
    arrived(capture::Origin::port);
    is_.path->receive(burst_, view, routes, now);
    is_.handover->give(is_.number, burst_, *is_.line);
    dispose();
    if (piece_count_ != 0) [[unlikely]]
      send_pieces(view, routes, now);
  }
}

/// What other workers have handed over, and fragments that need not wait any longer.
void Worker::take(const tables::View& view, const route::Routes& routes, net::Instant now) {
  steer::Given given[net::kBurstCapacity / 2];
  uint32_t count = is_.handover->take(is_.number, given);
  const uint32_t others = count;
  for (uint32_t left = is_.path->release(std::span(given).subspan(others)), i = 0; i < left; ++i) {
    const steer::Given& one = given[others + i];
    if (one.reason == net::Reason::none) {
      given[count++] = one;
    } else {
      release(one);
    }
  }
  if (count == 0) return;
  is_.gate->take({given, count}, burst_);
  arrived(capture::Origin::port);
  is_.path->take(burst_, view, routes, now);
  is_.handover->give(is_.number, burst_, *is_.line);
  dispose();
  if (piece_count_ != 0) [[unlikely]]
    send_pieces(view, routes, now);
}

/// Pieces of packets that were too long go through the stages as if they had come in so. Each fits
/// its way, unless that has become narrower meanwhile.
void Worker::send_pieces(const tables::View& view, const route::Routes& routes, net::Instant now) {
  while (piece_count_ != 0) {
    steer::Given given[net::kBurstCapacity / 2];
    const uint32_t count = std::min<uint32_t>(piece_count_, net::kBurstCapacity / 2);
    std::copy_n(pieces_.begin(), count, given);
    std::copy(pieces_.begin() + count, pieces_.begin() + piece_count_, pieces_.begin());
    piece_count_ -= count;
    is_.gate->take({given, count}, burst_);
    arrived(capture::Origin::ourselves);
    is_.path->resume(burst_, view, routes, now);
    dispose();
  }
}

void Worker::split(net::Packet& packet) {
  const uint32_t made =
      is_.gate->split(packet, packet.owner, std::span(pieces_).subspan(piece_count_));
  if (made == 0) return refuse(packet, net::Reason::buffer_missing);
  piece_count_ += made;
  is_.gate->release(packet);
}

/// RSTs of our own, through the stages.
void Worker::say_farewells(const tables::View& view, const route::Routes& routes,
                           net::Instant now) {
  path::Farewell farewells[net::kBurstCapacity / 2];
  const uint32_t said = is_.path->farewells(farewells);
  if (said == 0) [[likely]]
    return;
  steer::Given given[net::kBurstCapacity / 2];
  uint32_t count = 0;
  for (const path::Farewell& one : std::span(farewells).first(said)) {
    given[count].buffer = is_.gate->make({one.frame.data(), one.length}, one.port);
    count += given[count].buffer != nullptr ? 1 : 0;
  }
  is_.line->reasons[static_cast<size_t>(net::Reason::buffer_missing)].add(said - count);
  is_.gate->take({given, count}, burst_);
  arrived(capture::Origin::ourselves);
  is_.path->originate(burst_, view, routes, now);
  dispose();
}

/// The burst is as it came: for whoever captures.
void Worker::arrived(capture::Origin origin) {
  if (recorder_.is_on()) [[unlikely]]
    recorder_.came(burst_, origin);
}

/// A fragment that ends without having been through the stages.
void Worker::release(const steer::Given& given) {
  is_.line->reasons[static_cast<size_t>(given.reason)].add(1);
  if (recorder_.is_on()) [[unlikely]]
    recorder_.lost(is_.gate->take(given.buffer, burst_), given.reason);
  is_.gate->release(given.buffer);
}

/// Every packet goes where its verdict says.
void Worker::dispose() {
  if (recorder_.is_on()) [[unlikely]]
    recorder_.went(burst_);
  for (net::Packet& packet : burst_.all()) {
    switch (packet.verdict) {
      case net::Verdict::forward:
      case net::Verdict::across:
        is_.gate->send(packet, packet.egress);
        break;
      case net::Verdict::reply:
        is_.gate->send(packet, packet.port);
        break;
      case net::Verdict::split:
        split(packet);
        break;
      case net::Verdict::hand_over:  // has gone
      case net::Verdict::kept:       // comes back
        break;
      case net::Verdict::both:
        is_.gate->send_copy(packet, packet.egress);
        [[fallthrough]];
      case net::Verdict::twin:
        to_twin(packet);
        break;
      case net::Verdict::hold:
        hold(packet);
        break;
      case net::Verdict::drop:
      case net::Verdict::undecided:
        is_.gate->release(packet);
        break;
    }
  }
  publish_errands();
  load_.packets += burst_.count;
  ++load_.bursts;
}

void Worker::to_twin(net::Packet& packet) {
  const Band band = band_of(packet, *is_.conversations);
  steer::Ring<void*>& ring = is_hello(packet) ? errands_.hellos : errands_.band(packet.port, band);
  device::Gate::settle(packet);
  if (ring.push(packet.buffer)) {
    given_ = true;
  } else if (band != Band::question || !answer_for_twin(packet)) {
    refuse(packet, net::Reason::twin_full);
  }
}

/// A flood of questions takes the kernel its voice; others who ask for its address hear it from us.
bool Worker::answer_for_twin(net::Packet& packet) {
  const auto asked = link::asked_address(packet);
  const auto claim = link::claim_of(packet);
  if (!asked || !routes_->is_twin_address(net::instance_of(packet), *asked) ||
      (claim && claim->address == *asked)) {
    return false;
  }
  link::answer(packet, routes_->mac_of(packet.port, packet.vlan));
  if (packet.verdict != net::Verdict::reply) return false;
  is_.line->reasons[static_cast<size_t>(net::Reason::answered)].add(1);
  is_.gate->send(packet, packet.port);
  return true;
}

void Worker::publish_errands() {
  errands_.held.publish();
  if (!given_) return;
  given_ = false;
  errands_.hellos.publish();
  for (const auto& bands : errands_.to_twin) {
    for (steer::Ring<void*>& ring : *bands) ring.publish();
  }
}

void Worker::hold(net::Packet& packet) {
  device::Gate::settle(packet);
  if (errands_.held.push({packet.buffer, packet.awaited, packet.awaited_in})) return;
  refuse(packet, net::Reason::neighbour_queue_full);
}

void Worker::refuse(net::Packet& packet, net::Reason reason) {
  is_.line->reasons[static_cast<size_t>(reason)].add(1);
  if (recorder_.is_on()) [[unlikely]]
    recorder_.lost(packet, reason);
  is_.gate->release(packet);
}

void Worker::count_refusals() {
  net::Reason reasons[32];
  const uint32_t count = errands_.refused.pop(reasons);
  for (uint32_t i = 0; i < count; ++i) is_.line->reasons[static_cast<size_t>(reasons[i])].add(1);
}

/// Accounts for the turn; sleeps when many in a row brought nothing.
void Worker::rest(uint64_t began, net::Instant now) {
  is_.line->turns.add(1);
  const uint64_t took = device::tsc() - began;
  if (took > longest_turn_) is_.line->longest_turn.set(longest_turn_ = took);
  if (took > long_turn_) [[unlikely]]
    is_.line->turns_too_long.add(1);
  if (now >= net::after(shown_alive_, kShowAlive)) {
    shown_alive_ = now;
    is_.reader->alive(now);
  }
  if (load_.packets != 0) {
    idle_turns_ = 0;
    is_.line->busy_cycles.add(took);
    return;
  }
  if (is_.sleeps_when_idle && ++idle_turns_ > kPatience) {
    const uint64_t nap = uint64_t{kShortestNap} * std::min(idle_turns_ - kPatience, 100u);
    const timespec time{0, static_cast<long>(std::min<uint64_t>(nap, kLongestNap))};
    nanosleep(&time, nullptr);
  }
  is_.line->idle_cycles.add(device::tsc() - began);
}

}  // namespace nezu::dataplane
