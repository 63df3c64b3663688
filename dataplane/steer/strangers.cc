#include "dataplane/steer/strangers.h"

#include "dataplane/tables/layout.h"

namespace nezu::steer {

static_assert(tables::kMaxWorkers <= 256, "an owner is a byte of its cell");

namespace {

/// The first fragment of a packet tells its home the ports, whoever owns the flow; what an ICMP
/// error is about does not say who sent it.
bool may_go(const net::Packet& packet) {
  return packet.verdict == net::Verdict::undecided && packet.shape == net::Shape::transport &&
         !packet.first_fragment && !packet.handed_over;
}

}  // namespace

void Strangers::ask(const net::Burst& burst, uint32_t from, uint32_t to) const {
  for (uint32_t i = from; i < to; ++i) {
    const net::Packet& packet = burst.packets[i];
    if (may_go(packet)) __builtin_prefetch(&cells_[cell_of(packet.hash)]);
  }
}

uint32_t Strangers::recall(net::Burst& burst, uint32_t from, uint32_t to) {
  uint32_t known = 0;
  for (uint32_t i = from; i < to; ++i) {
    net::Packet& packet = burst.packets[i];
    const uint64_t cell = cells_[cell_of(packet.hash)];
    if (((cell ^ packet.hash ^ salt_) & ~kOwner) != 0 || !may_go(packet)) continue;
    packet.verdict = net::Verdict::hand_over;
    packet.owner = static_cast<uint16_t>(cell & kOwner);
    ++known;
  }
  if (known != 0) patience_ = kPatience;
  return known;
}

}  // namespace nezu::steer
