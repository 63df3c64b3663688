// Connections that an earlier one has announced (FTP, TFTP, SIP, RTSP) and that may come to any
// worker.
//
// One board for each worker: only it writes there, all read, nobody waits. What is on a board
// before the announcement leaves is seen by whoever receives what answers it. A reader copies an
// entry and looks whether it was written meanwhile. Boards have a fixed size; an entry is there for
// a minute (media of a call: longer), or until it is announced anew.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/time.h"

namespace nezu::steer {

/// By what the first packet is known: its source port is anything.
struct Awaited {
  net::Address source, destination;
  uint16_t port = 0;  ///< of the destination, host order
  net::Instance instance = net::Instance::standard;
  net::Protocol protocol = net::Protocol::tcp;
  bool operator==(const Awaited&) const = default;
};

struct Announcement {
  Awaited awaited;
  /// A client comes to our address (FTP's passive mode): `near` is where its server waits. Else a
  /// server comes: `near` is where its client waits, `far` the service's address and port.
  bool from_client = true;
  bool translates_source = false;  ///< from_client: the server is to see an SNAT address
  net::Address near, far;
  uint16_t near_port = 0, far_port = 0;  ///< host order
  uint16_t server_port = 0;              ///< of the connection that announced it
  uint16_t service = 0, server = 0;      ///< slots
  uint16_t snat = 0;                     ///< slot that the server sees; flow::kNoSnat: none
  net::Tick until = 0;
};

class Announcements {
 public:
  static constexpr uint32_t kPlaces = 32768, kWays = 4;
  static constexpr net::Tick kLife = 60 * net::kTicksPerSecond;

  /// `places`: of each board.
  explicit Announcements(uint16_t workers, uint32_t places = kPlaces);
  uint32_t capacity() const { return places_; }

  /// Worker `by`, on its own board: in place of what it announced for the same, or of what nobody
  /// waits for any more. False: no place.
  bool put(uint16_t by, const Announcement& announcement, net::Tick now);
  /// Any worker: what was announced for such a packet, by whomever.
  bool find(const Awaited& awaited, net::Tick now, Announcement& out) const;
  /// Worker `by`: takes down what nobody waits for any more, a slice each time.
  void expire(uint16_t by, net::Tick now);
  /// About how many wait on that board.
  uint32_t count(uint16_t by) const { return boards_[by]->count.load(std::memory_order_relaxed); }
  bool any() const {
    for (const auto& board : boards_) {
      if (board->count.load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kWords = (sizeof(Announcement) + 7) / 8;
  /// `version` is odd while the words are written; 0: never used.
  struct Place {
    std::atomic<uint32_t> version{0};
    std::array<std::atomic<uint64_t>, kWords> words{};
  };
  struct Board {
    std::atomic<uint32_t> count{0};
    uint32_t next = 0;  ///< place that `expire` looks at
    std::unique_ptr<Place[]> places;
  };
  uint32_t home(const Awaited& awaited) const;
  static bool read(const Place& place, Announcement& out);
  static void write(Place& place, const Announcement& announcement);

  uint32_t places_;
  std::vector<std::unique_ptr<Board>> boards_;
};

}  // namespace nezu::steer
