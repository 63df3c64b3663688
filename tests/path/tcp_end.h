// One end of a TCP connection as RFC 9293 has it, for tests: a plain model that shares nothing with
// the packet path. It sends a stream, puts together what it receives, sends again what is not
// acknowledged, tells of what it holds out of order (RFC 2018), and notes whatever a right peer
// would never send.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nezu::lab {

struct TcpSegment {
  bool syn = false, ack = false, fin = false, rst = false;
  uint32_t sequence = 0, acknowledgement = 0;
  uint16_t segment_size = 0;  ///< the SYN's option; 0: none
  std::vector<std::pair<uint32_t, uint32_t>> blocks;
  std::string payload;
};

class TcpEnd {
 public:
  /// `segment_size`: what its link takes.
  TcpEnd(bool opens, uint32_t first, std::string stream, uint16_t segment_size = 1460)
      : opens_(opens),
        first_(first),
        stream_(std::move(stream)),
        link_(segment_size),
        size_(segment_size) {}

  /// What it sends now, at `time` (any unit; it sends again after `patience` of it).
  std::vector<TcpSegment> speak(uint32_t time, uint32_t patience) {
    std::vector<TcpSegment> out;
    const bool again = waits() && time - spoke_ >= patience;
    if (!opened_) {
      if (opens_ ? (!said_syn_ || again) : (heard_syn_ && (!said_syn_ || again || owes_ack_))) {
        out.push_back(make(0));
        out.back().syn = true;
        out.back().ack = !opens_;
        out.back().segment_size = link_;
        said_syn_ = true;
        owes_ack_ = false;
        spoke_ = time;
      }
      return out;
    }
    if (again) sent_ = acknowledged_;
    for (uint32_t in_flight = 0; in_flight < kWindow && may_say_more(); ++in_flight) {
      TcpSegment segment = make(sent_ + 1);
      const auto blocks = static_cast<uint32_t>(segment.blocks.size());
      segment.payload = stream_.substr(sent_, size_ - (blocks != 0 ? 4 + 8 * blocks : 0));
      sent_ += static_cast<uint32_t>(segment.payload.size());
      if (sent_ == stream_.size() && closes_) {
        segment.fin = true;
        ++sent_;
      }
      highest_ = std::max(highest_, sent_);
      out.push_back(segment);
      owes_ack_ = false;
      spoke_ = time;
    }
    if (owes_ack_) out.push_back(make(sent_ + 1));
    owes_ack_ = false;
    return out;
  }

  void hear(const TcpSegment& segment) {
    if (segment.rst) return note("a reset");
    if (segment.segment_size != 0) size_ = std::min<uint32_t>(size_, segment.segment_size);
    if (segment.syn) {
      if (heard_syn_ && segment.sequence != their_first_) return note("another SYN");
      if (opens_ != segment.ack) return note("a SYN of the wrong side");
      heard_syn_ = true;
      their_first_ = segment.sequence;
      owes_ack_ = true;
      if (opens_ && segment.acknowledgement == first_ + 1) opened_ = true;
      return;
    }
    if (!heard_syn_ || !segment.ack) return note("a segment before its SYN");
    hear_acknowledgement(segment);
    if (opened_) hear_payload(segment);
  }

  /// It keeps small segments back until all that it sent is acknowledged (RFC 1122 4.2.3.4).
  void keep_back_small_ones() { nagle_ = true; }
  /// From now on the stream ends where it is.
  void close() { closes_ = true; }
  void say(std::string_view more) { stream_ += more; }
  bool is_open() const { return opened_; }
  const std::string& heard() const { return heard_; }
  bool heard_fin() const { return heard_fin_; }
  bool is_done() const { return closes_ && acknowledged_ == stream_.size() + 1 && heard_fin_; }
  /// All that was said has arrived.
  bool is_quiet() const { return opened_ && acknowledged_ == stream_.size(); }
  /// What no right peer sends; empty: nothing.
  const std::string& complaint() const { return complaint_; }

 private:
  static constexpr uint32_t kWindow = 8;

