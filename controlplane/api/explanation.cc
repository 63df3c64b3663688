#include "controlplane/api/explanation.h"

#include <algorithm>

#include "controlplane/api/capture_service.h"
#include "dataplane/net/text.h"

namespace nezu::api {
namespace {

using tables::ExplainedPass;
using tables::ExplainStage;
using tables::Explanation;
using tables::FlowOrigin;

v1::ExplainStage to_proto(ExplainStage stage) {
  return static_cast<v1::ExplainStage>(static_cast<int>(stage) + v1::EXPLAIN_STAGE_RECEIVE);
}
static_assert(v1::EXPLAIN_STAGE_DISPATCH - v1::EXPLAIN_STAGE_RECEIVE ==
              static_cast<int>(ExplainStage::dispatch));

/// "no_server: no server of the pool takes new flows".
std::string text_of(net::Reason reason) {
  const auto index = static_cast<size_t>(reason);
  return std::string(net::kReasonNames[index]) + ": " + std::string(net::kReasonTexts[index]);
}

/// Without the addresses of links.
std::string describe(std::span<const uint8_t> frame) {
  const std::string text = net::describe(frame);
  const size_t ethernet = text.find(" / ");
  return ethernet == std::string::npos ? text : text.substr(ethernet + 3);
}

std::string end_text(const net::Address& address, uint16_t port) {
  const std::string text = net::to_string(address);
  if (port == 0) return text;
  return (address.is_v4() ? text : "[" + text + "]") + ":" + std::to_string(port);
}

std::string_view text_of(tables::Mode mode) {
  switch (mode) {
    case tables::Mode::nat:
      return "nat";
    case tables::Mode::fullnat:
      return "fullnat";
    case tables::Mode::route:
      return "route: addresses stay, the server's MAC";
    case tables::Mode::tunnel_ipip:
      return "into an IPIP tunnel";
    case tables::Mode::tunnel_gre:
      return "into a GRE tunnel";
    case tables::Mode::tunnel_gue:
      return "into a GUE tunnel";
    case tables::Mode::redirect:
      return "redirect: addresses stay, the server's MAC";
    case tables::Mode::across:
      return "between IPv4 and IPv6";
    case tables::Mode::masquerade:
      return "source NAT";
    case tables::Mode::tagged:
      return "nat, with the client's address as a TCP option";
    case tables::Mode::prefixed:
      return "nat, with the client's address in front of the datagram";
    case tables::Mode::spliced:
      return "nat, with numbers that follow what is put in or changed";
    case tables::Mode::announced:
      return "nat, of a connection that another one has announced";
    case tables::Mode::returned:
      return "back to the server that sent the first packet";
    case tables::Mode::spoken:
      return "nat, and what the message says of places";
  }
  return "";
}

std::string_view text_of(tables::Whose whose) {
  switch (whose) {
    case tables::Whose::vip:
      return "to a VIP";
    case tables::Whose::snat:
      return "to an SNAT address";
    case tables::Whose::prefix:
      return "to a prefix of services";
    case tables::Whose::kernel:
      return "to an address of the kernel's own";
    case tables::Whose::somebody:
      break;
  }
  return "to no address of ours";
}

std::string name_in(const std::unordered_map<uint32_t, std::string>& names, uint32_t slot) {
  const auto at = names.find(slot);
  return at != names.end() ? at->second : std::string{};
}

/// Puts one explanation into sentences.
class Teller {
 public:
  Teller(const Explanation& told, std::span<const uint8_t> frame, uint16_t port,
         const ExplainNames& names, v1::ExplainResponse& to)
      : told_(told),
        frame_(frame),
        port_(port),
        names_(names),
        to_(to),
        service_(name_in(names.slots.services, index(told.service))),
        rule_(name_in(names.slots.source_nats, index(told.service))) {}

  void tell() {
    say(0, ExplainStage::receive, port_text(port_) + ": " + describe(frame_) + vlan_text());
    for (uint32_t i = 0; i < told_.pass_count; ++i) {
      const ExplainedPass& pass = told_.passes[i];
      if (pass.is_piece != 0) {
        tell_piece(pass);
      } else if (pass.verdict == net::Verdict::hand_over) {
        say(pass.worker, pass.decided,
            "worker " + std::to_string(pass.worker) + " gives it to worker " +
                std::to_string(pass.owner) +
                (pass.decided == ExplainStage::answer ? ", where the fragments of a packet meet"
                                                      : ", whose its flow is"));
      } else {
        tell_stages(pass);
      }
    }
  }

