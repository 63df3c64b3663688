#include "dataplane/steer/announcements.h"

#include "dataplane/net/endian.h"
#include "dataplane/net/hash.h"

namespace nezu::steer {
namespace {

/// A place without an announcement has no deadline; ticks of the boot time are above 0.
bool is_due(const Announcement& one, net::Tick now) {
  return one.until == 0 || net::has_passed(one.until, now);
}

}  // namespace

Announcements::Announcements(uint16_t workers, uint32_t places) : places_(places) {
  for (uint16_t i = 0; i < workers; ++i) {
    boards_.push_back(std::make_unique<Board>());
    boards_.back()->places = std::make_unique<Place[]>(places);
  }
}

uint32_t Announcements::home(const Awaited& awaited) const {
  uint64_t word = uint64_t{awaited.port} << 32 | static_cast<uint64_t>(awaited.protocol);
  for (const net::Address* address : {&awaited.source, &awaited.destination}) {
    word = net::mix64(word ^ net::load<uint64_t>(&address->bytes[0]));
    word = net::mix64(word ^ net::load<uint64_t>(&address->bytes[8]));
  }
  return static_cast<uint32_t>(word) % (places_ / kWays) * kWays;
}

bool Announcements::read(const Place& place, Announcement& out) {
  std::array<uint64_t, kWords> words;
  for (int tries = 0; tries < 4; ++tries) {
    const uint32_t before = place.version.load(std::memory_order_acquire);
    if (before == 0) return false;
    for (size_t i = 0; i < kWords; ++i) words[i] = place.words[i].load(std::memory_order_acquire);
    if (before % 2 == 0 && place.version.load(std::memory_order_relaxed) == before) {
      std::memcpy(static_cast<void*>(&out), words.data(), sizeof out);
      return true;
    }
  }
  return false;
}

void Announcements::write(Place& place, const Announcement& announcement) {
  std::array<uint64_t, kWords> words{};
  std::memcpy(words.data(), static_cast<const void*>(&announcement), sizeof announcement);
  const uint32_t version = place.version.load(std::memory_order_relaxed);
  place.version.store(version + 1, std::memory_order_relaxed);
  // Release: no word is seen before the odd version.
  for (size_t i = 0; i < kWords; ++i) place.words[i].store(words[i], std::memory_order_release);
  place.version.store(version + 2, std::memory_order_release);
}

bool Announcements::put(uint16_t by, const Announcement& announcement, net::Tick now) {
  Board& board = *boards_[by];
  Place* places = &board.places[home(announcement.awaited)];
  Place* free = nullptr;
  Announcement there;
  for (uint32_t i = 0; i < kWays; ++i) {
    const bool used = read(places[i], there) && !is_due(there, now);
    if (used && there.awaited == announcement.awaited) {
      write(places[i], announcement);
      return true;
    }
    if (!used && free == nullptr) free = &places[i];
  }
  if (free == nullptr) return false;
  // One that is due but not taken down yet counts already.
  const bool counted = read(*free, there) && there.until != 0;
  write(*free, announcement);
  if (!counted) {
    board.count.store(board.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  return true;
}

bool Announcements::find(const Awaited& awaited, net::Tick now, Announcement& out) const {
  const uint32_t at = home(awaited);
  for (const auto& board : boards_) {
    if (board->count.load(std::memory_order_acquire) == 0) continue;
    for (uint32_t i = 0; i < kWays; ++i) {
      if (read(board->places[at + i], out) && out.awaited == awaited && !is_due(out, now)) {
        return true;
      }
    }
  }
  return false;
}

void Announcements::expire(uint16_t by, net::Tick now) {
  constexpr uint32_t kSlice = 16;
  Board& board = *boards_[by];
  if (board.count.load(std::memory_order_relaxed) == 0) return;
  for (uint32_t i = 0; i < kSlice; ++i) {
    Place& place = board.places[board.next];
    board.next = (board.next + 1) % places_;
    Announcement there;
    if (!read(place, there) || there.until == 0 || !is_due(there, now)) continue;
    there.until = 0;
    write(place, there);
    board.count.store(board.count.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }
}

}  // namespace nezu::steer
