#include "controlplane/config/normalise.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "controlplane/config/names.h"
#include "dataplane/net/range.h"

namespace nezu::config {
namespace {

void canonical_address(std::string& text) {
  if (const auto address = net::parse_address(text)) {
    text = net::to_string(*address);
  }
}

void canonical_prefix(std::string& text) {
  if (const auto prefix = net::parse_prefix(text)) {
    text = net::to_string(*prefix);
  }
}

/// Host bits mean nothing; an address alone is written without its length.
void canonical_vip(std::string& text) {
  const auto prefix = net::parse_prefix(text);
  if (!prefix) {
    return;
  }
  const uint32_t longest = prefix->address.is_v4() ? 32 : 128;
  const net::Address first = net::masked(prefix->address, longest - prefix->length);
  text = prefix->length == longest ? net::to_string(first)
                                   : net::to_string(net::Prefix{first, prefix->length});
}

void canonical_range(std::string& text) {
  const auto range = net::parse_range(text);
  if (!range) {
    return;
  }
  if (text.find('/') != std::string::npos) {
    const auto prefix = net::parse_prefix(text);
    text = prefix ? net::to_string(net::Prefix{range->first, prefix->length}) : text;
  } else if (range->first == range->last) {
    text = net::to_string(range->first);
  } else {
    text = net::to_string(range->first) + "-" + net::to_string(range->last);
  }
}

void normalise(v1::Timeouts& t) {
  const auto fill = [](uint32_t value, uint32_t fallback) { return value == 0 ? fallback : value; };
  t.set_syn_sent_s(fill(t.syn_sent_s(), 10));
  t.set_syn_received_s(fill(t.syn_received_s(), 10));
  t.set_established_s(fill(t.established_s(), 900));
  t.set_fin_wait_s(fill(t.fin_wait_s(), 120));
  t.set_close_wait_s(fill(t.close_wait_s(), 60));
  t.set_time_wait_s(fill(t.time_wait_s(), 10));
  t.set_closed_s(fill(t.closed_s(), 10));
  t.set_udp_single_s(fill(t.udp_single_s(), 30));
  t.set_udp_s(fill(t.udp_s(), 300));
  t.set_icmp_s(fill(t.icmp_s(), 30));
  t.set_other_s(fill(t.other_s(), 300));
}

void normalise(v1::HealthCheck& check) {
  if (!check.address().empty()) {
    canonical_address(*check.mutable_address());
  }
  if (check.interval_ms() == 0) {
    check.set_interval_ms(1000);
  }
  if (check.timeout_ms() == 0) {
    check.set_timeout_ms(std::min(1000u, check.interval_ms()));
  }
  if (check.rise() == 0) {
    check.set_rise(2);
  }
  if (check.fall() == 0) {
    check.set_fall(2);
  }
  if (!check.has_jitter_percent()) {
    check.set_jitter_percent(10);
  }
  if (check.has_http()) {
    v1::HttpCheck& http = *check.mutable_http();
    if (http.path().empty()) {
      http.set_path("/");
    }
    if (http.method() == v1::HTTP_METHOD_UNSPECIFIED) {
      http.set_method(v1::HTTP_METHOD_GET);
    }
    if (http.statuses().empty()) {
      http.add_statuses("200-299");
    }
  }
}

void normalise(v1::RealServer& server, v1::Protocol protocol) {
  canonical_address(*server.mutable_address());
  if (!server.check_address().empty()) {
    canonical_address(*server.mutable_check_address());
  }
  if (server.protocol() == v1::PROTOCOL_UNSPECIFIED) {
    server.set_protocol(protocol);
  }
  if (!server.has_weight()) {
    server.set_weight(1);
  }
  if (server.state() == v1::ADMIN_STATE_UNSPECIFIED) {
    server.set_state(v1::ADMIN_STATE_READY);
  }
}

}  // namespace

/// Without the bits behind its length.
void canonical_network(std::string& text) {
  if (const auto range = net::parse_range(text); range && text.find('-') == std::string::npos) {
    const auto prefix = net::parse_prefix(text);
    const int whole = range->first.is_v4() ? 32 : 128;
    const auto length = prefix ? prefix->length : static_cast<uint8_t>(whole);
    text = net::to_string(net::Prefix{range->first, length});
  }
}

namespace {

uint32_t or_usual(uint32_t value, uint32_t usual) { return value != 0 ? value : usual; }

void normalise(v1::Limits& limits) {
  limits.set_client_ipv4_prefix_length(or_usual(limits.client_ipv4_prefix_length(), 32));
  limits.set_client_ipv6_prefix_length(or_usual(limits.client_ipv6_prefix_length(), 64));
}

void normalise(v1::Persistence& persistence) {
  persistence.set_timeout_s(or_usual(persistence.timeout_s(), 300));
  persistence.set_ipv4_prefix_length(or_usual(persistence.ipv4_prefix_length(), 32));
  persistence.set_ipv6_prefix_length(or_usual(persistence.ipv6_prefix_length(), 128));
  if (persistence.when_draining() == v1::WHEN_DRAINING_UNSPECIFIED) {
    persistence.set_when_draining(v1::WHEN_DRAINING_CHOOSE_AGAIN);
  }
}

void normalise_weights(v1::Pool& pool) {
  if (pool.weights() == v1::WEIGHTS_UNSPECIFIED) {
    pool.set_weights(v1::WEIGHTS_CONFIGURED);
  }
  if (pool.has_agent()) {
    v1::Agent& agent = *pool.mutable_agent();
    if (!agent.address().empty()) {
      canonical_address(*agent.mutable_address());
    }
    agent.set_interval_ms(or_usual(agent.interval_ms(), 2000));
    agent.set_timeout_ms(or_usual(agent.timeout_ms(), std::min(1000u, agent.interval_ms())));
  }
}

using Texts = google::protobuf::RepeatedPtrField<std::string>;

void sort_once(Texts& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

void canonical_networks(Texts& list) {
  for (std::string& text : list) {
    canonical_network(text);
  }
  sort_once(list);
}

void normalise(v1::AccessList& access) {
  canonical_networks(*access.mutable_allow());
  canonical_networks(*access.mutable_deny());
}

}  // namespace

void normalise(v1::VirtualService& service) {
  canonical_vip(*service.mutable_address());
  if (service.protocol() == v1::PROTOCOL_UNSPECIFIED) {
    service.set_protocol(v1::PROTOCOL_TCP);
  }
  if (service.mode() == v1::MODE_UNSPECIFIED) {
    service.set_mode(v1::MODE_NAT);
  }
  if (service.mode() == v1::MODE_TUNNEL_GUE && service.gue_port() == 0) {
    service.set_gue_port(6080);
  }
  if (service.client_address() == v1::CLIENT_ADDRESS_UNSPECIFIED) {
    service.set_client_address(v1::CLIENT_ADDRESS_NONE);
  }
  if (service.application() == v1::APPLICATION_UNSPECIFIED) {
    service.set_application(v1::APPLICATION_NONE);
  }
  if (service.last_port() == service.port()) {
    service.set_last_port(0);
  }
  if (service.application() == v1::APPLICATION_SIP && service.call_timeout_s() == 0) {
    service.set_call_timeout_s(1800);
  }
  if (service.ping() == v1::PING_POLICY_UNSPECIFIED) {
    service.set_ping(v1::PING_POLICY_ALWAYS);
  }
  if (service.without_server() == v1::WITHOUT_SERVER_UNSPECIFIED) {
    service.set_without_server(v1::WITHOUT_SERVER_REFUSE);
  }
  if (service.failed_flows() == v1::FAILED_FLOWS_UNSPECIFIED) {
    service.set_failed_flows(v1::FAILED_FLOWS_KEEP);
  }
  if (!service.has_enabled()) {
    service.set_enabled(true);
  }
  if (!service.client_prefix().empty()) {
    canonical_prefix(*service.mutable_client_prefix());
  }
  canonical_networks(*service.mutable_sources());
  sort_once(*service.mutable_interfaces());
  if (service.has_access()) {
    normalise(*service.mutable_access());
  }
  if (service.has_limits()) {
    normalise(*service.mutable_limits());
  }
  if (service.has_syn_cookies() && !service.syn_cookies().has_timestamps()) {
    service.mutable_syn_cookies()->set_timestamps(true);
  }
  if (service.has_persistence()) {
    normalise(*service.mutable_persistence());
  }
  normalise(*service.mutable_timeouts());
}

void normalise(v1::Pool& pool) {
  if (pool.scheduler() == v1::SCHEDULER_UNSPECIFIED) {
    pool.set_scheduler(v1::SCHEDULER_WLC);
  }
  if (pool.protocol() == v1::PROTOCOL_UNSPECIFIED) {
    pool.set_protocol(v1::PROTOCOL_TCP);
  }
  if (pool.has_check()) {
    normalise(*pool.mutable_check());
  }
  normalise_weights(pool);
  for (v1::RealServer& server : *pool.mutable_servers()) {
    normalise(server, pool.protocol());
    if (server.instance() == 0) {
      server.set_instance(pool.instance());
    }
  }
  std::stable_sort(pool.mutable_servers()->pointer_begin(), pool.mutable_servers()->pointer_end(),
                   [](const v1::RealServer* a, const v1::RealServer* b) {
                     return identity_of(*a) < identity_of(*b);
                   });
}

void normalise(v1::SnatSet& set) {
  for (std::string& text : *set.mutable_addresses()) {
    canonical_range(text);
  }
  std::sort(set.mutable_addresses()->begin(), set.mutable_addresses()->end());
}

void normalise(v1::SourceNat& rule) {
  if (rule.application() == v1::APPLICATION_UNSPECIFIED) {
    rule.set_application(v1::APPLICATION_NONE);
  }
  const auto sorted = [](auto& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  };
  for (auto* prefixes : {rule.mutable_networks(), rule.mutable_except()}) {
    for (std::string& prefix : *prefixes) {
      canonical_network(prefix);
    }
  }
  for (auto* list : {rule.mutable_networks(), rule.mutable_except(), rule.mutable_pools(),
                     rule.mutable_interfaces(), rule.mutable_outside_interfaces()}) {
    sorted(*list);
  }
  if (rule.order() == 0) {
    rule.set_order(100);
  }
  if (!rule.has_enabled()) {
    rule.set_enabled(true);
  }
  normalise(*rule.mutable_timeouts());
}

void normalise(v1::NetworkInstance& instance) {
  std::sort(instance.mutable_links()->begin(), instance.mutable_links()->end());
  if (instance.has_access()) {
    normalise(*instance.mutable_access());
  }
  for (v1::Bridge& bridge : *instance.mutable_bridges()) {
    if (bridge.priority() == 0) {
      bridge.set_priority(100);
    }
    if (bridge.hold_ms() == 0) {
      bridge.set_hold_ms(1000);
    }
  }
}

void normalise(v1::Settings& settings) {
  if (settings.transit() == v1::TRANSIT_UNSPECIFIED) {
    settings.set_transit(v1::TRANSIT_DROP);
  }
  if (settings.embryonic_percent() == 0) {
    settings.set_embryonic_percent(50);
  }
  if (!settings.has_drop_alarm_per_second()) {
    settings.set_drop_alarm_per_second(100);
  }
  for (std::string& prefix : *settings.mutable_client_prefixes()) {
    canonical_prefix(prefix);
  }
  if (settings.has_access()) {
    normalise(*settings.mutable_access());
  }
}

void normalise(v1::Configuration& configuration) {
  for (v1::VirtualService& service : *configuration.mutable_services()) {
    normalise(service);
  }
  for (v1::Pool& pool : *configuration.mutable_pools()) {
    normalise(pool);
  }
  for (v1::SnatSet& set : *configuration.mutable_snat_sets()) {
    normalise(set);
  }
  for (v1::SourceNat& rule : *configuration.mutable_source_nats()) {
    normalise(rule);
  }
  for (v1::NetworkInstance& instance : *configuration.mutable_instances()) {
    normalise(instance);
  }
  normalise(*configuration.mutable_settings());
}

bool equal(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  // No map and no unknown field is in these messages, so equal ones have equal bytes.
  const size_t size = a.ByteSizeLong();
  if (b.ByteSizeLong() != size) {
    return false;
  }
  thread_local std::vector<uint8_t> bytes;
  bytes.resize(2 * size);
  a.SerializeWithCachedSizesToArray(bytes.data());
  b.SerializeWithCachedSizesToArray(bytes.data() + size);
  return std::memcmp(bytes.data(), bytes.data() + size, size) == 0;
}

}  // namespace nezu::config
