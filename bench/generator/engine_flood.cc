// A flood: recorded frames as they stand, and whether the device takes them. What comes back is of
// no interest but for neighbours: hosts that are played answer for themselves, and ask for their
// gateway now and then, as others on a flooded link would.
#include <rte_cycles.h>

#include <algorithm>
#include <cstring>

#include "bench/generator/engine.h"
#include "bench/generator/pacer.h"
#include "dataplane/net/headers.h"

namespace nezu::generator {
namespace {

constexpr uint16_t kBurst = 32;
constexpr uint64_t kMostOverdue = 512;
constexpr double kUnpaced = 1e12;

/// ARP, NDP or a ping: cheaper than a look at all that it says.
bool may_ask(const rte_mbuf* frame) {
  const auto* bytes = rte_pktmbuf_mtod(frame, const uint8_t*);
  const uint16_t type = *reinterpret_cast<const net::Big16*>(bytes + 12);
  if (type == net::kEtherIpv4) return bytes[23] == static_cast<uint8_t>(net::Protocol::icmp);
  if (type == net::kEtherIpv6) return bytes[20] == static_cast<uint8_t>(net::Protocol::icmpv6);
  return type == net::kEtherArp;
}

}  // namespace

struct Engine::Flood {
  Wire& wire;
  const std::vector<std::vector<uint8_t>>& frames;
  Pacer pacer;
  GroupCounts counts{};
  size_t next = 0;

  bool send(uint64_t now, rte_mempool* pool) {
    const auto due = static_cast<uint16_t>(pacer.take(now, kBurst));
    if (due == 0) return false;
    counts.sent += due;
    rte_mbuf* burst[kBurst];
    if (rte_pktmbuf_alloc_bulk(pool, burst, due) != 0) {
      counts.refused += due;  // the other end holds all buffers: as good as a full wire
      return true;
    }
    for (uint16_t i = 0; i < due; ++i) {
      const std::vector<uint8_t>& frame = frames[next];
      if (++next == frames.size()) next = 0;
      std::memcpy(rte_pktmbuf_mtod(burst[i], void*), frame.data(), frame.size());
      burst[i]->data_len = static_cast<uint16_t>(frame.size());
      burst[i]->pkt_len = static_cast<uint32_t>(frame.size());
    }
    const uint16_t taken = wire.send(burst, due);
    counts.refused += due - taken;
    if (taken != due) rte_pktmbuf_free_bulk(burst + taken, due - taken);
    return true;
  }
};

void Engine::receive_questions(Wire& wire) {
  rte_mbuf* frames[2 * kBurst];
  const uint16_t count = wire.receive(frames, 2 * kBurst);
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (may_ask(frames[i])) {
      meet_neighbour(wire, frames[i]);
    } else {
      frames[kept++] = frames[i];
    }
  }
  if (kept != 0) rte_pktmbuf_free_bulk(frames, kept);
}

TrialResult Engine::flood_once(const TrialPlan& plan) {
  TrialResult result;
  result.plan = plan;
  progress_.begin(plan.purpose, plan.seconds);
  idle_for(options_.pause);
  Side& own = side(Way::to_right);
  const WireCounters before = own.wire->counters();
  const uint64_t start = rte_rdtsc(), end = start + cycles(plan.seconds);
  const bool paced = plan.rate != 0;
  Flood flood{*own.wire, recording_,
              Pacer(paced ? plan.rate : kUnpaced, hz_, start, paced ? kMostOverdue : kBurst)};
  flood.counts.size = plan.mix.sizes[0];
  const bool asks = own.options.gateway && options_.ask > 0;
  uint64_t now = start, longest = 0, next_ask = start, turn = 0, in_a_row = 0;
  while (now < end) {
    if (asks && now >= next_ask) {
      next_ask = now + cycles(options_.ask);
      in_a_row = own.knows_peer ? 0 : in_a_row + 1;
      result.unanswered = std::max(result.unanswered, in_a_row);
      own.knows_peer = false;
      ++result.asked;
      ask_gateway(Way::to_right);
    }
    const bool waited = !own.knows_peer;
    receive_questions(*own.wire);
    if (waited && own.knows_peer) ++result.answered;
    if (!flood.send(rte_rdtsc(), pool_)) idle();
    if ((++turn & 0x3ff) == 0) progress_.note(flood.counts.sent, 0);
    const uint64_t then = rte_rdtsc();
    longest = std::max(longest, then - now);
    now = then;
  }
  own.knows_peer = true;
  result.seconds = static_cast<double>(now - start) / hz_;
  result.longest_pause = static_cast<double>(longest) / hz_;
  result.skipped = paced ? flood.pacer.skipped() : 0;
  flood.counts.delivered = flood.counts.sent - flood.counts.refused;
  result.groups.push_back(flood.counts);
  idle_for(options_.wait);
  const WireCounters after = own.wire->counters();
  result.port_sent = after.sent - before.sent;
  result.port_received = after.received - before.received;
  return result;
}

}  // namespace nezu::generator
