#include "tools/nezu/replay_network.h"

#include <algorithm>
#include <set>

#include "controlplane/config/validate.h"
#include "dataplane/tables/source_rules.h"
#include "tools/nezu/failure.h"

namespace nezu::cli {
namespace {

/// The router in front of us when no link is told: it stands in no packet.
constexpr const char* kRouter4 = "169.254.0.1";
constexpr const char* kRouter6 = "fe80::1";

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& why) {
  throw Failure(Exit::usage, option + " " + text + ": " + why);
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The number of a text that is one from `least` to `most`, nothing else.
std::optional<uint32_t> number_in(const std::string& text, uint32_t least, uint32_t most) {
  const bool digits =
      !text.empty() && text.size() <= 9 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return std::nullopt;
  const auto value = static_cast<uint32_t>(std::stoul(text));
  return value >= least && value <= most ? std::optional(value) : std::nullopt;
}

net::Prefix subnet_of(const net::Address& address, uint32_t length) {
  const uint32_t bits = address.is_v4() ? 32 : 128;
  return {net::masked(address, bits - length), static_cast<uint8_t>(length)};
}

class Building {
 public:
  explicit Building(const config::Model& model) {
    for (const auto& [name, instance] : model.instances()) {
      if (instance->bridges_size() != 0) {
        throw Failure(Exit::usage, "network instance " + name +
                                       " has bridges, which a replay cannot run; take them out of "
                                       "the file");
      }
      for (const std::string& link : instance->links()) {
        instances_[link] = static_cast<net::Instance>(instance->number());
      }
    }
  }

  /// Also those of ports that no option names.
  void add_instances() {
    for (const auto& [name, instance] : instances_) link_named("the configuration's link", name);
  }

  uint16_t link_named(const std::string& option, const std::string& name) {
    if (const auto at = by_name_.find(name); at != by_name_.end()) return at->second;
    const auto parsed = config::parse_link(name);
    if (!parsed) refuse(option, name, "a link is a port, as front, or a VLAN of one, as front.10");
    replay::NetworkLink link;
    link.link.port = port_named(option, parsed->port);
    link.link.vlan = parsed->vlan;
    link.link.mac = made_.replay.macs[link.link.port];
    if (link.link.mac == net::MacAddress{}) {
      link.link.mac = {{2, 0, 0, 0, 0, static_cast<uint8_t>(link.link.port)}};
    }
    const auto instance = instances_.find(name);
    if (instance != instances_.end()) link.link.instance = instance->second;
    made_.links.push_back(link);
    return by_name_[name] = static_cast<uint16_t>(made_.links.size() - 1);
  }

  void add_link(const std::string& text) {
    const std::vector<std::string> parts = split(text, ',');
    const uint16_t number = link_named("--link", parts[0]);
    for (size_t i = 1; i < parts.size(); ++i) {
      const size_t sign = parts[i].find('=');
      if (sign == std::string::npos) refuse("--link", text, "\"" + parts[i] + "\" has no \"=\"");
      set(made_.links[number], parts[i].substr(0, sign), parts[i].substr(sign + 1), text);
    }
  }

  void add_route(const std::string& text) {
    const size_t sign = text.find('=');
    if (sign == std::string::npos) {
      refuse("--route", text, "a route is PREFIX=GATEWAY or PREFIX=LINK");
    }
    const auto given = net::parse_prefix(text.substr(0, sign));
    if (!given) refuse("--route", text, "\"" + text.substr(0, sign) + "\" is no prefix");
    const net::Prefix prefix = subnet_of(given->address, given->length);
    const std::string to = text.substr(sign + 1);
    if (const auto gateway = net::parse_address(to)) {
      if (gateway->is_v4() != prefix.address.is_v4()) {
        refuse("--route", text, "the gateway is of the other IP version");
      }
      return add_route_by(prefix, *gateway, text);
    }
    const auto link = by_name_.find(to);
    if (link == by_name_.end()) {
      refuse("--route", text, "\"" + to + "\" is neither an address nor one of the links");
    }
    made_.routes.push_back(
        {prefix, made_.links[link->second].link.instance, {{link->second, {}, 1}}});
  }

  void add_neighbour(const std::string& text) {
    const size_t sign = text.find('=');
    const auto address = net::parse_address(text.substr(0, sign));
    const auto mac = sign != std::string::npos ? net::parse_mac(text.substr(sign + 1))
                                               : std::optional<net::MacAddress>();
    if (!address || !mac) refuse("--neighbour", text, "a neighbour is ADDRESS=MAC");
    made_.macs[*address] = *mac;
  }

  /// Neighbours of links that have addresses.
  void connect() {
    for (size_t i = 0; i < made_.links.size(); ++i) {
      for (const net::Prefix& subnet : subnets_[i]) {
        made_.routes.push_back(
            {subnet, made_.links[i].link.instance, {{static_cast<uint16_t>(i), {}, 1}}});
      }
    }
  }

  void guess(const config::Model& model) {
    link_named("--link", "front");
    link_named("--link", "back");
    add_instances();
    std::set<net::Instance> done;
    for (size_t i = 0; i < made_.links.size(); ++i) {
      const route::Link& link = made_.links[i].link;
      if (link.port != 0 || !done.insert(link.instance).second) continue;
      const auto number = static_cast<uint16_t>(i);
      add_default("0.0.0.0/0", kRouter4, number);
      add_default("::/0", kRouter6, number);
    }
    for (const auto& [name, pool] : model.pools()) {
      for (const v1::RealServer& server : pool->servers()) add_server(server);
    }
  }

  Surroundings finish() && {
    for (size_t i = 0; i < made_.ports.size(); ++i) {
      made_.replay.ports[i] = tables::port_identity(made_.ports[i]);
    }
    return std::move(made_);
  }

 private:
  uint16_t port_named(const std::string& option, const std::string& name) {
    if (const auto known = made_.port(name)) return *known;
    if (made_.ports.size() == tables::kMaxPorts) refuse(option, name, "these are too many ports");
    made_.ports.push_back(name);
    return static_cast<uint16_t>(made_.ports.size() - 1);
  }

  void set(replay::NetworkLink& link, const std::string& field, const std::string& value,
           const std::string& text) {
    const uint16_t port = link.link.port;
    if (field == "address") {
      return add_address(link, value, text);
    }
    if (field == "mac") {
      const auto mac = net::parse_mac(value);
      if (!mac) refuse("--link", text, "\"" + value + "\" is no MAC address");
      made_.replay.macs[port] = link.link.mac = *mac;
    } else if (field == "mtu") {
      const auto mtu = number_in(value, 68, 9198);
      if (!mtu) refuse("--link", text, "an MTU is 68 to 9198");
      link.link.mtu = static_cast<uint16_t>(*mtu);
    } else if (field == "side") {
      if (value != "clients" && value != "servers") {
        refuse("--link", text, "a side is clients or servers");
      }
      made_.replay.sides[port] = value == "clients" ? net::Side::clients : net::Side::servers;
    } else {
      refuse("--link", text, "there is no \"" + field + "\"; use address, mac, mtu or side");
    }
  }

  void add_address(replay::NetworkLink& link, const std::string& value, const std::string& text) {
    const size_t slash = value.find('/');
    const auto address = net::parse_address(value.substr(0, slash));
    const auto length = slash == std::string::npos || !address
                            ? std::nullopt
                            : number_in(value.substr(slash + 1), 0, address->is_v4() ? 32 : 128);
    if (!length) refuse("--link", text, "an address is as 192.0.2.1/24");
    link.addresses.push_back(*address);
    subnets_[static_cast<size_t>(&link - made_.links.data())].push_back(
        subnet_of(*address, *length));
  }

  /// By the link whose subnet holds the gateway.
  void add_route_by(const net::Prefix& prefix, const net::Address& gateway,
                    const std::string& text) {
    for (const auto& [link, subnets] : subnets_) {
      const bool here = std::any_of(subnets.begin(), subnets.end(),
                                    [&](const net::Prefix& one) { return one.contains(gateway); });
      if (!here) continue;
      made_.routes.push_back(
          {prefix, made_.links[link].link.instance, {{static_cast<uint16_t>(link), gateway, 1}}});
      return;
    }
    refuse("--route", text, "the gateway is in no subnet of a --link");
  }

  void add_default(const char* prefix, const char* router, uint16_t link) {
    made_.routes.push_back({*net::parse_prefix(prefix),
                            made_.links[link].link.instance,
                            {{link, *net::parse_address(router), 1}}});
  }

  void add_server(const v1::RealServer& server) {
    const auto address = net::parse_address(server.address());
    const auto instance = static_cast<net::Instance>(server.instance());
    const auto back = std::find_if(made_.links.begin(), made_.links.end(), [&](const auto& one) {
      return one.link.port == 1 && one.link.instance == instance;
    });
    if (!address || back == made_.links.end()) return;
    const route::Route route{subnet_of(*address, address->is_v4() ? 32 : 128),
                             instance,
                             {{static_cast<uint16_t>(back - made_.links.begin()), {}, 1}}};
    const bool known =
        std::find(made_.routes.begin(), made_.routes.end(), route) != made_.routes.end();
    if (!known) made_.routes.push_back(route);
  }

  Surroundings made_;
  std::map<std::string, net::Instance> instances_;  ///< by link
  std::map<std::string, uint16_t> by_name_;
  std::map<size_t, std::vector<net::Prefix>> subnets_;  ///< by link
};

}  // namespace

std::optional<uint16_t> Surroundings::port(const std::string& name) const {
  const auto at = std::find(ports.begin(), ports.end(), name);
  if (at == ports.end()) return std::nullopt;
  return static_cast<uint16_t>(at - ports.begin());
}

Surroundings surroundings_of(const NetworkOptions& options, const config::Model& model) {
  Building building(model);
  for (const std::string& link : options.links) building.add_link(link);
  if (options.links.empty()) {
    if (!options.routes.empty()) {
      throw Failure(Exit::usage, "--route needs the links that it leads by: give them with --link");
    }
    building.guess(model);
  } else {
    building.add_instances();
    building.connect();
  }
  for (const std::string& route : options.routes) building.add_route(route);
  for (const std::string& neighbour : options.neighbours) building.add_neighbour(neighbour);
  return std::move(building).finish();
}

}  // namespace nezu::cli
