// Network instances -> which VLANs of which ports are in which, and which of them are bridged.
#include <algorithm>

#include "controlplane/compile/compile.h"
#include "controlplane/config/validate.h"

namespace nezu::compile {
namespace {

template <size_t kRoom>
void put(const std::string& text, std::array<char, kRoom>& to) {
  std::copy_n(text.data(), std::min(text.size(), kRoom - 1), to.data());
}

}  // namespace

std::vector<tables::Membership> compile_memberships(const config::Model& model) {
  std::vector<tables::Membership> all;
  for (const auto& [name, instance] : model.instances()) {
    for (const std::string& text : instance->links()) {
      const auto link = config::parse_link(text);
      if (!link) {
        continue;
      }
      tables::Membership& one = all.emplace_back();
      put(link->port, one.port);
      one.vlan = link->vlan;
      one.instance = static_cast<net::Instance>(instance->number());
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair(a.port, a.vlan) < std::pair(b.port, b.vlan);
  });
  return all;
}

std::vector<tables::Bridge> compile_bridges(const config::Model& model) {
  std::vector<tables::Bridge> all;
  for (const auto& [name, instance] : model.instances()) {
    for (const v1::Bridge& bridge : instance->bridges()) {
      const auto clients = config::parse_link(bridge.clients());
      const auto servers = config::parse_link(bridge.servers());
      if (!clients || !servers) {
        continue;
      }
      tables::Bridge& one = all.emplace_back();
      put(bridge.name(), one.name);
      put(clients->port, one.clients);
      put(servers->port, one.servers);
      one.vlan = clients->vlan;
      one.priority = static_cast<uint8_t>(bridge.priority());
      one.hold_ms = bridge.hold_ms();
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

}  // namespace nezu::compile