 private:
  void say(uint32_t worker, ExplainStage stage, std::string text) {
    v1::ExplainStep& step = *to_.add_steps();
    step.set_stage(to_proto(stage));
    step.set_worker(worker);
    step.set_text(std::move(text));
  }
  std::string port_text(uint32_t port) const {
    const auto at = names_.ports.find(port);
    return at != names_.ports.end() ? at->second : "port " + std::to_string(port);
  }
  std::string server_text(tables::ServerId server) const {
    const auto at = names_.servers.find(index(server));
    return at != names_.servers.end() ? at->second : "a server that is gone";
  }
  std::string vlan_text() const {
    const auto instance = static_cast<uint32_t>(told_.packet.instance);
    return told_.packet.is_parsed != 0 && instance != 0
               ? " (network instance " + std::to_string(instance) + ")"
               : "";
  }

  void tell_stages(const ExplainedPass& pass) {
    if (pass.decided >= ExplainStage::find) tell_find(pass);
    if (pass.decided >= ExplainStage::admit && told_.origin != FlowOrigin::known) tell_admit(pass);
    if (pass.decided >= ExplainStage::choose_way && told_.way.exists != 0) tell_way(pass);
    if (told_.length != 0 && pass.decided == ExplainStage::dispatch) tell_translation(pass);
    // Of a split packet its piece tells the end.
    if (pass.verdict != net::Verdict::split) say(pass.worker, pass.decided, end_of(pass));
  }

  void tell_find(const ExplainedPass& pass) {
    if (told_.packet.shape == net::Shape::control) return;
    std::string text = "no flow of worker " + std::to_string(pass.worker);
    if (told_.origin == FlowOrigin::reopened) {
      text = "a flow of worker " + std::to_string(pass.worker) + " that has ended";
    } else if (told_.origin == FlowOrigin::known) {
      const tables::FlowRecord& flow = told_.flow;
      text = "a flow of worker " + std::to_string(pass.worker) + ": " +
             end_text(flow.client, flow.client_port) + " > " +
             end_text(flow.vip, flow.service_port) + owner_text() + ", with " +
             end_text(flow.server, flow.server_port) +
             (told_.is_to_server != 0 ? "; towards the server" : "; towards the client");
    }
    say(pass.worker, ExplainStage::find, std::move(text));
  }
  std::string owner_text() const {
    if (!service_.empty()) return " of service " + service_;
    return rule_.empty() ? "" : " of source NAT rule " + rule_;
  }

  void tell_admit(const ExplainedPass& pass) {
    std::string text;
    if (!service_.empty()) {
      text = "service " + service_;
    } else if (!rule_.empty()) {
      text = "source NAT rule " + rule_;
    } else {
      text = text_of(told_.whose);
    }
    if (told_.origin != FlowOrigin::none) text += choice_text();
    if (told_.is_crowded != 0 && told_.packet.shape != net::Shape::control) {
      text += "; the worker's flow table has no room, and another flow would have to end for it";
    }
    say(pass.worker, ExplainStage::admit, std::move(text));
  }
  /// Why that server.
  std::string choice_text() const {
    const tables::FlowRecord& flow = told_.flow;
    const bool has_server =
        tables::is_slot(flow.server_id) && names_.servers.contains(index(flow.server_id));
    if (!has_server) return ", a new flow";
    const std::string server = server_text(flow.server_id);
    if (told_.is_persistent != 0) {
      if (tables::is_slot(told_.kept) && told_.kept == flow.server_id) {
        return ", whose client stays on " + server + ": a new flow";
      }
      return ", whose client " +
             (tables::is_slot(told_.kept) ? "leaves " + server_text(told_.kept)
                                          : std::string("is on no server yet")) +
             ": " + names_.choice(service_) + " " + server + " for a new flow";
    }
    return ": " + names_.choice(service_) + " " + server + " for a new flow";
  }

  void tell_way(const ExplainedPass& pass) {
    const tables::ExplainedWay& way = told_.way;
    std::string text = "by " + port_text(way.port);
    if (way.vlan != 0) text += ", VLAN " + std::to_string(way.vlan);
    if (!way.gateway.is_unspecified()) text += ", next hop " + net::to_string(way.gateway);
    say(pass.worker, ExplainStage::choose_way, text + ", MTU " + std::to_string(way.mtu));
  }

