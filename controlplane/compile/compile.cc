#include "controlplane/compile/compile.h"

#include <algorithm>

#include "controlplane/compile/pings.h"
#include "controlplane/compile/prefixes.h"
#include "controlplane/config/names.h"
#include "dataplane/tables/make_rules.h"

namespace nezu::compile {
namespace {

tables::Refusal refusal_of(v1::WithoutServer choice) {
  return choice == v1::WITHOUT_SERVER_DROP   ? tables::Refusal::drop
         : choice == v1::WITHOUT_SERVER_PASS ? tables::Refusal::pass
                                             : tables::Refusal::refuse;
}

tables::Mode mode_of(v1::Mode mode) {
  switch (mode) {
    case v1::MODE_FULLNAT:
      return tables::Mode::fullnat;
    case v1::MODE_ROUTE:
      return tables::Mode::route;
    case v1::MODE_TUNNEL_IPIP:
      return tables::Mode::tunnel_ipip;
    case v1::MODE_TUNNEL_GRE:
      return tables::Mode::tunnel_gre;
    case v1::MODE_TUNNEL_GUE:
      return tables::Mode::tunnel_gue;
    case v1::MODE_REDIRECT:
      return tables::Mode::redirect;
    default:
      return tables::Mode::nat;
  }
}

tables::ServerState configured_state(v1::AdminState state) {
  switch (state) {
    case v1::ADMIN_STATE_DRAIN:
      return tables::ServerState::draining;
    case v1::ADMIN_STATE_DISABLED:
      return tables::ServerState::disabled;
    default:
      return tables::ServerState::ready;
  }
}

/// The default, in seconds, of each timeout; LVS's where LVS has one.
net::Tick ticks(uint32_t seconds, uint32_t otherwise) {
  return (seconds != 0 ? seconds : otherwise) * net::kTicksPerSecond;
}

net::EmbeddingPrefix prefix_of(const std::string& text) {
  net::EmbeddingPrefix prefix;
  const auto parsed = net::parse_prefix(text);
  if (parsed && !parsed->address.is_v4()) {
    std::copy_n(parsed->address.bytes.begin(), prefix.bytes.size(), prefix.bytes.begin());
    prefix.length = parsed->length;
  }
  return prefix;
}

tables::ClientAddress client_address_of(v1::ClientAddress from) {
  return from == v1::CLIENT_ADDRESS_PROXY_V2     ? tables::ClientAddress::proxy_v2
         : from == v1::CLIENT_ADDRESS_TCP_OPTION ? tables::ClientAddress::tcp_option
                                                 : tables::ClientAddress::none;
}

tables::FailedFlows failed_flows_of(v1::FailedFlows from) {
  return from == v1::FAILED_FLOWS_RESET  ? tables::FailedFlows::reset
         : from == v1::FAILED_FLOWS_DROP ? tables::FailedFlows::drop
                                         : tables::FailedFlows::keep;
}

tables::Settings settings_of(const v1::Settings& from) {
  tables::Settings settings;
  settings.transit = from.transit() == v1::TRANSIT_FORWARD  ? tables::Transit::forward
                     : from.transit() == v1::TRANSIT_KERNEL ? tables::Transit::kernel
                                                            : tables::Transit::drop;
  settings.embryonic_percent =
      from.embryonic_percent() != 0 ? static_cast<uint8_t>(from.embryonic_percent()) : 50;
  for (int i = 0; i < from.client_prefixes_size() && i < int{tables::kClientPrefixes}; ++i) {
    settings.client_prefixes[static_cast<size_t>(i)] = prefix_of(from.client_prefixes(i));
  }
  return settings;
}

}  // namespace

tables::Application application_of(v1::Application from) {
  return from == v1::APPLICATION_FTP    ? tables::Application::ftp
         : from == v1::APPLICATION_TFTP ? tables::Application::tftp
         : from == v1::APPLICATION_SIP  ? tables::Application::sip
         : from == v1::APPLICATION_RTSP ? tables::Application::rtsp
                                        : tables::Application::none;
}

tables::Timeouts timeouts_of(const v1::Timeouts& from) {
  tables::Timeouts timeouts{};
  const auto set = [&timeouts](tables::Timeout which, net::Tick value) {
    timeouts[static_cast<size_t>(which)] = value;
  };
  set(tables::Timeout::syn_sent, ticks(from.syn_sent_s(), 10));
  set(tables::Timeout::syn_received, ticks(from.syn_received_s(), 10));
  set(tables::Timeout::established, ticks(from.established_s(), 900));
  set(tables::Timeout::fin_wait, ticks(from.fin_wait_s(), 120));
  set(tables::Timeout::close_wait, ticks(from.close_wait_s(), 60));
  set(tables::Timeout::time_wait, ticks(from.time_wait_s(), 10));
  set(tables::Timeout::closed, ticks(from.closed_s(), 10));
  set(tables::Timeout::udp_single, ticks(from.udp_single_s(), 30));
  set(tables::Timeout::udp, ticks(from.udp_s(), 300));
  set(tables::Timeout::icmp, ticks(from.icmp_s(), 30));
  set(tables::Timeout::other, ticks(from.other_s(), 300));
  return timeouts;
}

tables::ServerState effective_state(tables::ServerState configured, bool healthy) {
  if (configured == tables::ServerState::disabled) {
    return configured;
  }
  return healthy ? configured : tables::ServerState::failed;
}

ServerImage compile_server(const v1::RealServer& server, const v1::Pool& pool,
                           const Verdicts& verdicts, int64_t boot_offset) {
  ServerImage image;
  image.identity = identity_of(server, pool);
  image.configured = configured_state(server.state());
  if (const auto verdict = verdicts.find(image.identity); verdict != verdicts.end()) {
    image.health_known = true;
    image.healthy = verdict->second;
  }
  image.state = effective_state(image.configured, image.healthy);
  if (image.configured == tables::ServerState::draining && server.has_drain_deadline()) {
    const int64_t wall =
        server.drain_deadline().seconds() * 1'000'000'000 + server.drain_deadline().nanos();
    // A deadline before this boot has passed: the first instant, because 0 means "never".
    image.drain_deadline =
        net::Instant{static_cast<uint64_t>(std::max<int64_t>(wall - boot_offset, 1))};
  }
  return image;
}

namespace {

tables::TrafficLimit traffic_of(const v1::Limit& from) {
  tables::TrafficLimit to;
  to.packets_per_second = from.packets_per_second();
  to.bits_per_second = from.bits_per_second();
  return to;
}

tables::FlowLimits limits_of(const v1::Limits& from) {
  tables::FlowLimits to;
  to.all = {from.all().per_second(), from.all().at_once()};
  to.client = {from.client().per_second(), from.client().at_once()};
  if (to.client.exists() || traffic_of(from.client()).exists()) {
    to.host_bits4 = static_cast<uint8_t>(32 - from.client_ipv4_prefix_length());
    to.host_bits6 = static_cast<uint8_t>(128 - from.client_ipv6_prefix_length());
  }
  return to;
}

tables::CookieRule cookies_of(const v1::VirtualService& service) {
  const v1::SynCookies& from = service.syn_cookies();
  tables::CookieRule to;
  to.enabled = service.has_syn_cookies() ? 1 : 0;
  to.above_per_second = from.above_per_second();
  to.timestamps = !from.has_timestamps() || from.timestamps() ? 1 : 0;
  return to;
}

tables::Persistence persistence_of(const v1::VirtualService& service, uint64_t identity) {
  if (!service.has_persistence()) {
    return {};
  }
  const v1::Persistence& from = service.persistence();
  tables::Persistence to;
  to.scope = service.mark() != 0 ? tables::scope_of_mark(static_cast<uint16_t>(service.mark()))
                                 : tables::scope_of_service(identity);
  to.timeout_s = from.timeout_s();
  to.host_bits4 = static_cast<uint8_t>(32 - from.ipv4_prefix_length());
  to.host_bits6 = static_cast<uint8_t>(128 - from.ipv6_prefix_length());
  to.keeps_draining = from.when_draining() == v1::WHEN_DRAINING_STAY;
  return to;
}

}  // namespace

ServiceImage compile_service(const v1::VirtualService& service) {
  ServiceImage image;
  image.name = service.name();
  const AddressKey vip = vip_of(service);
  image.key.address = vip.address;
  image.key.instance = vip.instance;
  image.key.host_bits = vip.host_bits;
  image.key.port = static_cast<uint16_t>(service.port());
  image.key.last_port = static_cast<uint16_t>(service.last_port());
  image.key.protocol = config::to_net(service.protocol());
  if (config::is_for_some(service)) {
    image.key = tables::key_for_some(image.key);
  }
  image.one_packet = service.one_packet();
  image.return_to_sender = service.return_to_sender();
  image.mode = mode_of(service.mode());
  image.gue_port = static_cast<uint16_t>(service.gue_port());
  image.max_segment_size = static_cast<uint16_t>(service.max_segment_size());
  image.reset_when_idle = service.reset_when_idle();
  image.failed_flows = failed_flows_of(service.failed_flows());
  image.refusal = refusal_of(service.without_server());
  image.enabled = !service.has_enabled() || service.enabled();
  image.identity = name_identity(service.name());
  image.pool = service.pool();
  image.snat_set = service.snat_set();
  image.timeouts = timeouts_of(service.timeouts());
  image.client_prefix = prefix_of(service.client_prefix());
  image.client_address = client_address_of(service.client_address());
  image.application = application_of(service.application());
  image.call_timeout_s = service.call_timeout_s();
  image.persistence = persistence_of(service, image.identity);
  image.limits = limits_of(service.limits());
  image.traffic = {traffic_of(service.limits().all()), traffic_of(service.limits().client())};
  image.cookies = cookies_of(service);
  image.passive_ports = net::parse_port_range(service.passive_ports()).value_or(net::PortRange{});
  return image;
}

namespace {

class Compilation {
 public:
  Compilation(const config::Model& model, const Touched& touched, const Conditions& conditions,
              int64_t boot_offset)
      : model_(model), touched_(touched), conditions_(conditions), boot_offset_(boot_offset) {}

