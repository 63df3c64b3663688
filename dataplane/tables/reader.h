// One reading thread: takes the newest generation once a turn and reports what it has finished
// with.
//
// A line of its own in the region, which nobody else writes while its process lives. `latest` costs
// one load when nothing has changed; it never waits.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/tables/region.h"
#include "dataplane/tables/view.h"

namespace nezu::tables {

class Reader {
 public:
  /// Null when all lines are taken. `name` is cut to what the line holds.
  static std::unique_ptr<Reader> attach(const Region& region, std::string_view name);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Ends the life of every View that came from here before.
  View latest() {
    const uint64_t root = region_.header().root.load(std::memory_order_acquire);
    if (root != root_) adopt(root);
    return view_;
  }
  /// Once in many turns: shows that this thread is alive.
  void alive(net::Instant now) {
    line_.last_turn.store(now.nanoseconds, std::memory_order_relaxed);
  }

 private:
  Reader(const Region& region, ReaderLine& line) : region_(region), line_(line) {}
  void adopt(uint64_t root);

  const Region& region_;
  ReaderLine& line_;
  uint64_t root_ = 0;
  View view_;
};

/// Whether the line's process runs.
bool is_alive(const ReaderLine& line);

struct ReaderPosition {
  std::string name;
  uint32_t pid = 0;
  bool alive = false;
  uint64_t generation = 0;
  net::Instant last_turn;
};
/// All lines in use; also those of processes that have died without leaving.
std::vector<ReaderPosition> reader_positions(const Region& region);

}  // namespace nezu::tables
