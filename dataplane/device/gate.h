// One thread's way to all ports: receives from its own queues, collects what is to be sent, gives
// buffers back.
//
// One object per thread, used by that thread only (or, before the workers run, by the housekeeper
// in their place). Whatever comes out of a Burst goes to exactly one of send, release, or another
// thread by its buffer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/capture/recorder.h"
#include "dataplane/device/ports.h"
#include "dataplane/net/packet.h"
#include "dataplane/steer/handover.h"
#include "dataplane/tables/layout.h"

struct rte_mbuf;

namespace nezu::device {

class Gate {
 public:
  Gate(Ports& ports, uint16_t thread);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Counters of what this gate drops and sends; null: uncounted.
  void count_in(tables::WorkerLine* line) { line_ = line; }
  /// Sees what this gate drops; null: nobody.
  void show_to(capture::Recorder* recorder) { recorder_ = recorder; }
  /// For a recorder of packets in buffers.
  static capture::Buffers buffers();

  uint32_t sources() const { return static_cast<uint32_t>(sources_.size()); }
  /// A burst from one of this thread's queues; frames for other hosts are dropped on the way.
  void receive(uint32_t source, net::Burst& burst);
  /// Buffers from another thread become packets of this one.
  void take(std::span<const steer::Given> given, net::Burst& burst);
  /// One alone.
  net::Packet& take(void* buffer, net::Burst& burst);

  /// To leave by `port` at the next flush.
  void send(net::Packet& packet, uint16_t port);
  /// The same of a copy: the packet stays the caller's. False when no buffer is free.
  bool send_copy(net::Packet& packet, uint16_t port);
  /// Pieces of a packet, none longer than `longest` (of IP), as if they had come in where it did.
  /// The packet stays the caller's. 0: there is not room for all, or no buffer.
  uint32_t split(net::Packet& packet, uint16_t longest, std::span<steer::Given> out);
  /// A frame of our own, without a tag; it leaves with that of `vlan`, if that is not 0. False when
  /// no buffer is free.
  bool send_frame(std::span<const uint8_t> frame, uint16_t port, uint16_t vlan = 0);
  /// The same for many pieces: `fill` writes up to `room` bytes and says how many.
  template <typename Fill>
  bool send_filled(uint16_t port, uint16_t vlan, Fill fill) {
    const Blank blank = blank_buffer(port);
    if (blank.buffer == nullptr) return false;
    const uint32_t tag = vlan != 0 ? kTagBytes : 0;
    const uint32_t length = fill(std::span<uint8_t>(blank.bytes, blank.room).subspan(tag));
    if (tag != 0 && length != 0) put_tag(blank.bytes, vlan);
    send_blank(blank, length != 0 ? length + tag : 0, port);
    return true;
  }
  /// A frame of our own, as if it had come in by that port; null when no buffer is free.
  void* make(std::span<const uint8_t> frame, uint16_t port);
  /// Gives everything collected to the ports, and what others gave for our queues; says how many
  /// the latter were.
  uint32_t flush();

  void release(net::Packet& packet) { release(packet.buffer); }
  static void release(void* buffer);
  /// What stages changed comes into the buffer, before another thread gets that.
  static void settle(net::Packet& packet);
  /// Its contiguous bytes.
  static std::span<const uint8_t> bytes_of(const void* buffer);
  /// The port that a buffer came in by.
  static uint16_t port_of(const void* buffer);
  /// The VLAN of the frame's tag; 0: it has none, or one of a priority only.
  static uint16_t vlan_of(const void* buffer);
  /// Takes the frame's tag off, if it has one.
  static void untag(void* buffer);

 private:
  struct Blank {
    rte_mbuf* buffer = nullptr;
    uint8_t* bytes = nullptr;
    uint32_t room = 0;
  };
  struct Exit {
    uint16_t device = 0, queue = 0, mtu = 0;
    bool own = false;
    bool sends_segments = false, sums_sent = false, sums_received = false;
    bool asks = false;  ///< some that wait ask for sums
    uint32_t count = 0;
    uint64_t bytes = 0;  ///< of those
    rte_mbuf* waiting[net::kBurstCapacity];
    std::vector<uint16_t> lenders;  ///< threads that send through this queue of ours
    size_t next_lender = 0;
  };

  static constexpr uint32_t kTagBytes = 4;

  Blank blank_buffer(uint16_t port);
  /// The addresses, which stand behind the room for a tag, move to the front of it.
  static void put_tag(uint8_t* frame, uint16_t vlan);
  void send_blank(const Blank& blank, uint32_t length, uint16_t port);
  void add(rte_mbuf* buffer, uint16_t port);
  void transmit(Exit& exit, uint16_t port, bool lent = false);
  uint32_t leave(Exit& exit, uint16_t port);
  uint32_t send_lent(Exit& exit, uint16_t port, uint16_t lender);
  void count(net::Reason reason, uint64_t packets);
  void show(rte_mbuf* buffer, uint16_t port, net::Reason reason);
  void refuse(rte_mbuf* buffer, uint16_t port, net::Reason reason);
  bool is_for_us(const net::Packet& packet, uint16_t port) const;

  Ports& ports_;
  uint16_t thread_;
  tables::WorkerLine* line_ = nullptr;
  capture::Recorder* recorder_ = nullptr;
  std::vector<Ports::Source> sources_;
  std::vector<Exit> exits_;
};

}  // namespace nezu::device
