// Network instances -> which VLANs of which ports are in which.
#include <algorithm>

#include "controlplane/compile/compile.h"
#include "controlplane/config/validate.h"

namespace nezu::compile {

std::vector<tables::Membership> compile_memberships(const config::Model& model) {
  std::vector<tables::Membership> all;
  for (const auto& [name, instance] : model.instances()) {
    for (const std::string& text : instance->links()) {
      const auto link = config::parse_link(text);
      if (!link) {
        continue;
      }
      tables::Membership& one = all.emplace_back();
      std::copy_n(link->port.data(), std::min(link->port.size(), one.port.size() - 1),
                  one.port.data());
      one.vlan = link->vlan;
      one.instance = static_cast<net::Instance>(instance->number());
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair(a.port, a.vlan) < std::pair(b.port, b.vlan);
  });
  return all;
}

}  // namespace nezu::compile
