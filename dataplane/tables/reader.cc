#include "dataplane/tables/reader.h"

#include <unistd.h>

#include <algorithm>

namespace nezu::tables {

std::unique_ptr<Reader> Reader::attach(const Region& region, std::string_view name) {
  const uint64_t mark = process_mark(static_cast<uint32_t>(getpid()));
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    ReaderLine& line = region.reader(i);
    uint64_t owner = line.owner.load(std::memory_order_acquire);
    if (owner != 0 && process_lives(owner)) continue;
    if (!line.owner.compare_exchange_strong(owner, mark, std::memory_order_seq_cst)) continue;
    // The line still shows the generation of whoever had it before: not newer than any that this
    // reader can find from here on, so that it holds back enough.
    line.last_turn.store(boot_time().nanoseconds, std::memory_order_relaxed);
    line.name = {};
    std::copy_n(name.data(), std::min(name.size(), line.name.size() - 1), line.name.data());
    std::unique_ptr<Reader> reader(new Reader(region, line));
    // Sequentially consistent against the writer's store of the root and its look at the lines:
    // either it sees this reader, or this reader sees that root.
    const uint64_t root = region.header().root.load(std::memory_order_seq_cst);
    if (root != 0) reader->adopt(root);
    return reader;
  }
  return nullptr;
}

Reader::~Reader() { line_.owner.store(0, std::memory_order_release); }

bool is_alive(const ReaderLine& line) {
  return process_lives(line.owner.load(std::memory_order_acquire));
}

void Reader::adopt(uint64_t root) {
  root_ = root;
  const auto* block = region_.at<const Root>(root);
  view_ = View(region_.base(), block, region_.header().hash_seed);
  // Release: every load from older generations has been done.
#if NEZU_MUTANT == 6  // tests prove that they would notice
  line_.generation.store(block->generation, std::memory_order_relaxed);
#else
  line_.generation.store(block->generation, std::memory_order_release);
#endif
}

std::vector<ReaderPosition> reader_positions(const Region& region) {
  std::vector<ReaderPosition> positions;
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    const ReaderLine& line = region.reader(i);
    const uint64_t owner = line.owner.load(std::memory_order_acquire);
    if (owner == 0) continue;
    ReaderPosition position;
    position.name = line.name.data();
    position.pid = pid_of(owner);
    position.alive = process_lives(owner);
    position.generation = line.generation.load(std::memory_order_acquire);
    position.last_turn = net::Instant{line.last_turn.load(std::memory_order_relaxed)};
    positions.push_back(position);
  }
  return positions;
}

}  // namespace nezu::tables
