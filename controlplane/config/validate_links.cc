// The links between objects: who names whom, and what may not be the same.
#include <algorithm>
#include <unordered_set>

#include "controlplane/config/names.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"
#include "dataplane/net/range.h"

namespace nezu::config {
namespace {

/// What every check needs to know, found once for an edit.
struct Scope {
  const Model& model;
  std::unordered_set<std::string> services;  ///< of the edit: they are checked by themselves

  Scope(const Model& after, const store::Edit& edit) : model(after) {
    for (const v1::VirtualService& service : edit.services()) {
      services.insert(service.name());
    }
  }
};

struct Families {
  bool has_v4 = false, has_v6 = false;
};

Families families_of(const v1::Pool& pool) {
  Families families;
  for (const v1::RealServer& server : pool.servers()) {
    if (const auto address = net::parse_address(server.address())) {
      (address->is_v4() ? families.has_v4 : families.has_v6) = true;
    }
  }
  return families;
}

bool is_tunnel(v1::Mode mode) {
  return mode == v1::MODE_TUNNEL_IPIP || mode == v1::MODE_TUNNEL_GRE || mode == v1::MODE_TUNNEL_GUE;
}

std::string remedy_between(v1::Mode mode, bool is_v4) {
  if (mode == v1::MODE_REDIRECT) {
    return ", and mode redirect translates nothing: use a pool of the service's family.";
  }
  if (mode == v1::MODE_ROUTE) {
    return ", and mode route translates nothing: use a tunnel mode, or fullnat with an SNAT set of "
           "the server's family, or a pool of one family.";
  }
  return std::string(
             ", where the client's address cannot stand: use mode fullnat with an SNAT set "
             "of the server's family") +
         (is_v4 ? ", or mode nat with a client_prefix" : "") + ", or a pool of one family.";
}

/// Between IPv4 and IPv6 both addresses change, but for those in a tunnel.
void check_families_of(const v1::VirtualService& service, const v1::Pool& pool,
                       Problems& problems) {
  const auto vip = net::parse_prefix(service.address());
  if (!vip || is_tunnel(service.mode())) {
    return;
  }
  const bool is_v4 = vip->address.is_v4();
  const bool has_counterpart =
      service.protocol() == v1::PROTOCOL_TCP || service.protocol() == v1::PROTOCOL_UDP;
  const bool is_embedded = is_v4 && !service.client_prefix().empty();
  if (has_counterpart && (service.mode() == v1::MODE_FULLNAT || is_embedded)) {
    return;
  }
  for (const v1::RealServer& server : pool.servers()) {
    const auto address = net::parse_address(server.address());
    if (address && address->is_v4() != is_v4 && !has_counterpart) {
      complain(problems, service_path(service.name()) + ".pool", pool.name(),
               "Only TCP and UDP are translated between IPv4 and IPv6: server " + server.address() +
                   " of pool " + pool.name() + " is " + family_text(address->is_v4()) +
                   "; use a pool of the service's family.");
      return;
    }
    if (address && address->is_v4() != is_v4) {
      complain(problems, service_path(service.name()) + ".pool", pool.name(),
               std::string("The service is ") + family_text(is_v4) + ", but server " +
                   server.address() + " of pool " + pool.name() + " is " +
                   family_text(address->is_v4()) + remedy_between(service.mode(), is_v4));
      return;
    }
  }
}

/// Servers see an address of the set, so it must have one of their family.
void check_snats_of(const v1::VirtualService& service, const v1::SnatSet& set, Families needed,
                    Problems& problems) {
  for (const bool is_v4 : {true, false}) {
    if ((is_v4 ? needed.has_v4 : needed.has_v6) && !has_family(set, is_v4)) {
      complain(problems, service_path(service.name()) + ".snat_set", set.name(),
               std::string("SNAT set ") + set.name() + " has no " + family_text(is_v4) +
                   " address, which the servers of the service need; add one.");
    }
  }
}

/// A service that uses `pool`: protocols and families must agree.
void check_pool_of(const v1::VirtualService& service, const v1::Pool& pool, Problems& problems) {
  if (pool.protocol() != service.protocol()) {
    complain(problems, service_path(service.name()) + ".pool", pool.name(),
             "The service is " + std::string(to_text(service.protocol())) + ", but pool " +
                 pool.name() + " is " + std::string(to_text(pool.protocol())) +
                 "; set the pool's protocol or use another pool.");
  }
  check_ports_of(service, pool, problems);
  check_families_of(service, pool, problems);
}

/// The same: its scheduler must be one of those that the service can use.
void check_scheduler_of(const v1::VirtualService& service, const v1::Pool& pool,
                        Problems& problems) {
  check_passive_of(service, pool, problems);
  check_one_packet_of(service, pool, problems);
}

/// Answers to what no setting names would not find the worker that knows the flow.
void check_prefix_of(const v1::VirtualService& service, const v1::Settings& settings,
                     Problems& problems) {
  const auto& known = settings.client_prefixes();
  if (!service.client_prefix().empty() &&
      std::find(known.begin(), known.end(), service.client_prefix()) == known.end()) {
    complain(problems, service_path(service.name()) + ".client_prefix", service.client_prefix(),
             "The prefix is not one of settings.client_prefixes; add it there.");
  }
}

void check_service(const Scope& scope, const v1::VirtualService& service, Problems& problems) {
  const Model& model = scope.model;
  const std::string path = service_path(service.name());
  const auto* pool = model.pools().find(service.pool());
  if (pool != nullptr) {
    check_pool_of(service, *pool, problems);
    check_scheduler_of(service, *pool, problems);
    if (const auto* set = model.snat_sets().find(service.snat_set())) {
      check_snats_of(service, *set, families_of(*pool), problems);
    }
  } else if (!service.pool().empty()) {
    std::vector<std::string> names;
    for (const auto& [name, other] : model.pools()) {
      names.push_back(name);
      if (names.size() == 1000) {
        break;
      }
    }
    const std::string near = nearest(service.pool(), names);
    complain(problems, path + ".pool", service.pool(),
             "There is no such pool; " + (near.empty() ? std::string("create it or name another.")
                                                       : "did you mean " + near + "?"));
  }
  if (!service.snat_set().empty() && model.snat_sets().find(service.snat_set()) == nullptr) {
    complain(problems, path + ".snat_set", service.snat_set(),
             "There is no such SNAT set; create it or name another.");
  }
  check_prefix_of(service, model.settings(), problems);
  check_passive_alone(model, service, problems);
  check_mark(model, service, problems);
  check_callers_of(model, service, problems);
  check_ranges_of(model, service, problems);
  check_portless_alone(model, service, problems);
  for (const std::string& set : model.snat_sets_at(service.instance(), service.address())) {
    complain(problems, path + ".address", service.address(),
             "The address is also in SNAT set " + set +
                 "; an address is either a VIP or a source address.");
  }
  const Names& pools = model.pools_at(service.instance(), service.address());
  if (!pools.empty()) {
    complain(problems, path + ".address", service.address(),
             "A server of pool " + list_of(pools) +
                 " has the same address, so packets would run in circles; use another address.");
  }
}

void check_pool(const Scope& scope, const v1::Pool& pool, Problems& problems) {
  const Model& model = scope.model;
  const Families families = families_of(pool);
  for (const v1::Protocol protocol : kProtocols) {
    for (const bool is_v4 : {true, false}) {
      if (protocol == pool.protocol() && !(is_v4 ? families.has_v6 : families.has_v4)) {
        continue;  // they agree, however many they are
      }
      for (const std::string& name : model.users_of_pool(pool.name(), protocol, is_v4)) {
        if (!scope.services.contains(name)) {
          check_pool_of(*model.services().find(name), pool, problems);
        }
      }
    }
  }
  for (const std::string& name : model.users_of_pool(pool.name())) {
    if (!scope.services.contains(name)) {
      check_scheduler_of(*model.services().find(name), pool, problems);
    }
  }
  for (const auto& [port, names] : model.ports_kept_of_pool(pool.name())) {
    const auto agrees = [port = port](const v1::RealServer& one) {
      return one.port() == 0 || one.port() == port;
    };
    if (std::all_of(pool.servers().begin(), pool.servers().end(), agrees)) {
      continue;
    }
    for (const std::string& name : names) {
      if (!scope.services.contains(name)) {
        check_ports_of(*model.services().find(name), pool, problems);
      }
    }
  }
  // Few sets lack a family, however many services there are.
  for (const auto& [name, set] : model.snat_sets()) {
    const bool lacks = (families.has_v4 && !has_family(*set, true)) ||
                       (families.has_v6 && !has_family(*set, false));
    if (!lacks) {
      continue;
    }
    for (const std::string& user : model.users_of_snat_set(name)) {
      const v1::VirtualService& service = *model.services().find(user);
      if (service.pool() == pool.name() && !scope.services.contains(user)) {
        check_snats_of(service, *set, families, problems);
      }
    }
  }
  for (const v1::RealServer& server : pool.servers()) {
    for (const std::string& other : model.pools_of(server)) {
      if (other == pool.name()) {
        continue;
      }
      const v1::Pool& others = *model.pools().find(other);
      const auto identity = identity_of(server);
      const int at = identity ? find_server(others, *identity) : -1;
      if (at >= 0 && (others.servers(at).state() != server.state() ||
                      !equal(others.servers(at).drain_deadline(), server.drain_deadline()))) {
        complain(problems, server_path(pool.name(), server) + ".state",
                 field_text(server, *server.GetDescriptor()->FindFieldByName("state")),
                 "The server is also in pool " + other + " in another state; a server's state " +
                     "is the same in all pools: set both, or use SetServerState.");
      }
    }
    const Names& services = model.services_at(server.instance(), server.address());
    if (!services.empty()) {
      complain(problems, server_path(pool.name(), server) + ".address", server.address(),
               "Service " + list_of(services) +
                   " has the same address, so packets would run in circles; use another address.");
    }
  }
}

void check_snat_set(const Model& model, const v1::SnatSet& set, Problems& problems) {
  const std::string path = snat_set_path(set.name()) + ".addresses";
  for (const std::string& text : set.addresses()) {
    const auto range = net::parse_range(text);
    if (!range) {
      continue;
    }
    for (const net::Address& address : net::expand(*range, kMostSnatAddresses)) {
      const std::string written = net::to_string(address);
      if (const Names& services = model.services_at(set.instance(), written); !services.empty()) {
        complain(problems, path, written,
                 "The address is the VIP of service " + list_of(services) +
                     "; an address is either a VIP or a source address.");
      }
      if (const Names& pools = model.pools_at(set.instance(), written); !pools.empty()) {
        complain(problems, path, written,
                 "A server of pool " + list_of(pools) + " has this address; take it out.");
      }
    }
  }
  for (const std::string& name : model.users_of_snat_set(set.name())) {
    const v1::VirtualService& service = *model.services().find(name);
    const auto* pool = model.pools().find(service.pool());
    if (pool == nullptr || service.mode() != v1::MODE_FULLNAT) {
      continue;
    }
    const Families needed = families_of(*pool);
    for (const bool is_v4 : {true, false}) {
      if ((is_v4 ? needed.has_v4 : needed.has_v6) && !has_family(set, is_v4)) {
        complain(problems, path, "",
                 "Service " + name + " needs an " + family_text(is_v4) + " address; add one.");
      }
    }
  }
}

}  // namespace

Problems problems_between(const Model& model, const store::Edit& edit) {
  Problems problems;
  const Scope scope(model, edit);
  for (const v1::VirtualService& service : edit.services()) {
    check_service(scope, service, problems);
  }
  for (const v1::Pool& pool : edit.pools()) {
    check_pool(scope, pool, problems);
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    check_snat_set(model, set, problems);
  }
  check_caller_pairs(model, edit, problems);
  check_source_nats(model, edit, problems);
  if (edit.has_settings()) {
    for (const auto& [name, service] : model.services()) {
      if (!scope.services.contains(name)) {
        check_prefix_of(*service, model.settings(), problems);
      }
    }
  }
  check_instances(model, edit, problems);
  for (const std::string& name : edit.removed_pools()) {
    if (const Names& users = model.users_of_pool(name); !users.empty()) {
      complain(problems, pool_path(name), name,
               "Service " + list_of(users) + " uses the pool; remove the service or give it " +
                   "another pool first.");
    }
  }
  for (const std::string& name : edit.removed_snat_sets()) {
    if (const Names& users = model.users_of_snat_set(name); !users.empty()) {
      complain(problems, snat_set_path(name), name,
               "Service " + list_of(users) + " uses the SNAT set; remove the service or give it " +
                   "another set first.");
    }
  }
  return problems;
}

Problems warnings_of(const Model& model, const store::Edit& edit) {
  Problems warnings;
  const auto is_http = [](uint32_t port) { return port == 80 || port == 8080 || port == 8000; };
  const auto looks_like_http = [&](const v1::Pool& pool, const v1::VirtualService& service) {
    return service.protocol() == v1::PROTOCOL_TCP &&
           (is_http(service.port()) ||
            std::any_of(pool.servers().begin(), pool.servers().end(),
                        [&](const v1::RealServer& server) { return is_http(server.port()); }));
  };
  size_t count = 0;
  const auto warn = [&](const v1::Pool& pool, const v1::VirtualService& service) {
    const bool is_weak =
        !pool.has_check() || (!pool.check().has_http() && looks_like_http(pool, service));
    if (!is_weak || ++count > kMostWarnings) {
      return;
    }
    const std::string path = pool_path(pool.name()) + ".check";
    if (!pool.has_check()) {
      complain(warnings, path, "",
               "The pool has no health check: a dead server would keep its share of clients; add "
               "one.");
    } else {
      complain(warnings, path, pool.check().has_icmp() ? "icmp" : "tcp",
               "Service " + service.name() + " looks like HTTP, but its check does not fetch a " +
                   "page: a server that only answers errors would count as good; use an http " +
                   "check.");
    }
  };
  Names warned;
  for (const v1::VirtualService& service : edit.services()) {
    const auto* pool = model.pools().find(service.pool());
    if (pool != nullptr && warned.insert(pool->name()).second) {
      warn(*pool, service);
    }
  }
  for (const v1::Pool& pool : edit.pools()) {
    const Names& users = model.users_of_pool(pool.name());
    if (!users.empty() && warned.insert(pool.name()).second) {
      warn(pool, *model.services().find(*users.begin()));
    }
  }
  warn_source_nats(model, edit, warnings);
  warn_interfaces(model, edit, warnings);
  if (count > kMostWarnings) {
    complain(warnings, "pools", "",
             "Another " + std::to_string(count - kMostWarnings) +
                 " pools have no health check or a weak one.");
  }
  return warnings;
}

}  // namespace nezu::config
