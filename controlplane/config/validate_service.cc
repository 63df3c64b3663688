// What is wrong with a virtual service by itself.
#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"
#include "dataplane/net/range.h"

namespace nezu::config {
namespace {

/// Within the service; Settings are checked where links are.
void check_client_prefix_of(const v1::VirtualService& service, const std::string& path,
                            Problems& problems) {
  if (service.client_prefix().empty()) {
    return;
  }
  check_client_prefix(service.client_prefix(), path + ".client_prefix", problems);
  if (service.mode() != v1::MODE_NAT || !vip_of(service).address.is_v4()) {
    complain(problems, path + ".client_prefix", service.client_prefix(),
             "A client prefix is for IPv4 clients of IPv6 servers in mode nat; leave it out.");
  }
}

bool is_supported(v1::Mode mode) { return v1::Mode_IsValid(mode) && mode != v1::MODE_UNSPECIFIED; }

/// 88: what TCP over IPv4 needs at least (RFC 791's 68 bytes would leave too little to be of use).
void check_segment_size(const v1::VirtualService& service, const std::string& path,
                        Problems& problems) {
  check_range(service.max_segment_size(), 88, 65495, "bytes", path, problems);
  if (service.protocol() != v1::PROTOCOL_TCP) {
    complain(problems, path, std::to_string(service.max_segment_size()),
             "Only TCP has segments; leave it out.");
  }
  if (keeps_port(service.mode())) {
    complain(problems, path, std::to_string(service.max_segment_size()),
             "In this mode the server's SYN-ACK passes the balancer by; set advmss on the servers' "
             "route instead, or use nat or fullnat.");
  }
}

void check_passive_ports(const v1::VirtualService& service, const std::string& path,
                         Problems& problems) {
  if (service.passive_ports().empty()) {
    return;
  }
  const auto range = net::parse_port_range(service.passive_ports());
  if (!range || range->first < 1024) {
    complain(problems, path, service.passive_ports(),
             "This is no range of ports from 1024 to 65535; write it as 10000-10999.");
  } else if (range->first <= service.port() && service.port() <= range->last) {
    complain(problems, path, service.passive_ports(),
             "The service's own port is among them; choose others.");
  }
  if (service.application() != v1::APPLICATION_FTP) {
    complain(problems, path, service.passive_ports(),
             "Only FTP has passive ports; set application: ftp or leave them out.");
  }
}

void check_call_timeout(const v1::VirtualService& service, const std::string& path,
                        Problems& problems) {
  if (service.application() == v1::APPLICATION_SIP) {
    check_range(service.call_timeout_s(), 10, 86400, "seconds", path, problems);
  } else if (service.call_timeout_s() != 0) {
    complain(problems, path, std::to_string(service.call_timeout_s()),
             "Only SIP has calls; set application: sip or leave it out.");
  }
}

/// What the application is called, and the protocol under it.
struct Speech {
  const char* name;
  bool is_udp;
};
Speech speech_of(v1::Application application) {
  if (application == v1::APPLICATION_TFTP) {
    return {"TFTP", true};
  }
  if (application == v1::APPLICATION_RTSP) {
    return {"RTSP", false};
  }
  return application == v1::APPLICATION_SIP ? Speech{"SIP", true} : Speech{"FTP", false};
}

/// What is told to servers, and what is read of what is said.
void check_payload(const v1::VirtualService& service, const std::string& path, Problems& problems) {
  const std::string address = path + ".client_address", application = path + ".application";
  check_known(service.client_address(), v1::ClientAddress_IsValid, address, problems);
  check_known(service.application(), v1::Application_IsValid, application, problems);
  const bool tells = service.client_address() > v1::CLIENT_ADDRESS_NONE;
  const bool reads = service.application() > v1::APPLICATION_NONE;
  if (tells && service.mode() != v1::MODE_FULLNAT) {
    complain(problems, address, word_of(service.client_address()),
             "Only in mode fullnat do servers not see the client's address by themselves; leave it "
             "out.");
  }
  if (service.client_address() == v1::CLIENT_ADDRESS_TCP_OPTION &&
      service.protocol() != v1::PROTOCOL_TCP) {
    complain(problems, address, word_of(service.client_address()),
             "Only TCP has options; use proxy_v2, or leave it out.");
  }
  const bool takes_proxy =
      service.protocol() == v1::PROTOCOL_TCP || service.protocol() == v1::PROTOCOL_UDP;
  if (service.client_address() == v1::CLIENT_ADDRESS_PROXY_V2 && !takes_proxy) {
    complain(problems, address, word_of(service.client_address()),
             "The PROXY protocol is for TCP and UDP; leave it out.");
  }
  if (tells && reads) {
    complain(problems, address, word_of(service.client_address()),
             "It cannot be combined with application " + word_of(service.application()) +
                 "; leave one of them out.");
  }
  if (reads && keeps_port(service.mode())) {
    complain(problems, application, word_of(service.application()),
             "In this mode the servers' answers pass the balancer by; use nat or fullnat, or leave "
             "it out.");
  }
  if (reads && is_wide(service)) {
    complain(problems, application, word_of(service.application()),
             "What it announces is told apart from other flows at one address and port alone: give "
             "the service one of each, or leave it out.");
  }
  if (reads && is_for_some(service)) {
    complain(problems, application, word_of(service.application()),
             "An application's service is for everybody who comes to its address and port, as what "
             "it announces is found by these alone; leave sources and interfaces out (an access "
             "list refuses clients), or the application.");
  }
  const Speech speech = speech_of(service.application());
  if (reads && speech.is_udp != (service.protocol() == v1::PROTOCOL_UDP)) {
    complain(
        problems, application, word_of(service.application()),
        std::string(speech.name) + (speech.is_udp ? " is read over UDP alone; set protocol: udp."
                                                  : " is spoken over TCP; set protocol: tcp."));
  }
  check_call_timeout(service, path + ".call_timeout_s", problems);
  check_passive_ports(service, path + ".passive_ports", problems);
}

void check_mode(const v1::VirtualService& service, const std::string& path, Problems& problems) {
  if (!is_supported(service.mode())) {
    complain(
        problems, path + ".mode", word_of(service.mode()),
        "This version forwards by nat, fullnat, route, tunnel_ipip, tunnel_gre, tunnel_gue and "
        "redirect; choose one of them.");
  }
  if (service.mode() != v1::MODE_REDIRECT) {
    if (service.return_to_sender()) {
      complain(problems, path + ".return_to_sender", "true",
               "Only mode redirect sends answers back to a MAC address; leave it out.");
    }
    if (service.without_server() == v1::WITHOUT_SERVER_PASS) {
      complain(problems, path + ".without_server", "pass",
               "Only in mode redirect there is somewhere to pass to; choose refuse or drop.");
    }
  }
  if (service.max_segment_size() != 0) {
    check_segment_size(service, path + ".max_segment_size", problems);
  }
  if (service.reset_when_idle() && service.protocol() != v1::PROTOCOL_TCP) {
    complain(problems, path + ".reset_when_idle", "true",
             "Only TCP connections can be reset; leave it out.");
  }
  if (service.mode() == v1::MODE_TUNNEL_GUE) {
    check_port(service.gue_port(), path + ".gue_port", problems);
  } else if (service.gue_port() != 0) {
    complain(problems, path + ".gue_port", std::to_string(service.gue_port()),
             "Only mode tunnel_gue has this port; leave it out.");
  }
  if (service.mode() == v1::MODE_FULLNAT && service.snat_set().empty()) {
    complain(problems, path + ".snat_set", "",
             "A fullnat service needs source addresses; name an SNAT set.");
  }
  if (service.mode() == v1::MODE_NAT && !has_ports(service.protocol()) &&
      !service.snat_set().empty()) {
    complain(problems, path + ".snat_set", service.snat_set(),
             "Without ports a server's answer does not tell whether its client is in its own "
             "subnet: use fullnat for all clients, or leave the SNAT set out.");
  }
  if (is_supported(service.mode()) && keeps_port(service.mode()) && !service.snat_set().empty()) {
    complain(problems, path + ".snat_set", service.snat_set(),
             "No source address is translated in this mode; leave the SNAT set out, or use nat or "
             "fullnat.");
  }
}

}  // namespace

void validate(const v1::VirtualService& service, Problems& problems) {
  const std::string path = service_path(service.name());
  check_name(service.name(), path, problems);
  check_vip(service, path + ".address", problems);
  check_ports(service, path, problems);
  check_known(service.protocol(), v1::Protocol_IsValid, path + ".protocol", problems);
  check_known(service.ping(), v1::PingPolicy_IsValid, path + ".ping", problems);
  check_known(service.failed_flows(), v1::FailedFlows_IsValid, path + ".failed_flows", problems);
  check_known(service.without_server(), v1::WithoutServer_IsValid, path + ".without_server",
              problems);
  check_length(service.description(), kLongestDescription, path + ".description", problems);
  check_timeouts(service.timeouts(), path + ".timeouts", problems);
  if (service.pool().empty()) {
    complain(problems, path + ".pool", "", "The pool is missing; name the pool that serves it.");
  }
  check_client_prefix_of(service, path, problems);
  check_access(service.access(), path + ".access", problems);
  check_callers(service, path, problems);
  check_one_packet(service, path + ".one_packet", problems);
  check_persistence(service, path, problems);
  if (service.has_limits()) {
    check_limits(service.limits(), path + ".limits", problems);
  }
  if (service.has_syn_cookies()) {
    check_syn_cookies(service, path + ".syn_cookies", problems);
  }
  check_payload(service, path, problems);
  check_mode(service, path, problems);
}

}  // namespace nezu::config
