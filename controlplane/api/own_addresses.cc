#include "controlplane/api/own_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>

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

std::vector<std::string> clashes_of(const config::Model& model, const OwnAddresses& own) {
  std::vector<std::string> clashes;
  for (const auto& [address, interface] : own) {
    const std::string text = net::to_string(address);
    const auto say = [&](const std::string& whose) {
      clashes.push_back("Interface " + interface + " has the address " + text + ", which is " +
                        whose + " as well: remove it there, or the kernel's own connections from " +
                        "it stall.");
    };
    if (const config::Names& services = model.services_at(0, text); !services.empty()) {
      say("the VIP of service " + *services.begin());
    } else if (const config::Names& sets = model.snat_sets_at(0, text); !sets.empty()) {
      say("in SNAT set " + *sets.begin());
    }
  }
  return clashes;
}

void check_own_addresses(const store::Edit& edit, const OwnAddresses& own,
                         config::Problems& problems) {
  const auto complain = [&problems](const std::string& path, const std::string& text,
                                    const std::string& interface) {
    config::complain(problems, path, text,
                     "Interface " + interface +
                         " of this machine has that address, so that the kernel would answer for "
                         "it too; take another, or remove it there.");
  };
  for (const v1::VirtualService& service : edit.services()) {
    const auto address = net::parse_address(service.address());
    if (const auto at = address ? own.find(*address) : own.end(); at != own.end()) {
      complain(config::service_path(service.name()) + ".address", service.address(), at->second);
    }
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    for (const std::string& text : set.addresses()) {
      const auto range = net::parse_range(text);
      for (const auto& [address, interface] : own) {
        if (range && range->contains(address)) {
          complain(config::snat_set_path(set.name()) + ".addresses", net::to_string(address),
                   interface);
        }
      }
    }
  }
}

}  // namespace nezu::api
