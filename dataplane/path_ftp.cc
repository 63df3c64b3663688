// FTP control connections: lines are read one after the other, and changed where what they announce
// is somewhere else for whom they are told.
//
// Nothing passes before its turn, so that every line is read once, in order. What comes again is
// changed again, the same way (flow::Change). Of a segment that holds more than may pass now the
// first part goes on; the sender sends the rest again. A line that has begun and may matter waits
// here: its bytes are acknowledged, as Nagle's algorithm would keep the rest back for ever, and
// from then on they are ours to send again, in front of what their sender still owes.
#include "dataplane/path_ftp.h"

#include <algorithm>
#include <cstring>

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

constexpr uint8_t kVerbatim = 0xff;  ///< a change's form: as a held line has it
constexpr uint32_t kMostPayload = 2048;

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
};

std::string_view payload_of(const net::Packet& packet) {
  const uint32_t from = packet.l4 + packet.at<net::Tcp>(packet.l4)->header_length();
  return {reinterpret_cast<const char*>(packet.head) + from, packet.l3 + packet.ip_length - from};
}

constexpr uint8_t within_flag(Direction way) {
  return way == Direction::to_server ? ftp::kWithinToServer : ftp::kWithinToClient;
}

/// What the receiver gets in place of the changed bytes.
std::string_view text_of(Turn& turn, FlowId id, const Change& change,
                         std::array<char, alg::kMostFtpText>& room) {
  if (change.form == kVerbatim) {
    const HeldLines::Line* line = turn.state.held.find(id);
    return line != nullptr ? line->view() : std::string_view{};
  }
  const auto form = static_cast<alg::FtpForm>(change.form);
  const uint32_t length =
      alg::write_ftp(form, static_cast<char>(change.delimiter), address_said(turn, id, change.port),
                     change.port, room.data());
  return {room.data(), length};
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
        is_whole_(packet.l3 + packet.ip_length <= packet.head_length) {}

  bool follow();

 private:
  bool end(Reason reason) {
    packet_.drop(reason);
    return false;
  }
  bool read_on();
  bool read_lines(std::string_view text);
  bool hold(std::string_view text);
  bool again();
  void cut(size_t length) {
    payload_ = payload_.substr(0, length);
    is_cut_ = true;
  }
  /// No more than lies in one piece and has room for what it may grow by.
  void keep_readable() {
    const size_t most = kMostPayload - HeldLines::kMostText - alg::kMostFtpText;
    const size_t there = is_whole_ ? payload_.size() : payload_.size() - behind_first_piece();
    if (std::min(most, there) < payload_.size()) cut(std::min(most, there));
  }
  size_t behind_first_piece() const {
    return packet_.l3 + uint32_t{packet_.ip_length} - packet_.head_length;
  }
  uint32_t most_payload() const;
  void keep_within_the_way_out(uint32_t before);
  void begin_change(uint32_t base, std::string_view text, uint32_t before, bool& fits);
  bool write(uint32_t sequence);
  void acknowledge();

  Turn& turn_;
  net::Packet& packet_;
  const FlowId id_;
  flow::Splice& splice_;
  Change& own_;
  uint32_t& read_;
  std::string_view payload_;
  const uint32_t length_;  ///< of all of it
  const bool is_whole_;    ///< it lies in one piece
  bool is_cut_ = false;
  // What may pass of the text that was read, and what changes in it:
  size_t passes_ = 0;
  bool changes_ = false, is_within_ = false;
  FtpVerdict change_;
  size_t line_ = 0, line_end_ = 0;  ///< of that change, with its line feed
  Scratch out_;
};

