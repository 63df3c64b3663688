#include "dataplane/state_file.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace nezu::dataplane {
namespace {

constexpr auto kHead = "nezu-routes 1";
constexpr auto kTail = "end";

std::optional<uint16_t> link_of(const std::vector<std::string>& names, const std::string& name) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return static_cast<uint16_t>(at - names.begin());
}

/// "10.0.0.0/8 front 192.0.2.254 1 back - 1": ways of link, gateway, weight.
bool parse_route(std::istringstream& words, const std::vector<std::string>& names,
                 net::Instance instance, device::KernelState& state) {
  std::string prefix, port, gateway;
  unsigned weight = 0;
  if (!(words >> prefix)) return false;
  const auto parsed = net::parse_prefix(prefix);
  if (!parsed) return false;
  route::Route route;
  route.prefix = *parsed;
  bool all_known = true;
  while (words >> port) {
    if (!(words >> gateway >> weight)) return false;
    const auto address = gateway == "-" ? net::Address{} : net::parse_address(gateway);
    if (!address || weight == 0 || weight > 0xffff) return false;
    const auto link = link_of(names, port);
    all_known = all_known && link;
    if (link) route.ways.push_back({*link, *address, static_cast<uint16_t>(weight)});
  }
  route.instance = instance;
  if (all_known || !route.ways.empty()) state.routes.push_back(std::move(route));
  return true;
}

bool parse_line(const std::string& line, const std::vector<std::string>& names,
                device::KernelState& state) {
  std::istringstream words(line);
  std::string kind, port, address;
  words >> kind;
  if (kind == "route") return parse_route(words, names, net::Instance::standard, state);
  if (kind == "route-of") {
    uint16_t number = 0;
    return words >> number && parse_route(words, names, net::Instance{number}, state);
  }
  if (!(words >> port >> address)) return false;
  const auto link = link_of(names, port);
  const auto parsed = net::parse_address(address);
  if (!parsed) return false;
  if (kind == "address") {
    if (link) state.addresses.push_back({*link, *parsed});
    return true;
  }
  std::string mac;
  if (kind != "neighbour" || !(words >> mac)) return false;
  const auto parsed_mac = net::parse_mac(mac);
  if (!parsed_mac) return false;
  if (link) state.neighbours.push_back({{*link, *parsed}, *parsed_mac, route::Heard::usable});
  return true;
}

}  // namespace

std::string to_text(const device::KernelState& state, const std::vector<std::string>& names) {
  std::ostringstream text;
  text << kHead << '\n';
  for (const auto& own : state.addresses) {
    text << "address " << names[own.link] << ' ' << net::to_string(own.address) << '\n';
  }
  for (const auto& route : state.routes) {
    text << (route.instance == net::Instance::standard
                 ? std::string("route ")
                 : "route-of " + std::to_string(static_cast<unsigned>(route.instance)) + " ")
         << net::to_string(route.prefix);
    for (const auto& way : route.ways) {
      text << ' ' << names[way.link] << ' '
           << (way.gateway == net::Address{} ? "-" : net::to_string(way.gateway)) << ' '
           << way.weight;
    }
    text << '\n';
  }
  for (const auto& neighbour : state.neighbours) {
    text << "neighbour " << names[neighbour.key.link] << ' '
         << net::to_string(neighbour.key.address) << ' ' << net::to_string(neighbour.mac) << '\n';
  }
  text << kTail << '\n';
  return text.str();
}

std::optional<device::KernelState> parse_state(const std::string& text,
                                               const std::vector<std::string>& names) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kHead) return std::nullopt;
  device::KernelState state;
  while (std::getline(lines, line)) {
    if (line == kTail) return state;
    if (!parse_line(line, names, state)) return std::nullopt;
  }
  return std::nullopt;  // cut off
}

std::optional<device::KernelState> load_state(const std::string& path,
                                              const std::vector<std::string>& names) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return parse_state(text.str(), names);
}

bool save_state(const std::string& path, const device::KernelState& state,
                const std::vector<std::string>& names) {
  const std::string other = path + ".new";
  {
    std::ofstream file(other, std::ios::trunc);
    file << to_text(state, names);
    if (!file.flush()) return false;
  }
  return std::rename(other.c_str(), path.c_str()) == 0;
}

}  // namespace nezu::dataplane
