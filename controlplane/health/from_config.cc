#include "controlplane/health/from_config.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

#include "controlplane/compile/compile.h"
#include "controlplane/config/names.h"

namespace nezu::health {
namespace {

Kind kind_of(const v1::HealthCheck& check) {
  switch (check.kind_case()) {
    case v1::HealthCheck::kIcmp:
      return Kind::icmp;
    case v1::HealthCheck::kHttp:
      return Kind::http;
    case v1::HealthCheck::kTcp:
    case v1::HealthCheck::KIND_NOT_SET:
      break;
  }
  return Kind::tcp;
}

/// "200" or "200-399".
std::optional<StatusRange> status_range(std::string_view text) {
  StatusRange range;
  const char* end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, range.first);
  range.last = range.first;
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-') {
    read = std::from_chars(read.ptr + 1, end, range.last);
  }
  return read.ec == std::errc{} && read.ptr == end ? std::optional(range) : std::nullopt;
}

Http http_of(const v1::HealthCheck& check) {
  Http http;
  if (!check.http().path().empty()) {
    http.path = check.http().path();
  }
  http.host = check.http().host();
  http.body_regex = check.http().body_regex();
  http.user_agent = check.user_agent();
  for (const std::string& text : check.http().statuses()) {
    if (const auto range = status_range(text)) {
      http.statuses.push_back(*range);
    }
  }
  return http;
}

/// All but the server.
Check template_of(const v1::Pool& pool) {
  const v1::HealthCheck& from = pool.check();
  Check check;
  check.pool = pool.name();
  check.kind = kind_of(from);
  if (check.kind == Kind::http) {
    check.http = http_of(from);
  }
  check.proxy_protocol = from.proxy_protocol();
  check.interval = Milliseconds{from.interval_ms()};
  check.timeout = Milliseconds{from.timeout_ms()};
  check.rise = from.rise();
  check.fall = from.fall();
  check.jitter_percent = from.jitter_percent();
  check.hold_down = Milliseconds{from.hold_down_ms()};
  check.manual_return = from.manual_return();
  check.is_weighed = pool.weights() == v1::WEIGHTS_RESPONSE_TIME;
  return check;
}

void add_checks(const v1::Pool& pool, const std::string& interface, std::vector<Check>& checks) {
  Check base = template_of(pool);
  base.interface = interface;
  const auto override_address = net::parse_address(pool.check().address());
  for (const v1::RealServer& server : pool.servers()) {
    const auto identity = config::identity_of(server, pool.protocol());
    if (!identity) {
      continue;
    }
    Check& check = checks.emplace_back(base);
    check.server = *identity;
    const auto own_address = net::parse_address(server.check_address());
    check.address = own_address.value_or(override_address.value_or(identity->address));
    check.port =
        pool.check().port() != 0 ? static_cast<uint16_t>(pool.check().port()) : identity->port;
  }
}

void add_agents(const v1::Pool& pool, const std::string& interface, std::vector<Check>& checks) {
  const auto override_address = net::parse_address(pool.agent().address());
  for (const v1::RealServer& server : pool.servers()) {
    const auto identity = config::identity_of(server, pool.protocol());
    if (!identity) {
      continue;
    }
    Check& agent = checks.emplace_back();
    agent.server = *identity;
    agent.pool = pool.name();
    agent.kind = Kind::agent;
    const auto own_address = net::parse_address(server.check_address());
    agent.address = own_address.value_or(override_address.value_or(identity->address));
    agent.port = static_cast<uint16_t>(pool.agent().port());
    agent.send = pool.agent().send();
    agent.interface = interface;
    agent.interval = Milliseconds{pool.agent().interval_ms()};
    agent.timeout = Milliseconds{pool.agent().timeout_ms()};
  }
}

}  // namespace

std::vector<Check> checks_of(const v1::Pool& pool, const std::string& interface) {
  std::vector<Check> checks;
  if (pool.has_check()) {
    add_checks(pool, interface, checks);
  }
  if (pool.weights() == v1::WEIGHTS_AGENT) {
    add_agents(pool, interface, checks);
  }
  return checks;
}

std::optional<Weights::Wanted> weights_of(const v1::Pool& pool) {
  const auto source = compile::source_of(pool);
  if (!source) {
    return std::nullopt;
  }
  Weights::Wanted wanted;
  wanted.source = *source;
  if (pool.weight_floor_percent() != 0) {
    wanted.floor_percent = pool.weight_floor_percent();
  }
  for (const v1::RealServer& server : pool.servers()) {
    if (const auto identity = config::identity_of(server, pool.protocol())) {
      wanted.servers.push_back(*identity);
    }
  }
  return wanted;
}

}  // namespace nezu::health
