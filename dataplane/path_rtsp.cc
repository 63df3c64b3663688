// RTSP connections: what is read of them, and what changes (path_lines.cc).
//
// Headers are read line by line; bodies and interleaved frames are skipped by their length:
//
//   start --"SETUP ..."--> header --blank line, Content-Length--> (body) --> start
//     '$' channel length  --> (frame) --> start
//
// Transport lines are said anew (path_rtsp_transport.cc). Clients of IPv6 whose server has IPv4
// read of "IP6 ::" in the SDP which family their sockets have to be of.
#include "dataplane/path_rtsp.h"

#include "dataplane/alg/rtsp.h"
#include "dataplane/path_control.h"
#include "dataplane/path_lines.h"

namespace nezu::path {
namespace {

using flow::Direction;
using flow::FlowId;
using net::Reason;

/// Place::phase. `left` is: of a header, its Content-Length as far as it was read; of a body, what
/// is still to come of it; of a frame, the high byte of its length.
enum class Phase : uint8_t {
  start,
  header,
  within_header,
  frame,
  channel,
  length,
  body,
  within_body
};

void tally(const Turn& turn, Reason reason) {
  turn.state.line.reasons[static_cast<size_t>(reason)].add(1);
}

/// What comes next in a stream, piece by piece.
class Reader {
 public:
  Reader(Turn& turn, FlowId id, flow::Splice& splice, std::string_view text, bool is_pending,
         Reading& reading)
      : turn_(turn),
        id_(id),
        splice_(splice),
        text_(text),
        is_pending_(is_pending),
        reading_(reading),
        place_{splice.phase[index(id.direction())], splice.of(id.direction()).said} {}

  void read() {
    while (at_ < text_.size() && (splice_.state & lines::kOpaque) == 0 && step()) {
    }
    if ((splice_.state & lines::kOpaque) != 0 && !waits_) at_ = std::max(at_, text_.size());
    reading_.passes = at_;
    reading_.place = place_;
  }

 private:
  bool step();
  bool read_start();
  bool read_header();
  bool read_transport(std::string_view line, uint32_t value, size_t behind);
  bool read_body();
  void begin_body();
  void go(Phase phase, size_t at) {
    place_.phase = static_cast<uint8_t>(phase);
    at_ = at;
  }
  bool skip_line(Phase then, Phase within, size_t until);
  bool change(Reading::Edit& edit, size_t behind, Place after);
  bool wait(Reason reason) {
    if (at_ == 0) reading_.reason = reason;
    waits_ = true;
    return false;
  }
  void give_up() {
    splice_.state |= lines::kOpaque;
    tally(turn_, Reason::rtsp_unreadable);
  }
  bool is_to_server() const { return id_.direction() == Direction::to_server; }
  /// Of a client of IPv6 whose server has IPv4: its bodies are read as well.
  bool reads_bodies() const {
    return !is_to_server() && is_mixed(turn_, id_) && !control_of(turn_, id_).client.is_v4();
  }

