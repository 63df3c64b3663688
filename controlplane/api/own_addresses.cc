#include "controlplane/api/own_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>
#include <set>

#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"
#include "dataplane/net/range.h"

namespace nezu::api {

OwnAddresses own_addresses() {
  OwnAddresses own;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return own;
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) {
      continue;
    }
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      own.emplace(net::Address::v4_raw(in->sin_addr.s_addr), one->ifa_name);
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      own.emplace(net::Address::v6(&in6->sin6_addr), one->ifa_name);
    }
  }
  return own;
}

namespace {

/// Which network instance an interface is in, by the links of all instances.
class Links {
 public:
  void add(const v1::NetworkInstance& instance) {
    for (const std::string& link : instance.links()) {
      numbers_[link] = instance.number();
    }
  }
  uint32_t instance_of(const std::string& interface) const {
    size_t longest = 0;
    uint32_t number = 0;
    for (const auto& [link, instance] : numbers_) {
      if (link.size() > longest && interface.ends_with(link)) {
        longest = link.size();
        number = instance;
      }
    }
    return number;
  }

 private:
  std::map<std::string, uint32_t> numbers_;
};

Links links_of(const config::Model& model) {
  Links links;
  for (const auto& [name, instance] : model.instances()) {
    links.add(*instance);
  }
  return links;
}

/// As they will be when the edit is applied.
Links links_after(const config::Model& before, const store::Edit& edit) {
  Links links;
  std::set<std::string> replaced(edit.removed_instances().begin(), edit.removed_instances().end());
  for (const v1::NetworkInstance& instance : edit.instances()) {
    replaced.insert(instance.name());
    links.add(instance);
  }
  for (const auto& [name, instance] : before.instances()) {
    if (!replaced.contains(name)) {
      links.add(*instance);
    }
  }
  return links;
}

}  // namespace

std::vector<std::string> clashes_of(const config::Model& model, const OwnAddresses& own) {
  std::vector<std::string> clashes;
  const Links links = links_of(model);
  for (const auto& [address, interface] : own) {
    const std::string text = net::to_string(address);
    const uint32_t instance = links.instance_of(interface);
    const auto say = [&](const std::string& whose) {
      clashes.push_back("Interface " + interface + " has the address " + text + ", which is " +
                        whose + " as well: remove it there, or the kernel's own connections from " +
                        "it stall.");
    };
    if (const config::Names& services = model.services_at(instance, text); !services.empty()) {
      say("the VIP of service " + *services.begin());
    } else if (const config::Names& sets = model.snat_sets_at(instance, text); !sets.empty()) {
      say("in SNAT set " + *sets.begin());
    }
  }
  return clashes;
}

bool takes_addresses(const config::Model& before, const store::Edit& edit) {
  return edit.snat_sets_size() != 0 || edit.instances_size() != 0 ||
         std::any_of(edit.services().begin(), edit.services().end(),
                     [&before](const v1::VirtualService& service) {
                       const v1::VirtualService* was = before.services().find(service.name());
                       return was == nullptr || was->address() != service.address() ||
                              was->instance() != service.instance();
                     });
}

void check_own_addresses(const config::Model& before, const store::Edit& edit,
                         const OwnAddresses& own, config::Problems& problems) {
  const auto complain = [&problems](const std::string& path, const std::string& text,
                                    const std::string& interface) {
    config::complain(problems, path, text,
                     "Interface " + interface +
                         " of this machine has that address, so that the kernel would answer for "
                         "it too; take another, or remove it there.");
  };
  const Links links = links_after(before, edit);
  for (const v1::VirtualService& service : edit.services()) {
    const auto address = net::parse_address(service.address());
    if (!address) {
      continue;
    }
    const auto [first, last] = own.equal_range(*address);
    for (auto at = first; at != last; ++at) {
      if (links.instance_of(at->second) == service.instance()) {
        complain(config::service_path(service.name()) + ".address", service.address(), at->second);
      }
    }
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    for (const std::string& text : set.addresses()) {
      const auto range = net::parse_range(text);
      for (const auto& [address, interface] : own) {
        if (range && range->contains(address) && links.instance_of(interface) == set.instance()) {
          complain(config::snat_set_path(set.name()) + ".addresses", net::to_string(address),
                   interface);
        }
      }
    }
  }
}

}  // namespace nezu::api
