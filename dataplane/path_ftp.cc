// FTP control connections: what is read of their lines, and what changes in them (path_lines.cc).
#include "dataplane/path_ftp.h"

#include "dataplane/path_lines.h"

namespace nezu::path {
namespace {

using flow::Change;
using flow::Direction;
using flow::FlowId;
using net::Reason;

constexpr uint32_t kMostLine = 128;  ///< longer ones pass as they are

// Change::said
constexpr uint8_t kVerbatim = 0xff;  ///< the form: as a held line has it
struct Said {
  uint8_t form = 0, delimiter = 0;
  uint16_t port = 0;
};
constexpr uint32_t packed(const Said& said) {
  return uint32_t{said.form} << 24 | uint32_t{said.delimiter} << 16 | said.port;
}
constexpr Said said_in(uint32_t word) {
  return {static_cast<uint8_t>(word >> 24), static_cast<uint8_t>(word >> 16),
          static_cast<uint16_t>(word)};
}

std::string_view written(const Turn& turn, FlowId id, const Said& said, std::span<char> room) {
  const uint32_t length =
      alg::write_ftp(static_cast<alg::FtpForm>(said.form), static_cast<char>(said.delimiter),
                     address_said(turn, id, said.port), said.port, room.data());
  return {room.data(), length};
}

bool add(const Turn& turn, FlowId id, const FtpVerdict& verdict, size_t at, size_t behind,
         Reading& reading) {
  std::array<char, alg::kMostFtpText> room;
  const Said said{static_cast<uint8_t>(verdict.form), static_cast<uint8_t>(verdict.delimiter),
                  verdict.port};
  Reading::Edit edit;
  edit.line = static_cast<uint32_t>(at);
  edit.line_end = static_cast<uint32_t>(behind);
  edit.begin = edit.line + verdict.begin;
  edit.end = edit.line + verdict.end;
  edit.put = written(turn, id, said, room);
  edit.said = packed(said);
  return reading.add(edit);
}

}  // namespace

std::string_view ftp_text_of(const Turn& turn, FlowId id, const Change& change,
                             std::span<char> room) {
  return written(turn, id, said_in(change.said), room);
}
bool is_verbatim_ftp(const Change& change) { return said_in(change.said).form == kVerbatim; }
void set_verbatim_ftp(Change& change) { change.said = packed({kVerbatim, 0, 0}); }

/// One line may change at a time.
void read_ftp(Turn& turn, FlowId id, flow::Splice& splice, std::string_view text, bool is_pending,
              Reading& reading) {
  const bool is_command = id.direction() == Direction::to_server;
  size_t at = 0;
  if (splice.phase[index(id.direction())] != 0) {  // within a line
    const size_t feed = text.find('\n');
    at = feed == std::string_view::npos ? text.size() : feed + 1;
    reading.place.phase = feed == std::string_view::npos;
  }
  if ((splice.state & lines::kOpaque) != 0) at = text.size();
  while (at < text.size()) {
    const size_t feed = text.find('\n', at);
    if (feed == std::string_view::npos) {
      const std::string_view begun = text.substr(at);
      if (begun.size() < kMostLine && alg::may_matter(begun, is_command)) break;
      reading.place.phase = 1;
      at = text.size();
      break;
    }
    std::string_view line = text.substr(at, feed - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() <= kMostLine) {
      const FtpVerdict verdict = judge_line(turn, id, splice, line);
      const bool later = verdict.changes && (reading.count() != 0 || is_pending);
      if (verdict.waits || later ||
          (verdict.changes && !add(turn, id, verdict, at, feed + 1, reading))) {
        if (at == 0) reading.reason = verdict.waits ? verdict.reason : Reason::ftp_line_waits;
        break;
      }
    }
    at = feed + 1;
    if ((splice.state & lines::kOpaque) != 0) at = text.size();
  }
  reading.passes = at;
}

}  // namespace nezu::path
