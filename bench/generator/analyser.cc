#include "bench/generator/analyser.h"

namespace nezu::generator {

void Analyser::begin(uint8_t trial, const std::vector<uint32_t>& to_right,
                     const std::vector<uint32_t>& to_left) {
  trial_ = trial;
  delivered_ = corrupted_ = icmp_ = tcp_ = other_ = stale_ = 0;
  for (Group& group : groups_) {
    if (group.used) group = Group{};
  }
  for (const Way way : {Way::to_right, Way::to_left}) {
    const std::vector<uint32_t>& sizes = way == Way::to_right ? to_right : to_left;
    for (uint32_t size = 0; size < sizes.size(); ++size) {
      Group& group = groups_[group_of(way, size)];
      group.used = true;
      group.counts.way = way;
      group.counts.size = sizes[size];
    }
  }
}

void Analyser::note(const Reading& reading, uint64_t now) {
  switch (reading.kind) {
    case Kind::stamped:
      break;
    case Kind::corrupted:
      ++corrupted_;
      return;
    case Kind::icmp:
      ++icmp_;
      return;
    case Kind::tcp:
      ++tcp_;
      return;
    case Kind::neighbour:
      return;
    case Kind::other:
      ++other_;
      return;
  }
  Group& group = groups_[reading.stamp.group];
  if (reading.stamp.trial != trial_ || !group.used) {
    ++stale_;
    return;
  }
  GroupCounts& counts = group.counts;
  switch (group.sequence.note(reading.stamp.number)) {
    case Sequence::Seen::duplicate:
      ++counts.duplicates;
      return;
    case Sequence::Seen::beyond:
      ++counts.beyond;
      return;
    case Sequence::Seen::reordered:
      ++counts.reordered;
      break;
    case Sequence::Seen::in_order:
      break;
  }
  ++counts.delivered;
  ++delivered_;
  // Two cores' counters may differ by some cycles.
  counts.latency.note(now > reading.stamp.time ? now - reading.stamp.time : 0);
}

void Analyser::fill(TrialResult& result) const {
  result.groups.clear();
  for (const Group& group : groups_) {
    if (!group.used) continue;
    result.groups.push_back(group.counts);
    result.groups.back().extent = group.sequence.extent();
  }
  result.corrupted = corrupted_;
  result.icmp = icmp_;
  result.tcp = tcp_;
  result.other = other_;
  result.stale = stale_;
}

}  // namespace nezu::generator
