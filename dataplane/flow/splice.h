// A TCP flow in which bytes are put in, taken out or replaced: what its numbers change by.
//
// A `Change` belongs to one of the two streams of a connection. Everything that its sender says is
// numbered as the sender numbers it; the receiver's numbers differ by `before` up to the place
// where bytes were changed, and by `after` behind it:
//
//   sender     ......... at | removed | ..........        after = before + put - removed
//   receiver   at + before  | put          | .....
//
// Sequence numbers go from the sender's to the receiver's, acknowledgements and SACK blocks, which
// the receiver writes, the other way. A number within the changed bytes is taken for their begin,
// so that they are acknowledged as a whole or not at all.
//
// One change of a stream is remembered. The next may be made when the receiver has acknowledged
// this one: whatever the sender sends again from before it is old to the receiver with either
// number.
//
// `Splices` keeps the records of one worker's flows, in memory that outlives the process (file.h):
// which are in use stands in them; what finds them is built from that. One worker only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/flow/entry.h"
#include "dataplane/tables/layout.h"

namespace nezu::flow {

/// How far `a` lies ahead of `b` (RFC 9293 3.4: modulo 2^32).
constexpr int32_t ahead_of(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); }

struct Change {
  /// What the bytes are: of the client's address, or of an application (alg/).
  enum class Kind : uint16_t { none, proxy_header, text };
  static constexpr uint32_t kMost = 8191;  ///< bytes that are removed, or put

  uint32_t at = 0;  ///< the sender's number of the first changed byte
  int32_t before = 0, after = 0;
  /// Of whoever reads: what FTP says and how (path_ftp.cc); what RTSP still has of a body or has
  /// read of a length (path_rtsp.cc).
  uint32_t said = 0;
  uint16_t removed = 0;  ///< bytes
  uint16_t put : 13 = 0;
  uint16_t acknowledged : 1 = 0;  ///< the receiver has all that was put
  Kind kind : 2 = Kind::none;

  bool exists() const { return kind != Kind::none; }
  /// The bytes may be asked for again.
  bool is_pending() const { return exists() && acknowledged == 0; }
  void begin(Kind what, uint32_t where, uint32_t takes_out, uint32_t puts_in) {
    before = after;
    after = before + static_cast<int32_t>(puts_in) - static_cast<int32_t>(takes_out);
    at = where;
    removed = static_cast<uint16_t>(takes_out);
    put = static_cast<uint16_t>(puts_in & kMost);
    kind = what;
    acknowledged = 0;
  }

  /// The receiver's number of what the sender sends as `sequence`; within the changed bytes, and at
  /// their begin while they are pending, that of their begin.
  uint32_t sequence(uint32_t number) const {
    if (!exists() || is_behind(number)) return number + static_cast<uint32_t>(after);
    if (ahead_of(number, at) <= 0) return number + static_cast<uint32_t>(before);
    return at + static_cast<uint32_t>(before);
  }
  /// The sender's number of what the receiver acknowledges as `number`.
  uint32_t acknowledgement(uint32_t number) const {
    const uint32_t begin = at + static_cast<uint32_t>(before);
    if (!exists() || ahead_of(number, begin + put) >= 0) {
      return number - static_cast<uint32_t>(after);
    }
    if (ahead_of(number, begin) <= 0) return number - static_cast<uint32_t>(before);
    return at;
  }
  /// The receiver acknowledges up to `number`, its own. True: the first time all that was put.
  bool hear(uint32_t number) {
    if (!is_pending() || ahead_of(number, at + static_cast<uint32_t>(before) + put) < 0) {
      return false;
    }
    acknowledged = 1;
    return true;
  }
  /// The sender is that far: a change so long ago that its place would soon seem to lie ahead is
  /// forgotten.
  void pass(uint32_t number) {
    constexpr int32_t kLongAgo = 1 << 30;
    if (exists() && acknowledged != 0 && ahead_of(number, at) > kLongAgo) {
      kind = Kind::none;
      before = after;
    }
  }

 private:
  bool is_behind(uint32_t number) const {
    const int32_t ahead = ahead_of(number, at + removed);
    return ahead > 0 || (ahead == 0 && (removed != 0 || acknowledged != 0));
  }
};

struct alignas(64) Splice {
  std::array<Change, 2> changes;  ///< by the stream's direction
  uint32_t flow = net::kNoFlow;   ///< FlowId's word, to_server
  // Of a stream that is read (FTP, RTSP), by its direction:
  std::array<uint32_t, 2> read{};   ///< the sender's number of the first byte that is not read yet
  std::array<uint32_t, 2> heard{};  ///< the sender's number up to which it was acknowledged
  std::array<uint8_t, 2> phase{};   ///< within what `read` lies, of whoever reads
  uint8_t state = 0;                ///< likewise (path_lines.h)
  uint8_t valid = 0;                ///< 1: everything else is complete

  Change& of(Direction direction) { return changes[index(direction)]; }
  /// All but whose it is.
  void take(const Splice& other) {
    changes = other.changes;
    read = other.read;
    heard = other.heard;
    phase = other.phase;
    state = other.state;
  }
};
static_assert(sizeof(Splice) == tables::kSpliceBytes);

class Splices {
 public:
  Splices() : Splices(std::span<Splice>{}) {}
  /// Records of an earlier process are found by their flows from the start; `keep` them or not.
  explicit Splices(std::span<Splice> records);

  Splice* find(FlowId id) {
    for (uint32_t at = heads_[slot_of(id)]; at != kEnd; at = next_[at]) {
      if (records_[at].flow == key_of(id)) return &records_[at];
    }
    return nullptr;
  }
  /// Null: none is free. The flow has none yet.
  Splice* insert(FlowId id);
  void erase(FlowId id);
  /// At start: erases every record for which `is_needed(FlowId)` is false.
  template <typename IsNeeded>
  void keep(IsNeeded is_needed) {
    for (Splice& record : records_) {
      if (record.valid != 0 && !is_needed(FlowId(record.flow))) erase(FlowId(record.flow));
    }
  }

  uint32_t capacity() const { return static_cast<uint32_t>(records_.size()); }
  uint32_t used() const { return used_; }

 private:
  static constexpr uint32_t kEnd = 0xffffffff;
  static uint32_t key_of(FlowId id) { return id.towards(Direction::to_server).word(); }
  /// Entries are numbers that follow one another: their low bits spread them.
  uint32_t slot_of(FlowId id) const {
    return (id.entry() * 2 + (id.wide() ? 1 : 0)) & (static_cast<uint32_t>(slots_) - 1);
  }
  void link(uint32_t at);

  std::span<Splice> records_;
  size_t slots_ = 1;
  std::unique_ptr<uint32_t[]> heads_, next_, free_;
  uint32_t used_ = 0;
};

}  // namespace nezu::flow
