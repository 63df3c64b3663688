// Within the path: TCP connections whose lines are read, and changed where what they announce is
// somewhere else for whom they are told (FTP, RTSP).
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "dataplane/path_turn.h"

namespace nezu::path {

/// flow::Splice::state of such a connection; what else stands there is its reader's.
namespace lines {
inline constexpr uint8_t kReads = 1,  ///< it is one
    kOpaque = 2,                      ///< what is said cannot be read any more (TLS, no RTSP)
    kAsked = 4,                       ///< FTP: PASV or EPSV was put in place of the other
    kRtsp = 8;                        ///< RTSP, not FTP
constexpr uint8_t state_of(tables::Application application) {
  return application == tables::Application::ftp    ? kReads
         : application == tables::Application::rtsp ? kReads | kRtsp
                                                    : 0;
}
}  // namespace lines

/// Where a stream is in what it says; the numbers are its reader's. 0: where something begins.
struct Place {
  uint8_t phase = 0;
  uint32_t left = 0;
};

/// What a reader makes of the text that comes next in a stream: how much of it may pass, and what
/// changes in that.
class Reading {
 public:
  struct Edit {
    uint32_t begin = 0, end = 0;      ///< of the text: what is replaced
    uint32_t line = 0, line_end = 0;  ///< of the text: the line around it, with its line feed
    Place before, after;              ///< at these
    std::string_view put;
    uint32_t said = 0;  ///< flow::Change::said
  };

  /// May lie behind the text: what comes there is nobody's business.
  size_t passes = 0;
  Place place;                             ///< behind that
  net::Reason reason = net::Reason::none;  ///< why nothing passes; none: it waits for more

  uint32_t count() const { return count_; }
  const Edit& edit(uint32_t i) const { return edits_[i]; }
  const Edit& last() const { return edits_[count_ - 1]; }
  /// From the first edit's begin to the last one's end, and as long as it becomes.
  uint32_t reach() const { return last().end; }
  size_t length() const {
    size_t length = passes;
    for (uint32_t i = 0; i < count_; ++i) {
      length += edits_[i].put.size() - (edits_[i].end - edits_[i].begin);
    }
    return length;
  }
  /// Behind all that are there; its text is copied. False: there is no room.
  bool add(const Edit& edit) {
    const uint32_t from = count_ != 0 ? edits_[0].begin : edit.begin;
    const size_t removed = removed_ + (edit.end - edit.begin), put = used_ + edit.put.size();
    const size_t becomes = edit.end - from - removed + put;
    if (count_ == kMost || put > room_.size() || becomes > HeldLines::kMostText) return false;
    std::memcpy(room_.data() + used_, edit.put.data(), edit.put.size());
    edits_[count_] = edit;
    edits_[count_++].put = {room_.data() + used_, edit.put.size()};
    used_ = put;
    removed_ = removed;
    return true;
  }
  /// The last line that changes goes another time, with all behind it.
  void stop_before_last() {
    passes = last().line;
    place = last().before;
    --count_;
  }
  void stop_behind_last() {
    passes = last().line_end;
    place = last().after;
  }
  void change_nothing() { count_ = 0; }

 private:
  static constexpr uint32_t kMost = 8;
  std::array<Edit, kMost> edits_;
  uint32_t count_ = 0;
  std::array<char, HeldLines::kMostText> room_;  // NOLINT: filled up to `used_`
  size_t used_ = 0, removed_ = 0;                ///< by all edits
};

/// path_ftp.cc, path_rtsp.cc. `text` is what follows all that was read of the stream; `is_pending`:
/// an earlier change of it is under way, so that another one must wait.
void read_ftp(Turn& turn, flow::FlowId id, flow::Splice& splice, std::string_view text,
              bool is_pending, Reading& reading);
void read_rtsp(Turn& turn, flow::FlowId id, flow::Splice& splice, std::string_view text,
               bool is_pending, Reading& reading);
/// What the receiver of a stream of FTP gets in place of the changed bytes.
std::string_view ftp_text_of(const Turn& turn, flow::FlowId id, const flow::Change& change,
                             std::span<char> room);
/// That change is remembered as the text that it puts, not as how that is said.
bool is_verbatim_ftp(const flow::Change& change);
void set_verbatim_ftp(flow::Change& change);

/// The whole of path_lines.cc: a segment of such a connection, all but its addresses. False: it
/// ends here, with its verdict.
[[nodiscard]] bool follow_lines(Turn& turn, net::Packet& packet, flow::FlowId id,
                                flow::Splice& splice);

}  // namespace nezu::path
