#include "tests/unit/tables/scenario.h"

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "dataplane/tables/reader.h"
#include "dataplane/tables/shared_store.h"
#include "dataplane/tables/slots.h"
#include "tests/unit/tables/script.h"

namespace nezu::tables {
namespace {

struct World {
  std::unique_ptr<Region> region = Region::in_memory(script_sizes()).region;
  std::unique_ptr<Writer> writer = Writer::attach(*region, nullptr);
};

std::string laggard_of(const Region& region) {
  for (const ReaderPosition& position : reader_positions(region)) {
    if (position.generation < region.root()->generation) return position.name;
  }
  return {};
}

}  // namespace

std::string hold_a_view() {
  World world;
  const auto reader = Reader::attach(*world.region, "worker 0");
  const auto other = Reader::attach(*world.region, "worker 1");
  uint64_t revision = 0;
  while (revision < 20) {
    if (step(*world.writer, ++revision) != Commit::published) return "a step was refused";
    reader->latest();
    other->latest();
  }
  const View held = reader->latest();
  Commit last = Commit::published;
  while (last == Commit::published && revision < 10'000) {
    last = step(*world.writer, ++revision);
    other->latest();
    if (std::string fault = fault_of(held); !fault.empty()) return "held: " + fault;
    if (std::string fault = fault_of(other->latest()); !fault.empty()) return "live: " + fault;
  }
  if (last != Commit::full) return "space that is being read was reused";
  --revision;
  if (laggard_of(*world.region) != "worker 0") return "the laggard is not named";
  if (std::string leak = leak_of(*world.writer); !leak.empty()) return leak;
  reader->latest();
  if (step(*world.writer, ++revision) != Commit::published) return "nothing came free";
  reader->latest();
  other->latest();
  world.writer->reclaim();
  if (world.writer->heap().retired_bytes() != 0) return "not all came free";
  return leak_of(*world.writer);
}

#ifdef NEZU_CRASH_POINTS
namespace {
const Region* looked_at;
std::string* seen;
void look() {
  const View live(looked_at->base(), looked_at->root(), looked_at->header().hash_seed);
  if (seen->empty()) *seen = fault_of(live);
}
}  // namespace

std::string look_between_stores() {
  World world;
  std::string fault;
  looked_at = world.region.get();
  seen = &fault;
  for (uint64_t revision = 1; revision <= 30 && fault.empty(); ++revision) {
    store_hook = look;
    step(*world.writer, revision);
    store_hook = nullptr;
  }
  return fault;
}
#endif

std::string keep_a_slot_with_flows() {
  std::array<uint64_t, 2> flows{};
  Slots slots(2, [&flows](uint32_t slot) { return flows[slot] == 0; });
  if (slots.allocate() != 0 || slots.allocate() != 1 || slots.allocate() != kNoSlot) {
    return "slots are not given in order";
  }
  flows[0] = 1;
  const net::Instant later{10 * kSlotGrace};
  slots.retire(0, 5, net::Instant{0});
  slots.reclaim(5, later);
  if (slots.allocate() != kNoSlot) return "given again while a flow counts on it";
  flows[0] = 0;
  slots.reclaim(4, later);
  if (slots.allocate() != kNoSlot) return "given again while a reader may open flows on it";
  slots.reclaim(5, net::Instant{kSlotGrace / 2});
  if (slots.allocate() != kNoSlot) return "given again before packets between workers are through";
  slots.reclaim(5, later);
  if (slots.allocate() != 0) return "never given again";
  return {};
}

namespace {

/// Threads that meet without ordering anything: all its atomics are relaxed, so that only the
/// tables' own order can keep ThreadSanitizer silent.
struct Meeting {
  std::atomic<bool> stops{false};
  std::array<std::atomic<uint64_t>, 3> seen{};  // generation, + 1 from the start
  std::mutex mutex;
  std::string fault;

  bool goes_on() const { return !stops.load(std::memory_order_relaxed); }
  void stop() { stops.store(true, std::memory_order_relaxed); }
  void tell(const std::string& what) {
    const std::lock_guard lock(mutex);
    if (fault.empty()) fault = what;
    stop();
  }
  /// Until every reader has got that far.
  void wait_for(uint64_t generation) const {
    for (const auto& reader : seen) {
      while (goes_on() && reader.load(std::memory_order_relaxed) < generation + 1) {
        std::this_thread::yield();
      }
    }
  }
};

void read(const Region& region, size_t number, Meeting& meeting) {
  const auto reader = Reader::attach(region, "worker " + std::to_string(number));
  uint64_t before = 0;
  while (meeting.goes_on()) {
    const View view = reader->latest();
    if (view.generation() < before) meeting.tell("generations went back");
    before = view.generation();
    meeting.seen[number].store(before + 1, std::memory_order_relaxed);
    for (int look = 0; look < 2; ++look) {
      if (std::string wrong = fault_of(view); !wrong.empty()) meeting.tell(wrong);
      std::this_thread::yield();
    }
  }
}

}  // namespace

std::string read_while_writing(uint64_t steps) {
  constexpr uint64_t kAhead = 10;  // steps that a reader may be behind
  World world;
  Meeting meeting;
  std::array<std::thread, 3> readers;
  for (size_t i = 0; i < readers.size(); ++i) {
    readers[i] = std::thread(read, std::cref(*world.region), i, std::ref(meeting));
  }
  meeting.wait_for(0);
  for (uint64_t revision = 1; revision <= steps && meeting.goes_on(); ++revision) {
    // Full: readers are behind; they will pass.
    while (step(*world.writer, revision) == Commit::full && meeting.goes_on()) {
      std::this_thread::yield();
    }
    if (revision > kAhead) meeting.wait_for(revision - kAhead);
  }
  meeting.stop();
  for (std::thread& reader : readers) reader.join();
  if (meeting.fault.empty()) meeting.fault = leak_of(*world.writer);
  return meeting.fault;
}

}  // namespace nezu::tables
