// TCP connections whose lines are read: one after the other, and changed where what they announce
// is somewhere else for whom they are told.
//
// Nothing passes before its turn, so that every line is read once, in order. What a reader skips
// (bodies, frames) may come in any order. What comes again is changed again, the same way
// (flow::Change). Of a segment that holds more than may pass now the first part goes on; the sender
// sends the rest again. A line that has begun and may matter waits here: its bytes are
// acknowledged, as Nagle's algorithm would keep the rest back for ever, and from then on they are
// ours to send again, in front of what their sender still owes.
#include "dataplane/path_lines.h"

#include "dataplane/alg/ftp.h"
#include "dataplane/forward/family.h"
#include "dataplane/forward/gap.h"
#include "dataplane/forward/numbers.h"
#include "dataplane/forward/reply.h"

namespace nezu::path {
namespace {

using flow::ahead_of;
using flow::Change;
using flow::Direction;
using flow::FlowId;
using net::Reason;

constexpr uint32_t kMostPayload = 4096;  ///< of a segment that changes

/// What leaves in place of what came.
struct Scratch {
  std::array<char, kMostPayload> text;  // NOLINT: filled up to `length`
  uint32_t length = 0;
  bool add(std::string_view more) {
    if (length + more.size() > text.size()) return false;
    std::memcpy(text.data() + length, more.data(), more.size());
    length += static_cast<uint32_t>(more.size());
    return true;
  }
  std::string_view view() const { return {text.data(), length}; }
};

std::string_view payload_of(const net::Packet& packet) {
  const uint32_t from = packet.l4 + packet.at<net::Tcp>(packet.l4)->header_length();
  return {reinterpret_cast<const char*>(packet.head) + from, packet.l3 + packet.ip_length - from};
}

/// One segment on its way through the stages below.
class Segment {
 public:
  Segment(Turn& turn, net::Packet& packet, FlowId id, flow::Splice& splice)
      : turn_(turn),
        packet_(packet),
        id_(id),
        splice_(splice),
        own_(splice.of(id.direction())),
        read_(splice.read[index(id.direction())]),
        payload_(payload_of(packet)),
        length_(static_cast<uint32_t>(payload_.size())),
        there_(packet.l3 + packet.ip_length <= packet.head_length
                   ? payload_.size()
                   : payload_.size() -
                         (packet.l3 + uint32_t{packet.ip_length} - packet.head_length)),
        is_rtsp_((splice.state & lines::kRtsp) != 0) {}

  bool follow();

 private:
  bool end(Reason reason) {
    packet_.drop(reason);
    return false;
  }
  Reason waits() const { return is_rtsp_ ? Reason::rtsp_line_waits : Reason::ftp_line_waits; }
  Reason out_of_order() const {
    return is_rtsp_ ? Reason::rtsp_out_of_order : Reason::ftp_out_of_order;
  }
  uint32_t heard() const { return splice_.heard[index(id_.direction())]; }
  void set_place(const Place& place);
  bool holds_line() const;
  bool follows_change(uint32_t start) const;
  bool is_behind_all_changes(uint32_t start) const;
  bool read_on(size_t known);
  void keep_within_the_way_out(size_t known, bool has_held, Reading& reading);
  bool begin_change(const Reading& reading, uint32_t base, std::string_view text, uint32_t before);
  bool hold(std::string_view text, uint32_t base);
  bool again();
  bool again_with_change(uint32_t start, int32_t from, int32_t to);
  void cut(size_t length) {
    payload_ = payload_.substr(0, length);
    is_cut_ = true;
  }
  bool is_whole() const { return there_ == length_; }
  /// Leaves as it is, up to where it was cut.
  bool pass(uint32_t start) {
    if (!is_cut_) return true;
    return write(payload_.substr(0, std::min(payload_.size(), there_)), start);
  }
  std::string_view text_of(const Change& change, std::span<char> room) const;
  uint32_t most_payload() const;
  bool write(std::string_view text, uint32_t sequence);
  void acknowledge(uint32_t number);

