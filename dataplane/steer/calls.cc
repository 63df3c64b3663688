#include "dataplane/steer/calls.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/hash.h"

namespace nezu::steer {
namespace {

constexpr net::Tick kTicksPerUnit = 4 * net::kTicksPerSecond;

uint16_t unit_of(net::Tick tick) { return static_cast<uint16_t>(tick / kTicksPerUnit); }
uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
uint64_t word_of(uint32_t tag, uint16_t server, uint16_t until) {
  return uint64_t{tag} << 32 | uint64_t{server} << 16 | (until != 0 ? until : 1);
}
bool is_of(uint64_t word, uint32_t tag) { return word != 0 && word >> 32 == tag; }

}  // namespace

int16_t Calls::left(Word word, net::Tick now) {
  return static_cast<int16_t>(static_cast<uint16_t>(word) - unit_of(now));
}

Calls::Calls(uint16_t workers) {
  for (uint16_t i = 0; i < workers; ++i) boards_.push_back(std::make_unique<Board>());
}

uint64_t Calls::hash(uint16_t service, std::string_view call_id) {
  uint64_t hash = net::mix64(call_id.size() << 16 | service);
  for (size_t at = 0; at < call_id.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, call_id.data() + at, std::min<size_t>(8, call_id.size() - at));
    hash = net::mix64(hash ^ word) + 0x9e3779b97f4a7c15u;
  }
  return net::mix64(hash);
}

bool Calls::put(uint16_t by, uint64_t hash, uint16_t server, net::Tick now, uint32_t life) {
  Board& board = *boards_[by];
  std::atomic<Word>* places = &board.places[home(hash)];
  std::atomic<Word>* best = &places[0];
  const auto value = [now](const std::atomic<Word>& place) {
    const Word word = place.load(std::memory_order_relaxed);
    return word == 0 ? INT16_MIN : left(word, now);
  };
  for (uint32_t i = 0; i < kWays; ++i) {
    if (is_of(places[i].load(std::memory_order_relaxed), tag_of(hash))) {
      best = &places[i];
      break;
    }
    if (value(places[i]) < value(*best)) best = &places[i];
  }
  const Word before = best->load(std::memory_order_relaxed);
  const uint32_t ticks = std::min<uint32_t>(life, 86400) * net::kTicksPerSecond;
  const auto until = static_cast<uint16_t>(unit_of(now + ticks) + 1);
  best->store(word_of(tag_of(hash), server, until), std::memory_order_relaxed);
  if (before == 0) count_up(board, 1);
  return before == 0 || is_of(before, tag_of(hash)) || left(before, now) <= 0;
}

void Calls::expire(uint16_t by, net::Tick now) {
  constexpr uint32_t kSlice = 16;
  Board& board = *boards_[by];
  if (board.count.load(std::memory_order_relaxed) == 0) return;
  for (uint32_t i = 0; i < kSlice; ++i) {
    std::atomic<Word>& place = board.places[board.next];
    board.next = (board.next + 1) % kPlaces;
    const Word word = place.load(std::memory_order_relaxed);
    if (word == 0 || left(word, now) > 0) continue;
    place.store(0, std::memory_order_relaxed);
    count_up(board, -1);
  }
}

}  // namespace nezu::steer
