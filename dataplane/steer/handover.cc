#include "dataplane/steer/handover.h"

namespace nezu::steer {

Handover::Handover(uint16_t workers, uint32_t capacity) : workers_(workers), turns_(workers) {
  rings_.reserve(size_t{workers} * workers);
  for (uint32_t i = 0; i < uint32_t{workers} * workers; ++i) {
    rings_.push_back(std::make_unique<Ring<Given>>(capacity));
  }
}

void Handover::give(uint16_t from, net::Burst& burst, tables::WorkerLine& line) {
  uint64_t touched = 0;  // a worker's bit: something was pushed for it
  uint64_t given = 0;
  for (net::Packet& packet : burst.all()) {
    if (packet.verdict != net::Verdict::hand_over) continue;
    if (!ring(from, packet.owner).push({packet.buffer, packet.ports, packet.knows_ports})) {
      packet.drop(net::Reason::handover_full);
      line.reasons[static_cast<size_t>(net::Reason::handover_full)].add(1);
      continue;
    }
    touched |= uint64_t{1} << packet.owner;
    ++given;
  }
  if (given == 0) return;
  line.handed_over.add(given);
  for (; touched != 0; touched &= touched - 1) {
    ring(from, static_cast<uint16_t>(__builtin_ctzll(touched))).publish();
  }
}

uint32_t Handover::take(uint16_t to, std::span<Given> out) {
  uint32_t count = 0;
  const uint16_t first = turns_[to].next;
  for (uint16_t i = 0; i < workers_ && count < out.size(); ++i) {
    const auto from = static_cast<uint16_t>((first + i) % workers_);
    if (from != to) count += ring(from, to).pop(out.subspan(count));
  }
  turns_[to].next = static_cast<uint16_t>((first + 1) % workers_);
  return count;
}

}  // namespace nezu::steer