/// In order, once: `read_` moves on.
bool Segment::read_on() {
  HeldLines::Line* held = turn_.state.held.find(id_);
  if (held != nullptr && held->is_whole) {
    if (own_.is_pending()) {
      held = nullptr;  // of a line that has gone
    } else {
      turn_.state.held.drop(id_);
      held = nullptr;
    }
  }
  keep_readable();
  Scratch whole;
  const uint32_t before = held != nullptr ? held->length : 0;
  if (before != 0) whole.add(held->view());
  if (!whole.add(payload_)) return end(Reason::ftp_line_waits);
  const std::string_view text(whole.text.data(), whole.length);
  if (!read_lines(text)) return false;
  const bool fin = (packet_.tcp_flags & net::kTcpFin) != 0;
  if (passes_ == 0 && !fin) return hold(text);
  if (passes_ == 0) passes_ = text.size();  // nothing follows that would end it

  keep_within_the_way_out(before);
  const uint32_t base = read_ - before;
  bool fits = true;
  if (before != 0 || changes_) begin_change(base, text, before, fits);
  if (!fits) return end(Reason::ftp_line_waits);
  const uint8_t within = within_flag(id_.direction());
  splice_.state =
      static_cast<uint8_t>(is_within_ ? splice_.state | within : splice_.state & ~within);
  read_ = base + static_cast<uint32_t>(passes_);
  is_cut_ = is_cut_ || passes_ < text.size();
  if (before == 0 && !changes_) {
    if (is_cut_) cut(passes_);
    return is_cut_ ? out_.add(payload_) && write(base) : true;
  }
  payload_ = text.substr(0, passes_);
  out_.length = 0;
  const uint32_t from = own_.at - base, to = from + own_.removed;
  std::array<char, alg::kMostFtpText> room;
  fits = out_.add(payload_.substr(0, from)) && out_.add(text_of(turn_, id_, own_, room)) &&
         out_.add(payload_.substr(std::min<size_t>(to, payload_.size())));
  return fits ? write(base) : end(Reason::ftp_line_waits);
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
/// no room for all.
void Segment::keep_within_the_way_out(uint32_t before) {
  if (!changes_ || passes_ + alg::kMostFtpText <= most_payload()) return;
  passes_ = line_end_;
  if (passes_ + alg::kMostFtpText <= most_payload() || line_ == 0 || before != 0) return;
  passes_ = line_;
  changes_ = false;
}

/// The change in `text` becomes the stream's. What was held stands for itself from now on, whatever
/// in it is changed.
void Segment::begin_change(uint32_t base, std::string_view text, uint32_t before, bool& fits) {
  Change like;
  like.form = static_cast<uint8_t>(change_.form);
  like.delimiter = static_cast<uint8_t>(change_.delimiter);
  like.port = change_.port;
  std::array<char, alg::kMostFtpText> room;
  const std::string_view put = changes_ ? text_of(turn_, id_, like, room) : std::string_view{};
  size_t from = change_.begin, to = change_.end;
  size_t puts = put.size();
  if (before != 0) {
    const size_t reach = changes_ ? std::max<size_t>(before, to) : before;
    Scratch line;
    line.add(text.substr(0, changes_ ? from : reach));
    if (changes_) {
      line.add(put);
      line.add(text.substr(to, reach - to));
    }
    HeldLines::Line* held = turn_.state.held.find(id_);
    fits = line.length <= HeldLines::kMostText && reach <= 255;
    if (!fits) return;
    std::memcpy(held->text.data(), line.text.data(), line.length);
    held->length = line.length;
    held->is_whole = true;
    like.form = kVerbatim;
    from = 0;
    to = reach;
    puts = line.length;
  }
  own_.begin(Change::Kind::text, base + static_cast<uint32_t>(from),
             static_cast<uint8_t>(to - from), static_cast<uint8_t>(puts));
  own_.form = like.form;
  own_.delimiter = like.delimiter;
  own_.port = like.port;
}

/// How much of the text may pass, and the one change in it. False: the packet has ended.
bool Segment::read_lines(std::string_view text) {
  const bool is_command = id_.direction() == Direction::to_server;
  size_t at = 0;
  is_within_ = false;
  if ((splice_.state & within_flag(id_.direction())) != 0) {
    const size_t feed = text.find('\n');
    at = feed == std::string_view::npos ? text.size() : feed + 1;
    is_within_ = feed == std::string_view::npos;
  }
  while (at < text.size()) {
    const size_t feed = text.find('\n', at);
    if (feed == std::string_view::npos) {
      const std::string_view begun = text.substr(at);
      if (begun.size() < HeldLines::kMostText - alg::kMostFtpText &&
          alg::may_matter(begun, is_command)) {
        break;
      }
      is_within_ = true;
      at = text.size();
      break;
    }
    std::string_view line = text.substr(at, feed - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() <= HeldLines::kMostText - alg::kMostFtpText) {
      const FtpVerdict verdict = judge_line(turn_, id_, splice_, line);
      const bool later = verdict.changes && (changes_ || own_.is_pending());
      if (verdict.waits || later) {
        if (at == 0) return end(later ? Reason::ftp_line_waits : verdict.reason);
        break;
      }
      if (verdict.changes) {
        changes_ = true;
        change_ = verdict;
        line_ = at;
        line_end_ = feed + 1;
        change_.begin += static_cast<uint32_t>(at);
        change_.end += static_cast<uint32_t>(at);
      }
    }
    at = feed + 1;
    if ((splice_.state & ftp::kOpaque) != 0) at = text.size();
  }
  passes_ = at;
  return true;
}

/// A line that has begun: it is acknowledged, and waits for its end.
bool Segment::hold(std::string_view text) {
  HeldLines::Line* line = turn_.state.held.find(id_);
  if (line == nullptr) line = turn_.state.held.take(id_);
  // An acknowledgement says that all before it has arrived as well.
  const bool arrived =
      splice_.heard[index(id_.direction())] == read_ - (text.size() - payload_.size());
  if (line == nullptr || line->is_whole || text.size() > line->text.size() || !arrived) {
    if (line != nullptr && line->length == 0) turn_.state.held.drop(id_);
    return end(Reason::ftp_line_waits);
  }
  std::memcpy(line->text.data(), text.data(), text.size());
  line->length = static_cast<uint32_t>(text.size());
  read_ += static_cast<uint32_t>(payload_.size());
  acknowledge();
  return false;
}

/// Bytes that were read before: as they were changed then.
bool Segment::again() {
  const uint32_t start = packet_.at<net::Tcp>(packet_.l4)->sequence;
  const HeldLines::Line* held = turn_.state.held.find(id_);
  const uint32_t waiting = held != nullptr && !held->is_whole ? held->length : 0;
  const int32_t known = ahead_of(read_ - waiting, start);
  if (known <= 0) {
    acknowledge();  // once more: it waits here
    return false;
  }
  if (payload_.size() > static_cast<size_t>(known)) cut(static_cast<size_t>(known));
  const auto length = static_cast<int32_t>(payload_.size());
  const bool whole = own_.kind == Change::Kind::text;
  const int32_t from = ahead_of(own_.at, start), to = from + own_.removed;
  if (!whole || length <= from || to <= 0) {
    if (is_cut_) keep_readable();
    return is_cut_ ? out_.add(payload_) && write(start) : true;
  }
  keep_readable();
  if (from >= static_cast<int32_t>(payload_.size())) return out_.add(payload_) && write(start);
  std::array<char, alg::kMostFtpText> room;
  const std::string_view text = text_of(turn_, id_, own_, room);
  if (text.size() != own_.put) return end(Reason::ftp_line_waits);
  const bool fits = (from <= 0 || out_.add(payload_.substr(0, static_cast<size_t>(from)))) &&
                    out_.add(text) &&
                    (to >= static_cast<int32_t>(payload_.size()) ||
                     out_.add(payload_.substr(static_cast<size_t>(to))));
  return fits ? write(from < 0 ? own_.at : start) : end(Reason::ftp_line_waits);
}

/// `out_` becomes what the segment says. A sum that was wrong must not come out right.
bool Segment::write(uint32_t sequence) {
  const uint32_t begin = packet_.l4 + packet_.at<net::Tcp>(packet_.l4)->header_length();
  if (out_.length > most_payload()) {  // the sender sends the rest again
    out_.length = most_payload();
    is_cut_ = true;
  }
  const uint32_t end_at = begin + out_.length;
  const uint16_t told = packet_.at<net::Tcp>(packet_.l4)->checksum.raw();
  if (is_whole_) forward::sum_tcp(packet_);
  auto& tcp = *packet_.at<net::Tcp>(packet_.l4);
  if (tcp.checksum.raw() != told) return end(Reason::transport_checksum);
  std::memcpy(packet_.head + begin, out_.text.data(), out_.length);
  packet_.length = packet_.head_length = end_at;
  packet_.ip_length = static_cast<uint16_t>(end_at - packet_.l3);
  forward::write_ip_length(packet_);
  tcp.sequence = sequence;
  if (is_cut_) tcp.flags = static_cast<uint8_t>(tcp.flags & ~net::kTcpFin);
  forward::sum_tcp(packet_);
  return true;
}

/// What came is ours now: its sender hears so.
void Segment::acknowledge() {
  if (!forward::reply_acknowledgement(packet_, read_)) packet_.drop(Reason::ftp_line_waits);
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
  const bool opaque = (splice_.state & ftp::kOpaque) != 0;
  if (ahead < 0) return payload_.empty() || again();
  if (opaque) {
    if (ahead == 0) read_ += length_;
    return true;
  }
  if (ahead > 0) return fin && payload_.empty() ? true : end(Reason::ftp_out_of_order);
  return read_on();
}

}  // namespace

bool follow_ftp(Turn& turn, net::Packet& packet, FlowId id, flow::Splice& splice) {
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