  void tell_translation(const ExplainedPass& pass) {
    if (pass.verdict == net::Verdict::twin || pass.verdict == net::Verdict::reply) return;
    std::string text =
        told_.origin != FlowOrigin::none ? std::string(text_of(told_.mode)) : "without a flow";
    text += ": " + describe(frame_after());
    if (told_.origin != FlowOrigin::none && told_.is_exact == 0) {
      text +=
          " (its SNAT port, or the one that was announced for it, may be another; of a client with "
          "flows to very many servers also its server)";
    }
    say(pass.worker, ExplainStage::translate, std::move(text));
  }
  std::span<const uint8_t> frame_after() const { return {told_.frame.data(), told_.length}; }

  void tell_piece(const ExplainedPass& pass) {
    const ExplainedPass& whole = told_.passes[told_.pass_count - 2];
    say(pass.worker, ExplainStage::choose_way,
        "too long: it leaves in " + std::to_string(told_.pieces) + " pieces of at most " +
            std::to_string(whole.owner) + " bytes, of which this is the first");
    if (told_.length != 0) tell_translation(pass);
    say(pass.worker, pass.decided, end_of(pass));
  }

  std::string end_of(const ExplainedPass& pass) const {
    switch (pass.verdict) {
      case net::Verdict::forward:
        return "leaves by " + port_text(told_.egress);
      case net::Verdict::across:
        return "passes the bridge as it came, by " + port_text(told_.egress);
      case net::Verdict::both:
        return "passes the bridge as it came, by " + port_text(told_.egress) +
               ", and goes to the kernel";
      case net::Verdict::twin:
        return "goes to the kernel, by the twin of " + port_text(port_);
      case net::Verdict::hold:
        return "waits until " + net::to_string(told_.awaited) +
               " has told its MAC, then leaves by " + port_text(told_.egress);
      case net::Verdict::kept:
        return "waits for the first fragment of its packet, which tells its ports";
      case net::Verdict::reply:
        return (pass.reason == net::Reason::answered || pass.reason == net::Reason::none
                    ? std::string("answered: ")
                    : text_of(pass.reason) + "; its sender is told: ") +
               describe(frame_after());
      case net::Verdict::drop:
        return "dropped, " + text_of(pass.reason);
      case net::Verdict::undecided:
      case net::Verdict::hand_over:
      case net::Verdict::split:
        break;
    }
    return "goes on";
  }

  const Explanation& told_;
  std::span<const uint8_t> frame_;
  uint16_t port_;
  const ExplainNames& names_;
  v1::ExplainResponse& to_;
  std::string service_, rule_;
};

std::string hexadecimal(std::span<const uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

v1::FlowOrigin to_proto(FlowOrigin origin) {
  switch (origin) {
    case FlowOrigin::none:
      break;
    case FlowOrigin::known:
      return v1::FLOW_ORIGIN_KNOWN;
    case FlowOrigin::opened:
      return v1::FLOW_ORIGIN_OPENED;
    case FlowOrigin::reopened:
      return v1::FLOW_ORIGIN_REOPENED;
  }
  return v1::FLOW_ORIGIN_UNSPECIFIED;
}

}  // namespace

void put(const Explanation& told, std::span<const uint8_t> frame, uint16_t port,
         const ExplainNames& names, v1::ExplainResponse& to) {
  Teller(told, frame, port, names, to).tell();
  const auto passes = std::span(told.passes).first(told.pass_count);
  const bool in_pieces = told.pieces != 0;
  const ExplainedPass& last = passes.back();
  to.set_fate(in_pieces && last.is_piece != 0 && last.verdict == net::Verdict::forward
                  ? v1::CAPTURE_FATE_SPLIT
                  : fate_of(last.verdict));
  const bool is_reason = last.reason != net::Reason::none && last.reason != net::Reason::answered;
  if (is_reason) to.set_reason(std::string(net::to_string(last.reason)));
  to.set_decided(to_proto(last.decided));
  to.set_worker(last.worker);
  to.set_service(name_in(names.slots.services, index(told.service)));
  to.set_source_nat(name_in(names.slots.source_nats, index(told.service)));
  to.set_origin(to_proto(told.origin));
  if (told.origin != FlowOrigin::none) {
    *to.mutable_flow() = flow_of(told.flow, names.slots);
    to.set_exact(told.is_exact != 0);
  }
  if (told.length != 0) {
    to.set_frame(hexadecimal({told.frame.data(), told.length}));
    const auto at = names.ports.find(told.egress);
    if (last.verdict != net::Verdict::twin && at != names.ports.end()) to.set_egress(at->second);
  }
  to.set_pieces(told.pieces);
  to.set_generation(told.generation);
}

}  // namespace nezu::api
