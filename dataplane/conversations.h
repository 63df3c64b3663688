// Whom the kernel talks to: what comes from them reaches it by a ring of its own, whatever floods
// the address that they talk to.
//
// The housekeeper notes what twins send; any worker asks, without a lock. What a stranger's packet
// makes the kernel say is no conversation: the answer to an opening, a RST, the answer to a ping,
// an ICMP error. So forged packets make none, but datagrams that some program answers: these
// have room of their own and push out none of the rest. TCP connections that the kernel has closed,
// or that nobody has answered, make room first: checks of many servers push out no session that is
// silent for a minute. Network instances are not told apart: two alike favour a stranger, no more.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/net/hash.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/time.h"

namespace nezu::dataplane {

class Conversations {
 public:
  static constexpr uint32_t kWays = 4, kSets = 8192;  ///< of datagrams, and of all else
  static constexpr uint32_t kAskedSets = 1024;        ///< of neighbours whose MAC is asked for

  /// `seed`: not for strangers to know.
  explicit Conversations(uint64_t seed);

  /// A frame that a twin sends, untagged. The housekeeper.
  void note(std::span<uint8_t> frame, net::Tick now);
  /// Whether a packet for a twin is of one, or answers what ARP or NDP was asked. Any worker.
  bool have(const net::Packet& packet) const;

 private:
  /// What is known of one (upper half, never 0), and when the kernel spoke last (lower half), whose
  /// two lowest bits are a Phase.
  using Word = std::atomic<uint64_t>;
  struct alignas(32) Set {
    std::array<Word, kWays> words{};
  };
  struct Key {
    uint32_t set = 0;
    uint32_t tag = 0;
  };
  Key key(const net::Packet& packet, bool mirrored) const;
  Key key(const net::Address& asked) const;
  enum class Phase : uint32_t { standing, opening, ended };
  void note(const Key& at, Phase phase, net::Tick now);
  /// The kernel has cut it off.
  void end(const Key& at);

  net::FlowHash hash_;
  std::unique_ptr<Set[]> sets_;  // the housekeeper
};

}  // namespace nezu::dataplane
