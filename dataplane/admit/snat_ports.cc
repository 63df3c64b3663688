#include "dataplane/admit/snat_ports.h"

#include <algorithm>
#include <bit>

#include "dataplane/net/hash.h"

namespace nezu::admit {
namespace {

using tables::kSnatFirstPort;
using tables::kSnatSlicePorts;

/// Beyond 252 there are no ports.
constexpr std::array<uint64_t, 4> kNotPorts = {0, 0, 0, ~uint64_t{0} << (kSnatSlicePorts - 192)};

/// The first free port at or after `from`, in a circle. One is free.
uint32_t next_free(const std::array<uint64_t, 4>& taken, uint32_t from) {
  uint32_t word = from / 64;
  uint64_t free = ~(taken[word] | kNotPorts[word]) & ~uint64_t{0} << (from % 64);
  for (uint32_t i = 0; free == 0 && i < 4; ++i) {
    word = (word + 1) % 4;
    free = ~(taken[word] | kNotPorts[word]);
  }
  return word * 64 + static_cast<uint32_t>(std::countr_zero(free));
}

}  // namespace

SnatPorts::SnatPorts(uint32_t lines) {
  const uint32_t cells = std::bit_ceil(std::max<uint32_t>(lines, 64));
  mask_ = cells - 1;
  limit_ = cells - cells / 8;
  lines_ = std::make_unique<Line[]>(cells);
}

uint32_t SnatPorts::home(uint64_t key) const {
  return static_cast<uint32_t>(net::mix64(key)) & mask_;
}

SnatPorts::Line* SnatPorts::find(uint64_t key) const {
  for (uint32_t i = home(key); lines_[i].key != 0; i = (i + 1) & mask_) {
    if (lines_[i].key == key) return &lines_[i];
  }
  return nullptr;
}

SnatPorts::Line* SnatPorts::find_or_make(uint64_t key) {
  uint32_t i = home(key);
  for (; lines_[i].key != 0; i = (i + 1) & mask_) {
    if (lines_[i].key == key) return &lines_[i];
  }
  if (used_ == limit_) return nullptr;
  ++used_;
  lines_[i] = Line{};
  lines_[i].key = key;
  lines_[i].cursor = clock_;
  return &lines_[i];
}

/// Cells that would not be found beyond the gap move into it.
void SnatPorts::remove(Line* line) {
  auto gap = static_cast<uint32_t>(line - lines_.get());
  for (uint32_t i = (gap + 1) & mask_; lines_[i].key != 0; i = (i + 1) & mask_) {
    const uint32_t from_home = (i - home(lines_[i].key)) & mask_;
    if (from_home >= ((i - gap) & mask_)) {
      lines_[gap] = lines_[i];
      gap = i;
    }
  }
  lines_[gap].key = 0;
  --used_;
}

uint16_t SnatPorts::take(uint16_t address, uint8_t shard, Peer peer) {
  Line* line = find_or_make(key_of(address, shard, peer));
  if (line == nullptr || line->count == kSnatSlicePorts) return 0;
  if (static_cast<int32_t>(clock_ - line->cursor) > 0) line->cursor = clock_;
  const uint32_t from = line->cursor % kSnatSlicePorts;
  const uint32_t at = next_free(line->taken, from);
  line->taken[at / 64] |= uint64_t{1} << (at % 64);
  ++line->count;
  line->cursor += (at >= from ? at - from : at + kSnatSlicePorts - from) + 1;
  return tables::snat_port(shard, at);
}

void SnatPorts::release(uint16_t address, uint16_t port, Peer peer) {
  if (port < kSnatFirstPort) return;
  const uint32_t shard = tables::shard_of_snat_port(port);
  Line* line = find(key_of(address, static_cast<uint8_t>(shard), peer));
  const uint32_t at = tables::place_of_snat_port(port);
  const uint64_t bit = uint64_t{1} << (at % 64);
  if (line == nullptr || (line->taken[at / 64] & bit) == 0) return;
  line->taken[at / 64] &= ~bit;
  if (--line->count == 0) remove(line);
}

bool SnatPorts::occupy(uint16_t address, uint16_t port, Peer peer) {
  if (port < kSnatFirstPort) return false;
  const uint32_t shard = tables::shard_of_snat_port(port);
  Line* line = find_or_make(key_of(address, static_cast<uint8_t>(shard), peer));
  const uint32_t at = tables::place_of_snat_port(port);
  const uint64_t bit = uint64_t{1} << (at % 64);
  if (line == nullptr || (line->taken[at / 64] & bit) != 0) return false;
  line->taken[at / 64] |= bit;
  ++line->count;
  return true;
}

SnatPorts::Slice SnatPorts::slice(uint16_t address, uint8_t shard, Peer peer) const {
  Slice slice;
  slice.clock = clock_;
  if (const Line* line = find(key_of(address, shard, peer))) {
    slice.taken = line->taken;
    slice.cursor = line->cursor;
    slice.count = line->count;
    slice.exists = true;
  } else if (used_ == limit_) {
    slice.count = kSnatSlicePorts;  // none can be taken
    slice.exists = true;
  }
  return slice;
}

void SnatPorts::adopt(uint16_t address, uint8_t shard, Peer peer, const Slice& slice) {
  clock_ = slice.clock;
  if (!slice.exists) return;
  Line* line = find_or_make(key_of(address, shard, peer));
  if (line == nullptr) return;
  line->taken = slice.taken;
  line->cursor = slice.cursor;
  line->count = slice.count;
}

}  // namespace nezu::admit
