// What a service says of its address and its ports.
#include <utility>

#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"

namespace nezu::config {

/// A service's: an address, or a prefix where one may stand.
void check_vip(const v1::VirtualService& service, const std::string& path, Problems& problems) {
  const bool redirects = service.mode() == v1::MODE_REDIRECT;
  const auto prefix = net::parse_prefix(service.address());
  if (!prefix || !is_prefix(service)) {
    const auto address = check_address(service.address(), path, problems);
    if (address && redirects) {
      complain(problems, path, service.address(),
               "Mode redirect takes what is for other people's addresses: give a prefix, as "
               "0.0.0.0/0 or ::/0.");
    }
    return;
  }
  const uint32_t least = redirects ? 0 : prefix->address.is_v4() ? 8 : 16;
  if (prefix->length < least) {
    complain(problems, path, service.address(),
             "A service's prefix has at least " + std::to_string(least) +
                 " bits, as no client or server may be in it; only mode redirect takes any.");
  }
  if (redirects && prefix->length == 0) {
    return;
  }
  const bool odd = prefix->address.is_multicast() || prefix->address.is_loopback() ||
                   prefix->address.is_link_local();
  if (odd) {
    complain(problems, path, service.address(),
             "The prefix holds no unicast addresses that can be routed.");
  }
}

/// Of a service: what goes with its protocol.
void check_ports(const v1::VirtualService& service, const std::string& path, Problems& problems) {
  if (!has_ports(service.protocol())) {
    for (const auto& [name, value] :
         {std::pair{".port", service.port()}, std::pair{".last_port", service.last_port()}}) {
      if (value != 0) {
        complain(problems, path + name, std::to_string(value),
                 "A service of protocol " + std::string(to_text(service.protocol())) +
                     " is for an address alone; leave the port out.");
      }
    }
    return;
  }
  if (service.port() == 0) {
    complain(problems, path + ".port", "0",
             "The port is missing; give one from 1 to 65535, or port 1 and last_port 65535 for "
             "every port.");
    return;
  }
  if (service.port() > 65535) {
    complain(problems, path + ".port", std::to_string(service.port()),
             "The port must be from 1 to 65535.");
  }
  if (service.last_port() != 0) {
    check_range(service.last_port(), service.port(), 65535, "", path + ".last_port", problems);
  }
}

/// A mode that translates nothing: servers are asked at the service's port.
void check_ports_of(const v1::VirtualService& service, const v1::Pool& pool, Problems& problems) {
  if (!has_one_port(service)) {
    for (const v1::RealServer& server : pool.servers()) {
      if (server.port() != 0) {
        complain(problems, service_path(service.name()) + ".pool", pool.name(),
                 "The service has no port of its own to translate: server " + server.address() +
                     " of pool " + pool.name() + " has port " + std::to_string(server.port()) +
                     "; leave it out there, so that it is asked at the client's.");
        return;
      }
    }
    return;
  }
  if (!keeps_port(service.mode())) {
    return;
  }
  for (const v1::RealServer& server : pool.servers()) {
    if (server.port() != 0 && server.port() != service.port()) {
      complain(problems, service_path(service.name()) + ".pool", pool.name(),
               "Mode " + word_of(service.mode()) + " changes no port: server " + server.address() +
                   " of pool " + pool.name() + " has port " + std::to_string(server.port()) +
                   ", the service " + std::to_string(service.port()) + "; give them the same one.");
      return;
    }
  }
}

/// Ranges of one address lie in each other or apart, so that one is the narrower.
void check_ranges_of(const Model& model, const v1::VirtualService& service, Problems& problems) {
  if (service.last_port() == 0) {
    return;
  }
  for (const std::string& name : model.open_services_at(service.instance(), service.address())) {
    const v1::VirtualService& other = *model.services().find(name);
    if (name == service.name() || other.last_port() == 0 ||
        other.protocol() != service.protocol()) {
      continue;
    }
    const bool apart = service.last_port() < other.port() || other.last_port() < service.port();
    const bool in_it = service.port() <= other.port() && other.last_port() <= service.last_port();
    const bool in_other =
        other.port() <= service.port() && service.last_port() <= other.last_port();
    if (!apart && !in_it && !in_other) {
      complain(problems, service_path(service.name()) + ".last_port",
               std::to_string(service.last_port()),
               "The range crosses that of service " + name + " (" + std::to_string(other.port()) +
                   " to " + std::to_string(other.last_port()) +
                   "), so that none is the narrower; part them, or let one lie in the other.");
    }
  }
}

/// Nothing but the client's address leads a data connection on a declared port to its server.
void check_passive_of(const v1::VirtualService& service, const v1::Pool& pool, Problems& problems) {
  const bool by_client =
      (pool.scheduler() == v1::SCHEDULER_SH || pool.scheduler() == v1::SCHEDULER_MH) &&
      !pool.hash_with_port() && pool.load_bound_percent() == 0;
  if (!service.passive_ports().empty() && !by_client && !service.has_persistence()) {
    complain(problems, service_path(service.name()) + ".passive_ports", service.passive_ports(),
             "Passive ports lead to a client's server by the client's address alone: give pool " +
                 pool.name() +
                 " scheduler sh or mh without hash_with_port and load_bound_percent, give the "
                 "service persistence, or leave them out.");
  }
}

/// An address has one range at most.
void check_passive_alone(const Model& model, const v1::VirtualService& service,
                         Problems& problems) {
  if (service.passive_ports().empty()) {
    return;
  }
  for (const std::string& name : model.services_at(service.instance(), service.address())) {
    if (name != service.name() && !model.services().find(name)->passive_ports().empty()) {
      complain(problems, service_path(service.name()) + ".passive_ports", service.passive_ports(),
               "Service " + name + " has passive ports at the same address; only one may.");
      return;
    }
  }
}

/// Their answers name no client, so that flows without ports which share a source address all live
/// in one place; and an address leads to one place.
void check_portless_alone(const Model& model, const v1::VirtualService& service,
                          Problems& problems) {
  if (has_ports(service.protocol())) {
    return;
  }
  const bool shares = service.mode() == v1::MODE_FULLNAT;
  for (const std::string& name : model.services_at(service.instance(), service.address())) {
    const v1::VirtualService& other = *model.services().find(name);
    if (name != service.name() && !has_ports(other.protocol()) &&
        (other.mode() == v1::MODE_FULLNAT) != shares) {
      complain(problems, service_path(service.name()) + ".mode", word_of(service.mode()),
               "Service " + name + " has the same address and no ports either, but mode " +
                   word_of(other.mode()) +
                   ": at one address such services are all in fullnat, or none is.");
      return;
    }
  }
}

}  // namespace nezu::config