  bool waits() const { return !opened_ ? said_syn_ : sent_ > acknowledged_; }
  bool may_say_more() const {
    const uint32_t end = static_cast<uint32_t>(stream_.size()) + (closes_ ? 1 : 0);
    if (nagle_ && sent_ > acknowledged_ && stream_.size() - sent_ < size_ && !closes_) return false;
    return sent_ < end && sent_ < acknowledged_ + kWindow * size_;
  }
  TcpSegment make(uint32_t offset) const {
    TcpSegment segment;
    segment.sequence = first_ + offset;
    segment.ack = heard_syn_;
    segment.acknowledgement =
        their_first_ + 1 + static_cast<uint32_t>(heard_.size()) + (heard_fin_ ? 1 : 0);
    for (const auto& [at, piece] : early_) {
      const uint32_t left = their_first_ + 1 + at,
                     right = left + static_cast<uint32_t>(piece.size());
      if (segment.blocks.size() < 3) segment.blocks.emplace_back(left, right);
    }
    return segment;
  }

  void hear_acknowledgement(const TcpSegment& segment) {
    const uint32_t offset = segment.acknowledgement - first_ - 1;
    if (offset > highest_ && static_cast<int32_t>(offset) > 0) {
      return note("an acknowledgement of " + std::to_string(offset) + " of " +
                  std::to_string(highest_) + " bytes");
    }
    if (!opened_ && static_cast<int32_t>(offset) >= 0) opened_ = true;
    for (const auto& [left, right] : segment.blocks) {
      const uint32_t from = left - first_ - 1, to = right - first_ - 1;
      if (from >= to || to > highest_) note("a SACK block of what was not sent");
    }
    if (static_cast<int32_t>(offset - acknowledged_) > 0) {
      acknowledged_ = offset;
      sent_ = std::max(sent_, offset);
    }
  }

  void hear_payload(const TcpSegment& segment) {
    const auto ahead = static_cast<int32_t>(segment.sequence - their_first_ - 1);
    if (ahead < -1 || ahead > (1 << 20)) return note("a sequence number far off");
    if (segment.payload.empty() && !segment.fin) return;
    owes_ack_ = true;
    if (ahead < 0) return;
    const auto at = static_cast<uint32_t>(ahead);
    if (segment.fin) their_end_ = at + static_cast<uint32_t>(segment.payload.size());
    if (!segment.payload.empty()) keep(at, segment.payload);
    if (their_end_ == heard_.size()) heard_fin_ = true;
  }
  void keep(uint32_t at, const std::string& bytes) {
    for (const auto& [other, piece] : early_) {
      check_same(other, piece, at, bytes);
    }
    check_same(0, heard_, at, bytes);
    if (at > heard_.size()) {
      std::string& piece = early_[at];
      if (piece.size() < bytes.size()) piece = bytes;
      return;
    }
    append(at, bytes);
    for (auto next = early_.begin(); next != early_.end() && next->first <= heard_.size();) {
      append(next->first, next->second);
      next = early_.erase(next);
    }
  }
  void append(uint32_t at, const std::string& bytes) {
    if (at + bytes.size() > heard_.size()) heard_ += bytes.substr(heard_.size() - at);
  }
  /// The same place of a stream holds the same bytes however often it comes.
  void check_same(size_t a, const std::string& left, size_t b, const std::string& right) {
    const size_t from = std::max(a, b), to = std::min(a + left.size(), b + right.size());
    if (from < to && left.compare(from - a, to - from, right, from - b, to - from) != 0) {
      note("other bytes than before at " + std::to_string(from));
    }
  }
  void note(std::string what) {
    if (complaint_.empty()) complaint_ = std::move(what);
  }

  bool opens_;
  uint32_t first_;
  std::string stream_;
  uint16_t link_;
  uint32_t size_;
  bool said_syn_ = false, heard_syn_ = false, opened_ = false, owes_ack_ = false;
  bool closes_ = false, heard_fin_ = false, nagle_ = false;
  uint32_t their_first_ = 0;
  uint32_t sent_ = 0, acknowledged_ = 0, highest_ = 0;  ///< bytes of the stream, a FIN included
  uint32_t spoke_ = 0;
  std::optional<uint32_t> their_end_;
  std::string heard_;
  std::map<uint32_t, std::string> early_;
  std::string complaint_;
};

}  // namespace nezu::lab
