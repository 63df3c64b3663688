// Which server the messages of a SIP call go to, whoever sends them and whichever worker they come
// to: by a hash of the service and the Call-ID.
//
// One board for each worker: only it writes there, all read, nobody waits. An entry is one word, so
// that it is never seen half written: 32 bits of the hash, the server's slot, a deadline. Boards
// have a fixed size; one that has no free place forgets the call that would have ended first.
// Nothing outlives the process. Who reads must see for himself whether the server still serves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "dataplane/net/time.h"

namespace nezu::steer {

class Calls {
 public:
  static constexpr uint32_t kPlaces = 32768, kWays = 8;

  explicit Calls(uint16_t workers);

  static uint64_t hash(uint16_t service, std::string_view call_id);

  /// Any worker: whether a board has a server of the call that `is_good`.
  template <typename IsGood>
  bool find(uint64_t hash, net::Tick now, IsGood is_good) const {
    for (const auto& board : boards_) {
      if (board->count.load(std::memory_order_relaxed) == 0) continue;
      for (uint32_t i = 0; i < kWays; ++i) {
        const Word word = board->places[home(hash) + i].load(std::memory_order_relaxed);
        if (word != 0 && word >> 32 == hash >> 32 && left(word, now) > 0 &&
            is_good(static_cast<uint16_t>(word >> 16))) {
          return true;
        }
      }
    }
    return false;
  }
  /// Worker `by`, on its own board: until `life` from now, in seconds. False: another call was
  /// forgotten for it.
  bool put(uint16_t by, uint64_t hash, uint16_t server, net::Tick now, uint32_t life);
  /// Worker `by`: takes out whose time is over, a slice each time.
  void expire(uint16_t by, net::Tick now);
  uint32_t count(uint16_t by) const { return boards_[by]->count.load(std::memory_order_relaxed); }

 private:
  // tag | server | deadline in units of 4 s, never 0
  using Word = uint64_t;
  struct Board {
    std::atomic<uint32_t> count{0};
    uint32_t next = 0;  ///< place that `expire` looks at
    std::unique_ptr<std::atomic<Word>[]> places = std::make_unique<std::atomic<Word>[]>(kPlaces);
  };
  /// Units that are left; none, or less, when its time is over.
  static int16_t left(Word word, net::Tick now);
  static uint32_t home(uint64_t hash) {
    return static_cast<uint32_t>(hash) % (kPlaces / kWays) * kWays;
  }
  static void count_up(Board& board, int32_t by) {
    board.count.store(board.count.load(std::memory_order_relaxed) + static_cast<uint32_t>(by),
                      std::memory_order_relaxed);
  }

  std::vector<std::unique_ptr<Board>> boards_;
};

}  // namespace nezu::steer
