#include "dataplane/tables/reader.h"

#include <unistd.h>

#include <algorithm>

namespace nezu::tables {

std::unique_ptr<Reader> Reader::attach(const Region& region, std::string_view name) {
  const auto pid = static_cast<uint32_t>(getpid());
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    ReaderLine& line = region.reader(i);
    uint64_t owner = line.owner.load(std::memory_order_acquire);
    if (owner != 0 && is_alive(line)) continue;
    if (!line.owner.compare_exchange_strong(owner, pid)) continue;
    // Generation 0: may be reading anything. Until the start time is right the writer may take this
    // line for a dead one; that is harmless, as nothing has been read yet.
    line.generation.store(0, std::memory_order_relaxed);
    line.last_turn.store(boot_time().nanoseconds, std::memory_order_relaxed);
    line.name = {};
    std::copy_n(name.data(), std::min(name.size(), line.name.size() - 1), line.name.data());
    line.start_time.store(process_start_time(pid), std::memory_order_release);
    // Against the writer's fence after a publication: either it sees this reader, or this reader
    // sees that publication.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return std::unique_ptr<Reader>(new Reader(region, line));
  }
  return nullptr;
}

Reader::~Reader() {
  line_.start_time.store(0, std::memory_order_relaxed);
  line_.owner.store(0, std::memory_order_release);
}

bool is_alive(const ReaderLine& line) {
  const uint64_t owner = line.owner.load(std::memory_order_acquire);
  return owner != 0 && process_lives(static_cast<uint32_t>(owner),
                                     line.start_time.load(std::memory_order_acquire));
}

void Reader::adopt(uint64_t root) {
  root_ = root;
  const auto* block = region_.at<const Root>(root);
  view_ = View(region_.base(), block, region_.header().hash_seed);
  // Release: every load from older generations has been done.
  line_.generation.store(block->generation, std::memory_order_release);
}

std::vector<ReaderPosition> reader_positions(const Region& region) {
  std::vector<ReaderPosition> positions;
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    const ReaderLine& line = region.reader(i);
    const uint64_t owner = line.owner.load(std::memory_order_acquire);
    if (owner == 0) continue;
    ReaderPosition position;
    position.name = line.name.data();
    position.pid = static_cast<uint32_t>(owner);
    position.alive = is_alive(line);
    position.generation = line.generation.load(std::memory_order_acquire);
    position.last_turn = net::Instant{line.last_turn.load(std::memory_order_relaxed)};
    positions.push_back(position);
  }
  return positions;
}

}  // namespace nezu::tables
