// Whether a bridge may pass frames on: of several boxes between the same two networks exactly one
// does, without a spanning tree.
//
// A pure value: hellos that were heard, links and the time come in; a state, hellos that are due
// and a lease come out. No packets, clock or I/O. The housekeeper's.
//
//              both links           hold, nobody better        two hellos, none came back
//   (down) ----------------> listening --------> claiming -----------------------> bridging
//                                |                |    ^                              |
//              hold, a better one|                |    +------- our hello came back --+
//                                v                |                                   |
//                           standing_by <---------+----------- a better one ----------+
//                                |  it has been silent on either side for the hold time: bridging
//   claiming for the hold time, and our hellos still come back: loop. When none has come for the
//   hold time: listening. From every state, a link is lost: down.
//
// "A better one" is heard on both sides within the hold time. Boxes in series hear each other on
// one side only, and all bridge. Hellos of others pass as every frame does, so that a box also
// hears those with which it shares no network. Our own come back while a worse box, which bridged
// before, has not heard us yet: that ends while we claim; what does not end is a loop that somebody
// else closes.
//
// The lease: whoever cannot say hello (stopped, starved) bridges no more before the others take
// over. The packet path compares it with the time of its turn.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/link/hello.h"
#include "dataplane/net/time.h"
#include "dataplane/tables/layout.h"

namespace nezu::link {

class BridgeGuard {
 public:
  using State = tables::BridgeState;

  BridgeGuard(const BridgeId& id, uint64_t hold_ns) : id_(id), hold_(hold_ns) {}

  /// A hello came in by that side.
  void hear(const Hello& hello, BridgeSide at, net::Instant now);
  void set_links(bool both_up, net::Instant now);
  /// What the time makes of it; often. True: say hello by both sides.
  bool tick(net::Instant now);

  const BridgeId& id() const { return id_; }
  State state() const { return state_; }
  /// Hellos say so.
  bool listens() const { return state_ == State::listening; }
  /// The best of those that it stands by for; all zeros: none.
  net::MacAddress better() const {
    return state_ == State::standing_by ? better_.mac : net::MacAddress{};
  }
  /// Frames may pass until then; 0: they may not.
  net::Instant open_until() const {
    return state_ == State::bridging ? net::after(said_, hold_ - interval()) : net::Instant{};
  }
  uint64_t interval() const { return hold_ / 5; }

 private:
  struct Other {
    BridgeId id;
    std::array<net::Instant, 2> heard{};  ///< by side
  };
  static constexpr size_t kMost = 8;  ///< other boxes; of more, the ones heard last

  bool within(net::Instant when, uint64_t time, net::Instant now) const {
    return when.nanoseconds != 0 && now < net::after(when, time);
  }
  bool find_better(net::Instant now);
  void go(State state, net::Instant now);
  void look(net::Instant now);

  BridgeId id_;
  uint64_t hold_;
  State state_ = State::down;
  bool links_up_ = false;
  net::Instant since_;  ///< in this state
  net::Instant said_;   ///< the last hello
  bool says_ = false;   ///< one is due now
  net::Instant came_back_;
  BridgeId better_;
  std::array<Other, kMost> others_{};
};

}  // namespace nezu::link