  Turn& turn_;
  net::Packet& packet_;
  const FlowId id_;
  flow::Splice& splice_;
  Change& own_;
  uint32_t& read_;
  std::string_view payload_;
  const uint32_t length_;  ///< of all of it
  const size_t there_;     ///< that much of it lies in one piece
  const bool is_rtsp_;
  bool is_cut_ = false;
  Scratch out_;
};

/// What the receiver gets in place of the changed bytes; empty: it is not known any more.
std::string_view Segment::text_of(const Change& change, std::span<char> room) const {
  if (!is_rtsp_ && !is_verbatim_ftp(change)) return ftp_text_of(turn_, id_, change, room);
  const HeldLines::Line* line = turn_.state.held.find(id_);
  return line != nullptr && line->is_whole ? line->view() : std::string_view{};
}

void Segment::set_place(const Place& place) {
  splice_.phase[index(id_.direction())] = place.phase;
  if (is_rtsp_) own_.said = place.left;
}

/// In order, once: `read_` moves on. The first `known` bytes were read, or skipped, before.
bool Segment::read_on(size_t known) {
  HeldLines::Line* held = turn_.state.held.find(id_);
  if (held != nullptr && held->is_whole) {
    if (!own_.is_pending()) turn_.state.held.drop(id_);
    held = nullptr;  // of a line that has gone
  }
  if (known > there_) {
    cut(there_);
    return pass(packet_.at<net::Tcp>(packet_.l4)->sequence);
  }
  const uint32_t before = held != nullptr ? held->length : 0;
  std::string_view text = payload_.substr(known, there_ - known);
  Scratch whole;
  if (before != 0) {
    whole.add(held->view());
    if (!whole.add(text.substr(0, kMostPayload - before))) return end(waits());
    text = whole.view();
  }
  Reading reading;
  (is_rtsp_ ? read_rtsp : read_ftp)(turn_, id_, splice_, text, own_.is_pending(), reading);
  const uint32_t base = read_ - before, start = base - static_cast<uint32_t>(known);
  const bool fin = (packet_.tcp_flags & net::kTcpFin) != 0;
  if (reading.passes == 0 && known != 0) {
    cut(known);
    return pass(start);
  }
  if (reading.passes == 0 && reading.reason != Reason::none) return end(reading.reason);
  if (reading.passes == 0 && !text.empty() && !fin) return hold(text, base);
  if (reading.passes == 0) reading.passes = text.size();  // nothing follows that would end it

  keep_within_the_way_out(known, before != 0, reading);
  const bool changes = before != 0 || reading.count() != 0;
  if (changes && !begin_change(reading, base, text, before)) return end(waits());
  set_place(reading.place);
  read_ = base + static_cast<uint32_t>(reading.passes);
  if (!changes) {
    if (known + reading.passes < payload_.size()) cut(known + reading.passes);
    return pass(start);
  }
  const size_t here = std::min(reading.passes, text.size());
  is_cut_ = known + here < payload_.size() + before;
  const uint32_t from = own_.at - base, to = from + own_.removed;
  std::array<char, alg::kMostFtpText> room;
  const std::string_view passing = text.substr(0, here);
  const bool fits = out_.add(payload_.substr(0, known)) && out_.add(passing.substr(0, from)) &&
                    out_.add(text_of(own_, room)) &&
                    out_.add(passing.substr(std::min<size_t>(to, passing.size())));
  return fits ? write(out_.view(), start) : end(waits());
}

uint32_t Segment::most_payload() const {
  const uint32_t headers =
      packet_.l4 - packet_.l3 + packet_.at<net::Tcp>(packet_.l4)->header_length();
  const uint32_t mtu = turn_.hops[static_cast<size_t>(&packet_ - turn_.part.data())]->mtu;
  const int32_t growth = is_mixed(turn_, id_) ? forward::family_growth(packet_) : 0;
  const auto most = static_cast<uint32_t>(static_cast<int32_t>(mtu) - growth) - headers;
  return std::min({most, packet_.room - packet_.l3 - headers, kMostPayload});
}

/// A line that grows is the last one, or the first of a segment of its own, where the way out has
/// no room for all. A line that alone has none stays as it is.
void Segment::keep_within_the_way_out(size_t known, bool has_held, Reading& reading) {
  // What is held is remembered with all behind it up to the last change.
  const auto fits = [&] {
    return known + reading.length() <= most_payload() &&
           (!has_held ||
            reading.length() - reading.passes + reading.reach() <= HeldLines::kMostText);
  };
  while (reading.count() != 0 && !fits()) {
    if (reading.last().line_end < reading.passes) {
      reading.stop_behind_last();
    } else if (known + reading.last().line != 0) {
      reading.stop_before_last();
    } else {
      reading.change_nothing();
      turn_.state.line.reasons[static_cast<size_t>(is_rtsp_ ? Reason::rtsp_line_too_long : waits())]
          .add(1);
    }
  }
}

/// What changes in `text` becomes the stream's. What was held stands for itself from now on,
/// whatever in it is changed. False: there is no room.
bool Segment::begin_change(const Reading& reading, uint32_t base, std::string_view text,
                           uint32_t before) {
  const bool edits = reading.count() != 0;
  uint32_t from = before != 0 ? 0 : reading.edit(0).begin;
  uint32_t to = edits ? std::max(before, reading.reach()) : before;
  if (before == 0 && !is_rtsp_) {
    own_.begin(Change::Kind::text, base + from, to - from,
               static_cast<uint32_t>(reading.edit(0).put.size()));
    own_.said = reading.edit(0).said;
    return true;
  }
  Scratch line;
  for (uint32_t i = 0, at = from; i <= reading.count(); ++i) {
    const bool last = i == reading.count();
    if (!line.add(text.substr(at, (last ? to : reading.edit(i).begin) - at))) return false;
    if (last) break;
    if (!line.add(reading.edit(i).put)) return false;
    at = reading.edit(i).end;
  }
  HeldLines::Line* held = turn_.state.held.find(id_);
  if (held == nullptr) held = turn_.state.held.take(id_);
  if (held == nullptr || line.length > held->text.size() || to - from > Change::kMost) return false;
  std::memcpy(held->text.data(), line.text.data(), line.length);
  held->length = line.length;
  held->is_whole = true;
  own_.begin(Change::Kind::text, base + from, to - from, line.length);
  if (!is_rtsp_) set_verbatim_ftp(own_);
  return true;
}

/// A line that has begun: it is acknowledged, and waits for its end.
bool Segment::hold(std::string_view text, uint32_t base) {
  HeldLines::Line* line = turn_.state.held.find(id_);
  if (line == nullptr) line = turn_.state.held.take(id_);
  // An acknowledgement says that all before it has arrived as well.
  const bool arrived = heard() == base;
  if (line == nullptr || line->is_whole || text.size() > line->text.size() || !arrived) {
    if (line != nullptr && line->length == 0) turn_.state.held.drop(id_);
    return end(waits());
  }
  std::memcpy(line->text.data(), text.data(), text.size());
  line->length = static_cast<uint32_t>(text.size());
  read_ = base + line->length;
  acknowledge(read_);
  return false;
}

/// Bytes that were read before: as they were changed then.
bool Segment::again() {
  const uint32_t start = packet_.at<net::Tcp>(packet_.l4)->sequence;
  const HeldLines::Line* held = turn_.state.held.find(id_);
  const uint32_t waiting = held != nullptr && !held->is_whole ? held->length : 0;
  const int32_t known = ahead_of(read_ - waiting, start);
  if (known <= 0) {
    acknowledge(read_);  // once more: it waits here
    return false;
  }
  if (payload_.size() > static_cast<size_t>(known)) cut(static_cast<size_t>(known));
  const auto length = static_cast<int32_t>(payload_.size());
  const int32_t from = ahead_of(own_.at, start), to = from + own_.removed;
  const bool overlaps = own_.kind == Change::Kind::text && length > from && to > 0;
  return overlaps || follows_change(start) ? again_with_change(start, from, to) : pass(start);
}

bool Segment::again_with_change(uint32_t start, int32_t from, int32_t to) {
  // Room for what it may grow by, within what lies in one piece.
  const size_t most = std::min(size_t{kMostPayload - HeldLines::kMostText}, there_);
  if (payload_.size() > most) cut(most);
  if (from >= static_cast<int32_t>(payload_.size())) return pass(start);
  std::array<char, alg::kMostFtpText> room;
  const std::string_view text = text_of(own_, room);
  if (text.size() != own_.put) {
    if (own_.is_pending()) return end(waits());
    acknowledge(heard());  // the receiver has it
    return false;
  }
  const bool fits = (from <= 0 || out_.add(payload_.substr(0, static_cast<size_t>(from)))) &&
                    out_.add(text) &&
                    (to >= static_cast<int32_t>(payload_.size()) ||
                     out_.add(payload_.substr(static_cast<size_t>(to))));
  return fits ? write(out_.view(), from < 0 ? own_.at : start) : end(waits());
}

/// `text` becomes what the segment says. A sum that was wrong must not come out right.
bool Segment::write(std::string_view text, uint32_t sequence) {
  const uint32_t begin = packet_.l4 + packet_.at<net::Tcp>(packet_.l4)->header_length();
  if (text.size() > most_payload()) {  // the sender sends the rest again
    text = text.substr(0, most_payload());
    is_cut_ = true;
  }
  const uint32_t end_at = begin + static_cast<uint32_t>(text.size());
  const uint16_t told = packet_.at<net::Tcp>(packet_.l4)->checksum.raw();
  if (is_whole()) forward::sum_tcp(packet_);
  auto& tcp = *packet_.at<net::Tcp>(packet_.l4);
  if (tcp.checksum.raw() != told) return end(Reason::transport_checksum);
  std::memmove(packet_.head + begin, text.data(), text.size());
  packet_.length = packet_.head_length = end_at;
  packet_.ip_length = static_cast<uint16_t>(end_at - packet_.l3);
  forward::write_ip_length(packet_);
  tcp.sequence = sequence;
  if (is_cut_) tcp.flags = static_cast<uint8_t>(tcp.flags & ~net::kTcpFin);
  forward::sum_tcp(packet_);
  return true;
}

/// What came is ours now, or its receiver's: its sender hears so.
void Segment::acknowledge(uint32_t number) {
  if (!forward::reply_acknowledgement(packet_, number)) packet_.drop(waits());
}

bool Segment::holds_line() const {
  const HeldLines::Line* held = turn_.state.held.find(id_);
  return held != nullptr && !held->is_whole;
}

/// What was held may be in front of it: its sender will not send it again.
bool Segment::follows_change(uint32_t start) const {
  return own_.kind == Change::Kind::text && own_.is_pending() && own_.at + own_.removed == start;
}

/// Nothing that was changed or waits here lies from `start` on.
bool Segment::is_behind_all_changes(uint32_t start) const {
  const bool changed =
      own_.kind == Change::Kind::text && ahead_of(own_.at + own_.removed, start) > 0;
  return !changed && !follows_change(start) && !holds_line();
}

bool Segment::follow() {
  const bool fin = (packet_.tcp_flags & net::kTcpFin) != 0;
  const uint32_t sequence = packet_.at<net::Tcp>(packet_.l4)->sequence;
  if ((packet_.tcp_flags & net::kTcpSyn) != 0) {
    // Once more, when both are past it, it says nothing new.
    if (turn_.state.flows.track(id_).state > tables::Timeout::syn_received) return true;
    read_ = splice_.heard[index(id_.direction())] = sequence + 1;
    return true;
  }
  if (payload_.empty() && !fin) return true;
  const int32_t ahead = ahead_of(sequence, read_);
  // A line that waits here when the other side has ended the reading is read out all the same.
  const bool opaque = (splice_.state & lines::kOpaque) != 0 && !holds_line();
  if (ahead < 0) {
    const auto known = static_cast<size_t>(-static_cast<int64_t>(ahead));
    const bool goes_on = payload_.size() > known && is_behind_all_changes(sequence);
    if (goes_on && opaque) {
      read_ = sequence + length_;
      return true;
    }
    return payload_.empty() || (goes_on ? read_on(known) : again());
  }
  if (opaque) {
    if (ahead == 0) read_ += length_;
    return true;
  }
  if (ahead > 0) return fin && payload_.empty() ? true : end(out_of_order());
  if (payload_.empty() && follows_change(sequence)) {
    return again_with_change(sequence, -int32_t{own_.removed}, 0);
  }
  return read_on(0);
}

}  // namespace

bool follow_lines(Turn& turn, net::Packet& packet, FlowId id, flow::Splice& splice) {
  const Direction theirs = opposite(id.direction());
  if ((packet.tcp_flags & net::kTcpAck) != 0) {
    const uint32_t number =
        splice.of(theirs).acknowledgement(packet.at<net::Tcp>(packet.l4)->acknowledgement);
    uint32_t& heard = splice.heard[index(theirs)];
    const bool first = (packet.tcp_flags & net::kTcpSyn) != 0 &&
                       turn.state.flows.track(id).state <= tables::Timeout::syn_received;
    if (first || ahead_of(number, heard) > 0) heard = number;
  }
  return Segment(turn, packet, id, splice).follow();
}

}  // namespace nezu::path
