// What is wrong with whom a service takes, with persistence, with the marks that join services by
// it, and with limits.
#include <algorithm>
#include <optional>
#include <set>

#include "controlplane/config/names.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"
#include "dataplane/net/address.h"

namespace nezu::config {

void check_persistence(const v1::VirtualService& service, const std::string& path,
                       Problems& problems) {
  check_range(service.mark(), 0, 65535, "", path + ".mark", problems);
  if (!service.has_persistence()) {
    if (service.mark() != 0) {
      complain(problems, path + ".mark", std::to_string(service.mark()),
               "A mark joins services whose clients stay on a server: give persistence, or leave "
               "the mark out.");
    }
    return;
  }
  const v1::Persistence& persistence = service.persistence();
  const std::string at = path + ".persistence";
  check_range(persistence.timeout_s(), 1, 86400, "seconds", at + ".timeout_s", problems);
  check_range(persistence.ipv4_prefix_length(), 1, 32, "bits", at + ".ipv4_prefix_length",
              problems);
  check_range(persistence.ipv6_prefix_length(), 1, 128, "bits", at + ".ipv6_prefix_length",
              problems);
  check_known(persistence.when_draining(), v1::WhenDraining_IsValid, at + ".when_draining",
              problems);
  if (service.application() == v1::APPLICATION_SIP) {
    complain(problems, at, "",
             "Messages of SIP follow their call, whoever sends them; leave persistence out.");
  }
}

namespace {

void check_limit(const v1::Limit& limit, uint64_t most_bits, const std::string& path,
                 Problems& problems) {
  check_range(limit.per_second(), 0, 100'000'000, "", path + ".per_second", problems);
  if (limit.packets_per_second() != 0) {
    check_range(limit.packets_per_second(), 100, 1'000'000'000, "", path + ".packets_per_second",
                problems);
  }
  // A tenth of the least is more than any frame.
  if (limit.bits_per_second() != 0) {
    check_range(limit.bits_per_second(), 1'000'000, most_bits, "", path + ".bits_per_second",
                problems);
  }
}

}  // namespace

void check_limits(const v1::Limits& limits, const std::string& path, Problems& problems) {
  check_limit(limits.all(), 1'000'000'000'000, path + ".all", problems);
  check_limit(limits.client(), 100'000'000'000, path + ".client", problems);
  check_range(limits.client_ipv4_prefix_length(), 1, 32, "bits",
              path + ".client_ipv4_prefix_length", problems);
  check_range(limits.client_ipv6_prefix_length(), 1, 128, "bits",
              path + ".client_ipv6_prefix_length", problems);
}

void check_syn_cookies(const v1::VirtualService& service, const std::string& path,
                       Problems& problems) {
  check_range(service.syn_cookies().above_per_second(), 0, 100'000'000, "",
              path + ".above_per_second", problems);
  if (service.protocol() != v1::PROTOCOL_TCP) {
    complain(problems, path, "", "Only TCP has SYNs; leave it out.");
  }
  if (service.mode() != v1::MODE_NAT && service.mode() != v1::MODE_FULLNAT) {
    complain(problems, path, "",
             "Servers answer past the balancer in this mode, with numbers that no client expects; "
             "use nat or fullnat, or let the servers send SYN cookies.");
  }
  if (service.application() != v1::APPLICATION_UNSPECIFIED &&
      service.application() != v1::APPLICATION_NONE) {
    complain(problems, path, "",
             "Connections whose lines are read have no room for a cookie's numbers; leave it out, "
             "or limit new flows.");
  }
  if (service.client_address() == v1::CLIENT_ADDRESS_TCP_OPTION) {
    complain(problems, path, "",
             "The client's address as an option and SYN cookies exclude each other; use proxy_v2.");
  }
}

void check_callers(const v1::VirtualService& service, const std::string& path, Problems& problems) {
  constexpr int kMostSources = 256;
  check_networks(service.sources(), kMostSources, path + ".sources", problems);
  check_interfaces(service.interfaces(), path + ".interfaces", problems);
  const bool is_v4 = vip_of(service).address.is_v4();
  for (int i = 0; i < service.sources_size(); ++i) {
    const auto source = net::parse_prefix(service.sources(i));
    if (source && source->address.is_v4() != is_v4) {
      complain(problems, path + ".sources[" + std::to_string(i) + "]", service.sources(i),
               std::string("The service is ") + family_text(is_v4) +
                   ", so no client of it is in this prefix; leave it out.");
    }
  }
}

void check_one_packet(const v1::VirtualService& service, const std::string& path,
                      Problems& problems) {
  if (!service.one_packet()) {
    return;
  }
  if (service.protocol() != v1::PROTOCOL_UDP) {
    complain(problems, path, "true", "Only datagrams of UDP stand by themselves; leave it out.");
  }
  if (service.mode() == v1::MODE_REDIRECT) {
    complain(problems, path, "true",
             "In mode redirect both ends are other people's; leave it out.");
  }
  if (service.application() != v1::APPLICATION_UNSPECIFIED &&
      service.application() != v1::APPLICATION_NONE) {
    complain(problems, path, "true",
             "Datagrams of an application go where their conversation goes; leave one of them "
             "out.");
  }
  if (service.has_persistence()) {
    complain(problems, path, "true",
             "Persistence keeps all datagrams of a client on one server; leave one of them out.");
  }
}

void check_one_packet_of(const v1::VirtualService& service, const v1::Pool& pool,
                         Problems& problems) {
  const v1::Scheduler scheduler = pool.scheduler();
  const bool goes_round = scheduler == v1::SCHEDULER_RR || scheduler == v1::SCHEDULER_WRR ||
                          scheduler == v1::SCHEDULER_RANDOM || scheduler == v1::SCHEDULER_TWOS;
  if (service.one_packet() && !goes_round) {
    complain(problems, service_path(service.name()) + ".one_packet", "true",
             "Pool " + pool.name() + " has scheduler " + word_of(scheduler) +
                 ", which goes by flows or by a hash, and would keep all datagrams of a client on "
                 "one server; give the pool rr, wrr, random or twos, or leave this out.");
  }
}

namespace {

/// "10.0.0.0/8 by front" of what both take; empty: nothing.
std::string common_caller(const v1::VirtualService& a, const v1::VirtualService& b) {
  const auto common = [](const Texts& of_a, const Texts& of_b) -> std::optional<std::string> {
    if (of_a.empty() && of_b.empty()) {
      return "";
    }
    for (const std::string& text : of_a) {
      if (std::binary_search(of_b.begin(), of_b.end(), text)) {
        return text;
      }
    }
    return std::nullopt;
  };
  const auto source = common(sources_of(a), sources_of(b));
  const auto interface = common(a.interfaces(), b.interfaces());
  if (!source || !interface) {
    return "";
  }
  return (source->empty() ? "everybody" : *source) +
         (interface->empty() ? "" : " by interface " + *interface);
}

}  // namespace

void check_callers_of(const Model& model, const v1::VirtualService& service, Problems& problems) {
  for (const std::string& name : model.services_like(service)) {
    if (name == service.name()) {
      continue;
    }
    const std::string common = common_caller(service, *model.services().find(name));
    if (common.empty()) {
      continue;
    }
    const bool is_some = is_for_some(service);
    complain(problems, service_path(service.name()) + (is_some ? ".sources" : ".port"),
             is_some ? common : std::to_string(service.port()),
             "Service " + name + " has the same address, port and protocol" +
                 (is_some ? " and takes " + common + " as well" : std::string()) +
                 "; change one of them.");
  }
}

void check_caller_pairs(const Model& model, const store::Edit& edit, Problems& problems) {
  // Each packet without a flow is compared with all of an address, one by one.
  constexpr uint64_t kMostPairs = 256;
  std::set<std::pair<uint32_t, std::string>> seen;
  for (const v1::VirtualService& service : edit.services()) {
    if (!is_for_some(service) || !seen.emplace(service.instance(), service.address()).second) {
      continue;
    }
    uint64_t pairs = 0;
    for (const std::string& name : model.open_services_at(service.instance(), service.address())) {
      const v1::VirtualService& one = *model.services().find(name);
      if (is_for_some(one)) {
        pairs += static_cast<uint64_t>(std::max(sources_of(one).size(), 1)) *
                 static_cast<uint64_t>(std::max(one.interfaces_size(), 1));
      }
    }
    if (pairs > kMostPairs) {
      complain(
          problems,
          service_path(service.name()) + (sources_of(service).empty() ? ".interfaces" : ".sources"),
          std::to_string(pairs),
          "The services of " + service.address() + " would make " + std::to_string(pairs) +
              " pairs of sources and interfaces together, and each new flow looks at them in "
              "turn: at most 256. Merge prefixes; for long lists of who may come at all there "
              "are access lists (access).");
    }
  }
}

void check_mark(const Model& model, const v1::VirtualService& service, Problems& problems) {
  if (service.mark() == 0) {
    return;
  }
  for (const std::string& name : model.services_of_mark(service.instance(), service.mark())) {
    const v1::VirtualService& other = *model.services().find(name);
    if (!equal(other.persistence(), service.persistence())) {
      complain(problems, service_path(service.name()) + ".persistence", "",
               "Service " + name + " has the same mark (" + std::to_string(service.mark()) +
                   ") and other persistence; give all services of a mark the same, in one change.");
      return;
    }
  }
}

}  // namespace nezu::config
