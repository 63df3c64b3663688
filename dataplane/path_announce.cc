// What the lines of an FTP control connection announce, and how they are told to the other side.
//
//   PORT, EPRT     the client waits at C:q. The server comes from any of its ports
//                  nat      to C:q, as the line says                     -> from VIP to C:q
//                  fullnat  to SNAT:q', q' of the slice of C:q's shard   -> from VIP to C:q
//   227, 229       the server waits at S:p. The client comes from any of its ports
//                  to VIP:p, or, where that is another's, VIP:p'         -> to S:p
//
// An active port q' is not taken from the service's ports: those are unique towards the server's
// port, and a data connection has another. Where a server always uses the same one its own kernel
// keeps two connections to one SNAT address and port apart.
#include "dataplane/path_control.h"
#include "dataplane/path_ftp.h"
#include "dataplane/path_lines.h"
#include "dataplane/path_open.h"

namespace nezu::path {
namespace {

using alg::FtpForm;
using alg::FtpLine;
using flow::Direction;
using flow::FlowId;
using net::Reason;
using Kind = alg::FtpLine::Kind;

FtpVerdict wait(Reason reason) {
  FtpVerdict verdict;
  verdict.waits = true;
  verdict.reason = reason;
  return verdict;
}
FtpVerdict whole_line(std::string_view line, FtpForm form, uint16_t port = 1) {
  return {false, Reason::none, true, 0, static_cast<uint32_t>(line.size()), form, '|', port};
}
FtpVerdict part_of(const FtpLine& line, FtpForm form, uint16_t port) {
  return {false, Reason::none, true, line.begin, line.end, form, line.delimiter, port};
}

/// The next SNAT port for a data connection, whose shard is that of `client` and its port: each of
/// a slice in turn.
uint16_t next_active_port(Turn& turn, const net::Address& client, uint16_t port) {
  const uint8_t shard = shard_of(turn, client, port);
  uint8_t& turn_of_shard = turn.state.active_ports[shard];
  turn_of_shard = static_cast<uint8_t>((turn_of_shard + 1) % tables::kSnatSlicePorts);
  return tables::snat_port(shard, turn_of_shard);
}

/// What servers' data connections come from (RFC 959 8).
constexpr uint16_t data_port(uint16_t control_port) {
  return static_cast<uint16_t>(control_port - 1);
}

/// The client waits.
FtpVerdict judge_active(Turn& turn, const Control& control, const FtpLine& read,
                        std::string_view line) {
  const bool to_v4 = control.server.is_v4();
  const FtpForm plain = read.is_extended ? FtpForm::triple : FtpForm::numbers;
  const FtpForm other = to_v4 ? FtpForm::port_line : FtpForm::eprt_line;
  // A third host would be attacked by the server (RFC 2577 3): it is told none.
  if (read.address != control.client || read.port < 1024) {
    turn.state.line.reasons[static_cast<size_t>(Reason::ftp_address_refused)].add(1);
    return control.is_mixed() ? whole_line(line, other, 0) : part_of(read, plain, 0);
  }
  // Outwards the side whose address and port make the shard is the outside host.
  const uint16_t told = control.is_outward()
                            ? next_active_port(turn, control.server, data_port(control.vip_port))
                        : control.is_full() ? next_active_port(turn, control.client, read.port)
                                            : read.port;
  if (!expect_from_server(turn, control, net::Protocol::tcp, read.port, told)) {
    return wait(Reason::announcement_full);
  }
  if (control.is_mixed()) return whole_line(line, other, told);
  return control.is_full() ? part_of(read, plain, told) : FtpVerdict{};
}

/// The server waits at `port`: where the client is to come; 0: `reason` of announce.
uint16_t announce_passive(Turn& turn, const Control& control, uint16_t port) {
  const tables::Service* service = turn.view.service(tables::ServiceId{control.track->service});
  if (service != nullptr && service->passive_first != 0) return port;  // declared: they all may
  if (turn.state.setup.announcements == nullptr) return 0;
  const uint16_t there = passive_port(turn, control, net::Protocol::tcp, port);
  if (there == 0) return 0;
  return expect_from_client(turn, control, net::Protocol::tcp, port, there) ? there : uint16_t{0};
}

FtpVerdict judge_passive(Turn& turn, const Control& control, flow::Splice& splice,
                         const FtpLine& read, std::string_view line) {
  const bool numbers = read.kind == Kind::waits;
  if (read.port == 0) return {};
  const uint16_t port = announce_passive(turn, control, read.port);
  if (port == 0) return wait(Reason::announcement_full);
  const bool other = control.is_mixed() && (splice.state & lines::kAsked) != 0;
  splice.state = static_cast<uint8_t>(splice.state & ~lines::kAsked);
  if (other) {
    return whole_line(line, numbers ? FtpForm::waits_here_line : FtpForm::waits_line, port);
  }
  if (numbers) return control.vip.is_v4() ? part_of(read, FtpForm::numbers, port) : FtpVerdict{};
  return port != read.port ? part_of(read, FtpForm::port, port) : FtpVerdict{};
}

/// RFC 6384 6: a client asks in the words of its own family.
FtpVerdict judge_question(const Control& control, flow::Splice& splice, const FtpLine& read,
                          std::string_view line) {
  const bool fits = !control.is_mixed() || (read.kind == Kind::passive) == control.server.is_v4();
  if (read.kind == Kind::all && !fits) return whole_line(line, FtpForm::noop_line);
  if (fits) {
    splice.state = static_cast<uint8_t>(splice.state & ~lines::kAsked);
    return {};
  }
  splice.state |= lines::kAsked;
  return whole_line(line, read.kind == Kind::passive ? FtpForm::epsv_line : FtpForm::pasv_line);
}

}  // namespace

net::Address address_said(const Turn& turn, FlowId id, uint16_t port) {
  const Control control = control_of(turn, id);
  const bool there = id.direction() == Direction::to_server;
  const net::Address& address = there ? control.seen : control.vip;
  if (port != 0) return address;
  return address.is_v4() ? net::Address::v4_raw(0) : net::Address{};
}

FtpVerdict judge_line(Turn& turn, FlowId id, flow::Splice& splice, std::string_view line) {
  const Control control = control_of(turn, id);
  if (id.direction() == Direction::to_server) {
    const FtpLine read = alg::read_ftp_command(line);
    if (read.kind == Kind::active) return judge_active(turn, control, read, line);
    const bool asks =
        read.kind == Kind::passive || read.kind == Kind::extended || read.kind == Kind::all;
    return asks ? judge_question(control, splice, read, line) : FtpVerdict{};
  }
  const FtpLine read = alg::read_ftp_reply(line);
  if (read.kind == Kind::secured) splice.state |= lines::kOpaque;
  if (control.is_outward()) return {};  // a server outside is where it says
  const bool waits = read.kind == Kind::waits || read.kind == Kind::waits_here;
  return waits ? judge_passive(turn, control, splice, read, line) : FtpVerdict{};
}

/// TFTP: the server answers from another port (RFC 1350 4), which is the same worker's business.
void announce_answers(Turn& turn, FlowId id) {
  const Control control = control_of(turn, id);
  if (!expect_from_server(turn, control, net::Protocol::udp, control.client_port,
                          control.seen_port)) {
    turn.state.line.reasons[static_cast<size_t>(Reason::announcement_full)].add(1);
  }
}

}  // namespace nezu::path