  Image run() && {
    services();
    pools();
    servers();
    addresses();
    rules();
    image_.has_memberships = touched_.memberships;
    if (touched_.memberships) {
      image_.memberships = compile_memberships(model_);
      image_.bridges = compile_bridges(model_);
    }
    if (touched_.instance_access) {
      image_.instance_access = compile_instance_access(model_);
    }
    image_.settings = settings_of(model_.settings());
    return std::move(image_);
  }

 private:
  void services();
  void pools();
  void servers();
  void addresses();
  void rules();
  void need_set(const std::string& name);
  const std::vector<uint8_t>& access_of(const v1::VirtualService& service);
  void passive_ports(const config::Names& services, AddressImage& image) const;

  const config::Model& model_;
  const Touched& touched_;
  const Conditions& conditions_;
  const int64_t boot_offset_;
  Image image_;
  std::map<std::string, std::vector<uint8_t>>
      access_;  ///< by the list: many services have equal ones
};

void Compilation::services() {
  for (const std::string& name : touched_.services) {
    const v1::VirtualService* service = model_.services().find(name);
    if (service == nullptr) {
      image_.gone.services.push_back(name);
      continue;
    }
    image_.services.push_back(compile_service(*service));
    image_.services.back().access = access_of(*service);
    need_set(service->snat_set());
  }
}

const std::vector<uint8_t>& Compilation::access_of(const v1::VirtualService& service) {
  const auto [known, is_new] = access_.try_emplace(service.access().SerializeAsString());
  if (is_new) {
    known->second = compile_access(service.access());
  }
  return known->second;
}

void Compilation::need_set(const std::string& name) {
  const v1::SnatSet* set = model_.snat_sets().find(name);
  if (set != nullptr && !image_.snat_sets.contains(name)) {
    image_.snat_sets.emplace(name, compile_snat_set(*set));
  }
}

void Compilation::rules() {
  for (const std::string& name : touched_.rules) {
    if (const v1::SourceNat* rule = model_.source_nats().find(name)) {
      image_.rules.push_back(compile_rule(*rule));
      need_set(rule->snat_set());
    } else {
      image_.gone.rules.push_back(name);
    }
  }
  if (touched_.matches) {
    image_.matches = compile_matches(model_);
  }
}

void Compilation::pools() {
  for (const std::string& name : touched_.pools) {
    if (const v1::Pool* pool = model_.pools().find(name)) {
      image_.pools.push_back(compile_pool(*pool, conditions_));
    } else {
      image_.gone.pools.push_back(name);
    }
  }
}

void Compilation::servers() {
  for (const tables::ServerIdentity& identity : touched_.servers) {
    const config::Names& pools = model_.pools_of(identity);
    if (pools.empty()) {
      image_.gone.servers.push_back(identity);
      continue;
    }
    // The state of a server is the same in all its pools.
    const v1::Pool& pool = *model_.pools().find(*pools.begin());
    const int at = config::find_server(pool, identity);
    image_.servers.push_back(
        compile_server(pool.servers(at), pool, conditions_.verdicts, boot_offset_));
  }
}

/// VIPs and SNAT addresses. An address that is both is a VIP first: validation refuses that, and a
/// VIP that swallowed SNAT answers would show as `service_unknown`.
void Compilation::addresses() {
  Pings pings(model_, conditions_);
  for (const AddressKey& key : touched_.addresses) {
    const std::string text = text_of(key);
    const auto number = static_cast<uint32_t>(key.instance);
    AddressImage image;
    image.key = key;
    if (const config::Names& services = model_.services_at(number, text); !services.empty()) {
      image.answers_ping = key.host_bits == 0 && pings.any_answers(services);
      image.portless = !model_.portless_at(number, text).empty();
      for (const std::string& name : model_.open_services_at(number, text)) {
        const v1::VirtualService& service = *model_.services().find(name);
        image.by_side = image.by_side || service.mode() == v1::MODE_REDIRECT;
        image.open_services.push_back({name, compile_service(service).key,
                                       prefixes_of(config::sources_of(service)),
                                       interfaces_of(service.interfaces())});
      }
      passive_ports(services, image);
      image_.addresses.push_back(std::move(image));
    } else if (!model_.snat_sets_at(number, text).empty()) {
      image.kind = tables::AddressKind::snat;
      image_.addresses.push_back(std::move(image));
    } else {
      image_.gone.addresses.push_back(key);
    }
  }
}

/// At most one service of an address has some.
void Compilation::passive_ports(const config::Names& services, AddressImage& image) const {
  for (const std::string& name : services) {
    const v1::VirtualService& service = *model_.services().find(name);
    if (const auto range = net::parse_port_range(service.passive_ports())) {
      image.passive_ports = *range;
      image.passive_service = name;
      return;
    }
  }
}

}  // namespace

Image compile(const config::Model& model, const Touched& touched, const Conditions& conditions,
              int64_t boot_offset) {
  return Compilation(model, touched, conditions, boot_offset).run();
}

}  // namespace nezu::compile