  Turn& turn_;
  const FlowId id_;
  flow::Splice& splice_;
  const std::string_view text_;
  const bool is_pending_;
  Reading& reading_;
  Place place_;
  size_t at_ = 0;
  bool waits_ = false;
};

/// False: what is at `at_` does not pass yet.
bool Reader::step() {
  switch (static_cast<Phase>(place_.phase)) {
    case Phase::start:
      return read_start();
    case Phase::header:
      return read_header();
    case Phase::within_header:
      return skip_line(Phase::header, Phase::within_header, text_.size());
    case Phase::frame:
      go(Phase::channel, at_ + 1);
      return true;
    case Phase::channel:
      place_.left = static_cast<uint8_t>(text_[at_]);
      go(Phase::length, at_ + 1);
      return true;
    case Phase::length: {
      const uint32_t length = place_.left << 8 | static_cast<uint8_t>(text_[at_]);
      place_.left = 0;
      go(Phase::start, at_ + 1 + length);
      return true;
    }
    case Phase::body:
    case Phase::within_body:
      return read_body();
  }
  give_up();  // of no process of ours
  return false;
}

/// The rest of a line that nobody reads.
bool Reader::skip_line(Phase then, Phase within, size_t until) {
  const size_t feed = text_.substr(0, until).find('\n', at_);
  const bool ends = feed != std::string_view::npos;
  go(ends ? then : within, ends ? feed + 1 : until);
  return true;
}

bool Reader::read_start() {
  const char first = text_[at_];
  if (first == '$') {
    go(Phase::frame, at_ + 1);
    return true;
  }
  if (first == '\r' || first == '\n') {  // between messages
    ++at_;
    return true;
  }
  const size_t feed = text_.find('\n', at_);
  const bool ends = feed != std::string_view::npos;
  std::string_view line = text_.substr(at_, (ends ? feed : text_.size()) - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const char letter = alg::upper(first);
  if (letter < 'A' || letter > 'Z' || (ends && !alg::is_rtsp_start(line))) {
    give_up();
    return false;
  }
  place_.left = 0;
  return skip_line(Phase::header, Phase::within_header, text_.size());
}

bool Reader::read_header() {
  const size_t feed = text_.find('\n', at_);
  if (feed == std::string_view::npos) {
    const std::string_view begun = text_.substr(at_);
    const bool may_matter = begun == "\r" || alg::may_be_rtsp_header(begun);
    if (may_matter && begun.size() < alg::kMostRtspLine) return wait(Reason::none);
    if (may_matter) tally(turn_, Reason::rtsp_line_too_long);
    go(Phase::within_header, text_.size());
    return true;
  }
  std::string_view line = text_.substr(at_, feed - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    at_ = feed + 1;
    begin_body();
    return true;
  }
  if (line.size() > alg::kMostRtspLine) {
    if (alg::may_be_rtsp_header(line)) tally(turn_, Reason::rtsp_line_too_long);
  } else {
    const alg::RtspHeader header = alg::read_rtsp_header(line);
    if (header.kind == alg::RtspHeader::Kind::transport) {
      return read_transport(line, header.value, feed + 1);
    }
    if (header.kind == alg::RtspHeader::Kind::length) {
      const bool again = place_.left != 0 && place_.left != header.length;
      if (header.is_broken || again) {
        give_up();
        return false;
      }
      place_.left = header.length;
    }
  }
  at_ = feed + 1;
  return true;
}

void Reader::begin_body() {
  if (place_.left != 0 && reads_bodies()) return go(Phase::body, at_);
  const uint32_t length = place_.left;
  place_.left = 0;
  go(Phase::start, at_ + length);
}

/// The edit is of the text; its line ends `behind`. False: it waits for the one before.
bool Reader::change(Reading::Edit& edit, size_t behind, Place after) {
  edit.line = static_cast<uint32_t>(at_);
  edit.line_end = static_cast<uint32_t>(behind);
  edit.before = place_;
  edit.after = after;
  return (!is_pending_ && reading_.add(edit)) || wait(Reason::rtsp_line_waits);
}

bool Reader::read_transport(std::string_view line, uint32_t value, size_t behind) {
  std::array<char, HeldLines::kMostText> room;
  const TransportSaid said = say_transport(turn_, id_, line, value, room);
  if (!said.has_place) return wait(Reason::announcement_full);
  if (!said.put.empty()) {
    Reading::Edit edit;
    edit.put = said.put;
    edit.begin = static_cast<uint32_t>(at_) + said.begin;
    edit.end = static_cast<uint32_t>(at_) + said.end;
    if (!change(edit, behind, place_)) return false;
  }
  at_ = behind;
  return true;
}

/// Lines of SDP, up to the body's end.
bool Reader::read_body() {
  const size_t until = std::min(text_.size(), at_ + place_.left);
  const size_t feed = text_.substr(0, until).find('\n', at_);
  const bool ends = feed != std::string_view::npos;
  const bool is_last = !ends && until == at_ + place_.left;
  const size_t behind = ends ? feed + 1 : until;
  Place after{static_cast<uint8_t>(ends ? Phase::body : Phase::within_body),
              place_.left - static_cast<uint32_t>(behind - at_)};
  if (after.left == 0) after.phase = static_cast<uint8_t>(Phase::start);
  std::string_view line = text_.substr(at_, (ends ? feed : until) - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (static_cast<Phase>(place_.phase) == Phase::body) {
    if (!ends && !is_last && line.size() < alg::kMostRtspLine &&
        alg::may_be_sdp_connection4(line)) {
      return wait(Reason::none);
    }
    Reading::Edit edit;
    if (alg::read_sdp_connection4(line, edit.begin, edit.end)) {
      std::array<char, 24> room;
      alg::Writer to(room);
      alg::write_sdp_unspecified6(to, edit.end - edit.begin);
      edit.put = to.view();
      edit.begin += static_cast<uint32_t>(at_);
      edit.end += static_cast<uint32_t>(at_);
      if (!change(edit, behind, after)) return false;
    }
  }
  place_ = after;
  at_ = behind;
  return true;
}

}  // namespace

void read_rtsp(Turn& turn, FlowId id, flow::Splice& splice, std::string_view text, bool is_pending,
               Reading& reading) {
  Reader(turn, id, splice, text, is_pending, reading).read();
}

}  // namespace nezu::path
