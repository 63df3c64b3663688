// RCU on ordinary memory: one writer swaps an immutable object, readers never wait.
//
// The writer is the housekeeper. Each reader thread calls `read` once a turn and uses only what it
// returned until its next call: that call reports that it has finished with everything older, by a
// plain store on a line of its own. Old objects are freed by `reclaim` when every reader has
// reported a newer one; a reader that is stopped delays that and nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace nezu::route {

template <typename T>
class Published {
 public:
  /// Readers are numbered from 0; each counts from the start, also before its first turn.
  Published(uint32_t readers, std::unique_ptr<const T> first) : seen_(readers) {
    publish(std::move(first));
  }
  ~Published() { delete current_.load(std::memory_order_relaxed); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  /// Reader `number` only.
  const T& read(uint32_t number) {
    const Version* version = current_.load(std::memory_order_acquire);
    // Everything that was read of older versions was read before this store.
    seen_[number].sequence.store(version->sequence, std::memory_order_release);
    return *version->object;
  }
  /// Reader `number`, when it ends: it waits for nothing any more.
  void leave(uint32_t number) {
    seen_[number].sequence.store(UINT64_MAX, std::memory_order_release);
  }

  // Only the writer:
  const T& current() const { return *current_.load(std::memory_order_relaxed)->object; }
  void publish(std::unique_ptr<const T> object) {
    const Version* before = current_.load(std::memory_order_relaxed);
    current_.store(new Version{++sequence_, std::move(object)}, std::memory_order_release);
    if (before != nullptr) retired_.emplace_back(before);
  }
  /// Frees what no reader can see; says how many old versions are left.
  size_t reclaim() {
    while (!retired_.empty() && retired_.front()->sequence < oldest()) retired_.pop_front();
    return retired_.size();
  }
  /// A mark for things that are freed by hand: `passed` it when every reader uses what was
  /// published last, or newer.
  uint64_t mark() const { return sequence_; }
  bool passed(uint64_t mark) const { return oldest() >= mark; }

 private:
  struct Version {
    uint64_t sequence = 0;
    std::unique_ptr<const T> object;
  };
  struct alignas(64) Seen {
    std::atomic<uint64_t> sequence{0};
  };
  uint64_t oldest() const {
    uint64_t oldest = UINT64_MAX;
    for (const Seen& seen : seen_) {
      const uint64_t one = seen.sequence.load(std::memory_order_acquire);
      if (one < oldest) oldest = one;
    }
    return oldest;
  }

  alignas(64) std::atomic<const Version*> current_{nullptr};
  uint64_t sequence_ = 0;
  std::deque<std::unique_ptr<const Version>> retired_;
  std::vector<Seen> seen_;
};

}  // namespace nezu::route
