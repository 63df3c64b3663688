#include "dataplane/flow/relay.h"

#include <cassert>

#include "dataplane/net/endian.h"
#include "dataplane/net/hash.h"

namespace nezu::flow {

Relays::Relays(std::span<Relay> memory) : memory_(memory), books_(std::make_unique<Books>()) {
  assert(memory.size() == kRelays);
}

uint32_t Relays::home(const Relay& relay) const {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&relay);
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof(Relay); i += 4) {
    hash = net::mix64(hash ^ net::load<uint32_t>(bytes + i));
  }
  return static_cast<uint32_t>(hash) % kCells;
}

uint16_t Relays::hold(const Relay& relay) {
  for (uint32_t i = home(relay); books_->cells[i] != 0; i = (i + 1) % kCells) {
    const auto number = static_cast<uint16_t>(books_->cells[i] - 1);
    if (memory_[number] != relay) continue;
    ++books_->users[number];
    return number;
  }
  if (used_ == kRelays) return kNoRelay;
  while (books_->users[next_] != 0) next_ = (next_ + 1) % kRelays;
  const auto number = static_cast<uint16_t>(next_);
  memory_[number] = relay;
  books_->users[number] = 1;
  file(number);
  return number;
}

void Relays::hold_again(uint16_t number) {
  if (++books_->users[number] == 1) file(number);
}

void Relays::let_go(uint16_t number) {
  if (--books_->users[number] == 0) unfile(number);
}

void Relays::file(uint16_t number) {
  uint32_t i = home(memory_[number]);
  while (books_->cells[i] != 0) i = (i + 1) % kCells;
  books_->cells[i] = static_cast<uint16_t>(number + 1);
  ++used_;
}

/// Cells that would not be found beyond the gap move into it.
void Relays::unfile(uint16_t number) {
  uint32_t gap = home(memory_[number]);
  while (books_->cells[gap] != number + 1) gap = (gap + 1) % kCells;
  for (uint32_t i = (gap + 1) % kCells; books_->cells[i] != 0; i = (i + 1) % kCells) {
    const uint32_t from_home =
        (i - home(memory_[static_cast<uint32_t>(books_->cells[i] - 1)])) % kCells;
    if (from_home >= (i - gap) % kCells) {
      books_->cells[gap] = books_->cells[i];
      gap = i;
    }
  }
  books_->cells[gap] = 0;
  --used_;
}

}  // namespace nezu::flow
